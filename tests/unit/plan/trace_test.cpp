// Reading traces: formats, order, and every mistake with its line.
#include "unit/plan/traces.h"

#include <gtest/gtest.h>

#include <fstream>

namespace weir::plan {
namespace {

using namespace std::chrono_literals;

struct ReadAll {
    std::vector<TraceCall> calls;
    TraceNotes notes;
    std::string error;
};

ReadAll read(const std::string& text, Names& names, const TraceOptions& options = {}) {
    ReadAll all;
    auto reader = test::open_text(text, names, options)().value();
    TraceCall call;
    for (;;) {
        const auto more = reader.next(call);
        if (!more) {
            all.error = more.error().message;
            break;
        }
        if (!*more) {
            break;
        }
        all.calls.push_back(call);
    }
    all.notes = reader.notes();
    return all;
}

ReadAll read(const std::string& text) {
    Names names;
    return read(text, names);
}

TEST(CsvTrace, AzureColumnsByteOrderMarkAndCarriageReturns) {
    const auto all = read(
        "\xEF\xBB\xBFTIMESTAMP,ContextTokens,GeneratedTokens\r\n"
        "2023-11-16 18:17:03.9799600,4808,10\r\n"
        "2023-11-16T18:17:04.0319600Z,3180,8\r\n"
        "\r\n"
        "2023-11-16 20:17:05.03196+02:00,1,2");
    EXPECT_EQ(all.error, "");
    ASSERT_EQ(all.calls.size(), 3U);
    EXPECT_EQ(all.calls[0].at, 0ns);
    EXPECT_EQ(all.calls[1].at, 52ms);
    EXPECT_EQ(all.calls[2].at, 1052ms);
    EXPECT_EQ(all.calls[0].input, 4808U);
    EXPECT_EQ(all.calls[0].output, 10U);
    EXPECT_EQ(all.notes.rows, 3U);
}

TEST(CsvTrace, EveryColumnByNameInAnyOrderAndCase) {
    Names names;
    const auto all = read(
        "Output,who,TimeStamp_MS,INPUT,Client,model,priority,max_tokens,stream\n"
        "7,x,1000.5,11,chat,m1,Batch,512,true\n"
        "8,\"a, \"\"b\"\"\",2000,12,\"etl, old\",,,,\n",
        names);
    EXPECT_EQ(all.error, "");
    ASSERT_EQ(all.calls.size(), 2U);
    EXPECT_EQ(names.name(all.calls[0].client), "chat");
    EXPECT_EQ(names.name(all.calls[0].model), "m1");
    EXPECT_EQ(all.calls[0].priority, Priority::batch);
    EXPECT_EQ(all.calls[0].max_tokens, 512U);
    EXPECT_TRUE(all.calls[0].stream);
    EXPECT_EQ(names.name(all.calls[1].client), "etl, old");
    EXPECT_EQ(all.calls[1].model, Names::kNone);
    EXPECT_FALSE(all.calls[1].priority);
    EXPECT_EQ(all.calls[1].max_tokens, 0U);
    EXPECT_EQ(all.calls[1].at, 999500us);
}

TEST(CsvTrace, SecondsAreExact) {
    const auto all = read("timestamp,input,output\n1700000000.000000001,1,1\n1700000000.1,1,1\n");
    ASSERT_EQ(all.calls.size(), 2U) << all.error;
    EXPECT_EQ(all.calls[1].at, 99'999'999ns);
}

TEST(CsvTrace, EveryMistakeIsNamedWithItsLine) {
    const std::string head = "timestamp,input,output,max_tokens,priority,stream\n1,2,3,,,\n";
    const struct {
        std::string text;
        std::vector<const char*> words;
    } cases[] = {
        {"", {"trace: is empty"}},
        {"\n\n", {"trace: is empty"}},
        {"input,output\n", {"trace:1: ", "no column for the time", "timestamp_ms"}},
        {"timestamp,output\n", {"trace:1: ", "no column for the input tokens"}},
        {"timestamp,input\n", {"trace:1: ", "no column for the output tokens"}},
        {"timestamp,ms,input,output\n", {"trace:1: ", "both timestamp and timestamp_ms"}},
        {"timestamp,input,ContextTokens,output\n",
         {"trace:1: ", "ContextTokens", "allowed is one"}},
        {"timestamp,\"input,output\n", {"trace:1: ", "quote"}},
        {head + "x,2,3,,,\n", {"trace:3: column timestamp: \"x\"", "ISO 8601"}},
        {head + "-1,2,3,,,\n", {"trace:3: column timestamp: \"-1\""}},
        {head + "2023-02-30 00:00:00,2,3,,,\n", {"trace:3: column timestamp"}},
        {head + "2023-02-03 24:00:00,2,3,,,\n", {"trace:3: column timestamp"}},
        {head + "1,2.5,3,,,\n", {"trace:3: column input: \"2.5\"", "whole numbers from 0 to"}},
        {head + "1,,3,,,\n", {"trace:3: column input: \"\""}},
        {head + "1,2,-3,,,\n", {"trace:3: column output: \"-3\""}},
        {head + "1,2,100000001,,,\n", {"trace:3: column output", "100000000"}},
        {head + "1,2,3,many,,\n", {"trace:3: column max_tokens"}},
        {head + "1,2,3,,urgent,\n", {"trace:3: column priority", "interactive, standard, batch"}},
        {head + "1,2,3,,,maybe\n", {"trace:3: column stream", "true, false"}},
        {head + "1,2,3\n", {"trace:3: column max_tokens: is missing", "6 columns"}},
        {head + "1,2,3,,,,9\n", {"trace:3: ", "more fields"}},
        {head + "\"1,2,3,,,\n", {"trace:3: column 1", "quote"}},
        {"timestamp_ms,input,output\n1e3,2,3\n", {"trace:2: column timestamp_ms", "milliseconds"}},
        {"timestamp,input,output\n" + std::string(2'000'000, '1'), {"trace:2: ", "1 MiB"}},
    };
    for (const auto& [text, words] : cases) {
        const auto all = read(text);
        for (const char* word : words) {
            EXPECT_NE(all.error.find(word), std::string::npos)
                << text.substr(0, 200) << "\ngave: " << all.error << "\nwithout: " << word;
        }
    }
}

TEST(CsvTrace, NumbersOfLinesCountWhatIsSkipped) {
    const auto all = read("\ntimestamp,input,output\n\n1,2,3\n\nx,2,3\n");
    EXPECT_TRUE(all.error.starts_with("trace:6: ")) << all.error;
}

std::string log_line(int second) {
    const std::string digits = std::to_string(100 + second % 60).substr(1);
    return R"({"ts":"2026-11-23T10:00:)" + digits + R"(.000Z","total_ms":5,"input":3,"output":2})" +
           "\n";
}

TEST(Trace, OneBadLineInAHundredIsLeftOutAndNamed) {
    std::string text;
    for (int i = 0; i < 300; ++i) {
        text += i == 7 || i == 50 ? std::string("{\"ts\":\"2026-11-2\n") : log_line(i / 5);
    }
    auto all = read(text);
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.calls.size(), 298U);
    EXPECT_EQ(all.notes.bad, 2U);
    ASSERT_EQ(all.notes.first_bad.size(), 2U);
    EXPECT_TRUE(all.notes.first_bad[0].starts_with("trace:8: is not a JSON object"));
    EXPECT_TRUE(all.notes.first_bad[1].starts_with("trace:51: "));

    text += "not\nnot\nnot\n";
    all = read(text);
    EXPECT_TRUE(all.error.starts_with("trace:8: ")) << all.error;
    EXPECT_NE(all.error.find("5 of 303 lines"), std::string::npos) << all.error;
}

TEST(Trace, ALastLineThatWasTornOffIsLeftOut) {
    const auto all = read(log_line(1) + log_line(2) + R"({"ts":"2026-11-23T10)");
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.calls.size(), 2U);
    EXPECT_EQ(all.notes.bad, 1U);
    EXPECT_NE(read(log_line(1) + log_line(2) + "{\"ts\":\n").error, "");
    EXPECT_NE(read(R"({"ts":"2026-11-23T10)").error, "");
}

TEST(Trace, AFileOfAnotherKindIsRefusedWithoutDelay) {
    std::string text = log_line(1);
    for (int i = 0; i < 1000; ++i) {
        text += "{\"another\": 1}\n";
    }
    EXPECT_NE(read(text).error.find("100 of 101 lines"), std::string::npos);
}

TEST(Trace, RowsOutOfOrderAreSortedWithinTheWindow) {
    const std::string text =
        "timestamp,input,output\n100,1,1\n130,2,1\n110,3,1\n190,4,1\n135,5,1\n";
    const auto all = read(text);
    EXPECT_EQ(all.error, "");
    std::vector<std::uint64_t> order;
    order.reserve(all.calls.size());
    for (const TraceCall& call : all.calls) {
        order.push_back(call.input);
    }
    EXPECT_EQ(order, (std::vector<std::uint64_t>{1, 3, 2, 5, 4}));
    EXPECT_EQ(all.calls.back().at, 90s);
    Names names;
    const auto strict = read(text, names, {.name = "t.csv", .sort_window = 10s});
    EXPECT_TRUE(strict.error.starts_with("t.csv:4: ")) << strict.error;
    EXPECT_NE(strict.error.find("20 s before"), std::string::npos) << strict.error;
    EXPECT_NE(strict.error.find("10 s (--sort-window"), std::string::npos) << strict.error;
}

TEST(Trace, NamesBeyondTheBoundAreOther) {
    std::string text = "timestamp,input,output,client\n";
    for (int i = 0; i < 3000; ++i) {
        text += "1,1,1,c" + std::to_string(i) + "\n";
    }
    Names names;
    const auto all = read(text, names);
    ASSERT_EQ(all.calls.size(), 3000U);
    EXPECT_EQ(names.name(all.calls.front().client), "c0");
    EXPECT_EQ(names.name(all.calls.back().client), "other");
    EXPECT_EQ(names.size(), 2000U);
}

TEST(AccessLogTrace, ArrivalsUsageAndTimes) {
    Names names;
    const auto all = read(
        R"({"ts":"2026-11-23T10:00:10.000Z","client":"chat","model":"m","queued_ms":500,"ttft_ms":900,)"
        R"("total_ms":4000,"input":10,"output":20,"cache_read":100,"cache_write":5,"max_tokens":64,"stream":true})"
        "\n"
        R"({"ts":"2026-11-23T10:00:11.000Z","client":null,"model":null,"queued_ms":0,"ttft_ms":null,)"
        R"("total_ms":9000,"input":1,"output":2,"cache_read":null,"cache_write":null,"max_tokens":null,"stream":false})"
        "\n"
        R"({"ts":"2026-11-23T10:00:12.000Z","total_ms":1,"queued_ms":0,"input":null,"output":null})"
        "\n",
        names);
    ASSERT_EQ(all.error, "");
    ASSERT_EQ(all.calls.size(), 2U);
    EXPECT_EQ(all.notes.skipped, 1U);
    EXPECT_TRUE(all.notes.access_log);
    // The second line's call arrived first: 10:00:02 and 10:00:06.
    const TraceCall& early = all.calls[0];
    EXPECT_EQ(early.input, 1U);
    EXPECT_EQ(early.client, Names::kNone);
    EXPECT_EQ(early.whole, 9s);
    const TraceCall& late = all.calls[1];
    EXPECT_EQ(late.at, 4s);
    EXPECT_EQ(late.input, 15U);
    EXPECT_EQ(late.cached, 100U);
    EXPECT_EQ(late.output, 20U);
    EXPECT_EQ(late.max_tokens, 64U);
    EXPECT_TRUE(late.stream);
    EXPECT_EQ(late.first, 400ms);
    EXPECT_EQ(late.whole, 3500ms);
    EXPECT_EQ(names.name(late.client), "chat");
}

TEST(AccessLogTrace, EveryMistakeIsNamedWithItsLine) {
    const std::string good = R"({"ts":"2026-11-23T10:00:10Z","total_ms":1,"input":1,"output":1})"
                             "\n";
    const struct {
        std::string line;
        std::vector<const char*> words;
    } cases[] = {
        {"{", {"not a JSON object", "access log"}},
        {"[1]", {"not a JSON object"}},
        {R"({"total_ms":1})", {"ts: is missing"}},
        {R"({"ts":"yesterday","total_ms":1})", {"ts: \"yesterday\"", "ISO 8601"}},
        {R"({"ts":"2026-11-23T10:00:10Z","input":1,"output":1})", {"total_ms: is missing"}},
        {R"({"ts":"2026-11-23T10:00:10Z","total_ms":-1})", {"total_ms: ", "whole numbers"}},
        {R"({"ts":"2026-11-23T10:00:10Z","total_ms":1,"input":1.5})", {"input: "}},
        {R"({"ts":"2026-11-23T10:00:10Z","total_ms":1000000,"input":1,"output":1})",
         {"1000 s before", "900 s"}},
    };
    for (const auto& [line, words] : cases) {
        const auto all = read(good + line + "\n");
        EXPECT_TRUE(all.error.starts_with("trace:2: ")) << line << " gave " << all.error;
        for (const char* word : words) {
            EXPECT_NE(all.error.find(word), std::string::npos) << line << " gave " << all.error;
        }
    }
}

TEST(Trace, PublicTracesLoadAsTheyAre) {
    const struct {
        const char* name;
        std::uint64_t rows;
        Duration least;
        Duration most;
    } files[] = {{"AzureLLMInferenceTrace_2023_conv.csv", 19'366, 58min, 59min},
                 {"AzureLLMInferenceTrace_2023_code.csv", 8'819, 57min, 58min},
                 {"mooncake_fast25_conversation.csv", 12'031, 58min, 60min},
                 {"mooncake_fast25_synthetic.csv", 3'993, 16min, 18min}};
    for (const auto& file : files) {
        const auto path = test::trace_file(file.name);
        WEIR_REQUIRE_TRACE(path);
        Names names;
        TraceReader reader(std::make_unique<std::ifstream>(path, std::ios::binary), {}, names);
        TraceCall call;
        Duration last{};
        std::uint64_t rows = 0;
        for (;;) {
            const auto more = reader.next(call);
            ASSERT_TRUE(more) << more.error().message;
            if (!*more) {
                break;
            }
            EXPECT_GE(call.at, last);
            last = call.at;
            ++rows;
        }
        EXPECT_EQ(rows, file.rows) << file.name;
        EXPECT_GE(last, file.least) << file.name;
        EXPECT_LE(last, file.most) << file.name;
    }
}

}  // namespace
}  // namespace weir::plan
