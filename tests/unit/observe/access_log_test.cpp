#include "observe/access_log.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir::observe {
namespace {

using nlohmann::json;

std::string line_of(const AccessRecord& record) {
    std::string out;
    append_access_line(out, record);
    return out;
}

std::uint64_t seed() {
    const char* given = std::getenv("WEIR_SEED");
    const std::uint64_t value = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "WEIR_SEED=" << value << "\n";
    return value;
}

TEST(AccessLine, HoldsEveryFieldInItsOrder) {
    AccessRecord record;
    record.unix_ms = 1'764'000'000'123;
    record.id = "r1";
    record.upstream_request_id = "u1";
    record.sdk_invocation_id = "i1";
    record.sdk_attempt = 2;
    record.client = "chat";
    record.operation = "ConverseStream";
    record.model = "m";
    record.target_account = "default";
    record.target_region = "us-west-2";
    record.target_model = "n";
    record.endpoint = "mantle";
    record.status = 429;
    record.error = "ThrottlingException";
    record.reason = "quota";
    record.attempts = 3;
    record.queued_ms = 40;
    record.ttft_ms = 50;
    record.total_ms = 60;
    record.estimated_input = 1;
    record.reserved = 2;
    record.input = 3;
    record.output = 4;
    record.cache_read = 5;
    record.cache_write = 6;
    record.max_tokens = 7;
    record.tag = "eval/7";
    record.cost_nanodollars = 12'010'500'000;
    record.stream = true;
    record.outcome = "throttled";
    EXPECT_EQ(
        line_of(record),
        R"({"ts":"2025-11-24T16:00:00.123Z","id":"r1","upstream_request_id":"u1",)"
        R"("sdk_invocation_id":"i1","sdk_attempt":2,"client":"chat",)"
        R"("operation":"ConverseStream","model":"m","tag":"eval/7","target_account":"default",)"
        R"("target_region":"us-west-2",)"
        R"("target_model":"n","endpoint":"mantle","tier":null,"status":429,"error":"ThrottlingException",)"
        R"("reason":"quota","attempts":3,"queued_ms":40,"ttft_ms":50,"total_ms":60,)"
        R"("estimated_input":1,"reserved":2,"input":3,"output":4,"cache_read":5,)"
        R"("cache_write":6,"max_tokens":7,"cost_usd":12.0105,"stream":true,"outcome":"throttled"})");
}

TEST(AccessLine, WhatIsUnknownIsNull) {
    const json line = json::parse(line_of(AccessRecord{}));
    EXPECT_EQ(line["ts"], "1970-01-01T00:00:00.000Z");
    for (const char* name : {"id", "client", "error", "sdk_attempt", "status", "ttft_ms",
                             "estimated_input", "input", "max_tokens"}) {
        EXPECT_TRUE(line[name].is_null()) << name;
    }
    EXPECT_EQ(line["attempts"], 0);
    EXPECT_EQ(line["stream"], false);
}

TEST(AccessLine, DollarsAreExactDecimals) {
    AccessRecord record;
    const std::vector<std::pair<std::uint64_t, std::string>> cases{
        {0, "0"},
        {1, "0.000000001"},
        {1'000'000'000, "1"},
        {1'020'000'000, "1.02"},
        {UINT64_MAX, "18446744073.709551615"}};
    for (const auto& [nano, text] : cases) {
        record.cost_nanodollars = nano;
        EXPECT_NE(line_of(record).find("\"cost_usd\":" + text + ","), std::string::npos) << nano;
    }
    record.cost_nanodollars = std::nullopt;
    EXPECT_NE(line_of(record).find("\"cost_usd\":null,"), std::string::npos);
}

TEST(AccessLine, TimesOutsideTheCalendarDoNotCrash) {
    for (const std::int64_t ms : {INT64_MIN, INT64_MAX, std::int64_t{-1}}) {
        AccessRecord record;
        record.unix_ms = ms;
        EXPECT_EQ(json::parse(line_of(record))["ts"].get<std::string>().size(), 24U);
    }
}

TEST(AccessLine, ControlBytesAndQuotesAreEscaped) {
    AccessRecord record;
    record.client = "a\"b\\c\n\x1b[31m\x7f\xc2\x9b";
    const std::string line = line_of(record);
    EXPECT_NE(line.find(R"("a\"b\\c\u000a\u001b[31m\u007f\u009b")"), std::string::npos) << line;
}

TEST(AccessLine, TextPassesAndBadBytesAreReplaced) {
    AccessRecord record;
    record.client = "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80";
    record.model = "a\xff\xc3(\xed\xa0\x80\xf5";
    const json line = json::parse(line_of(record));
    EXPECT_EQ(line["client"], record.client);
    const std::string bad = "\xEF\xBF\xBD";
    EXPECT_EQ(line["model"], "a" + bad + bad + "(" + bad + bad + bad + bad);
}

TEST(AccessLine, LongFieldsAreCutBetweenCharacters) {
    AccessRecord record;
    const std::string long_name = std::string(2047, 'x') + "\xc3\xa9" + std::string(5000, 'y');
    record.model = long_name;
    EXPECT_EQ(json::parse(line_of(record))["model"], std::string(2047, 'x'));
}

TEST(AccessLine, AnyBytesGiveOneLineOfJson) {
    std::mt19937_64 random(seed());
    for (int round = 0; round < 2000; ++round) {
        std::string bytes(random() % 3000, '\0');
        for (char& c : bytes) {
            c = static_cast<char>(random());
        }
        AccessRecord record;
        record.client = bytes;
        const std::string line = line_of(record);
        ASSERT_EQ(line.find('\n'), std::string::npos);
        ASSERT_TRUE(json::accept(line));
    }
}

TEST(AccessLine, TheLongestLineHasRoom) {
    const std::string worst(3000, '\x01');  // each byte becomes six
    AccessRecord record;
    for (std::string_view* text :
         {&record.id, &record.upstream_request_id, &record.sdk_invocation_id, &record.client,
          &record.operation, &record.model, &record.target_account, &record.target_region,
          &record.target_model, &record.endpoint, &record.tier, &record.error, &record.reason,
          &record.outcome}) {
        *text = worst;
    }
    record.unix_ms = INT64_MIN;
    record.sdk_attempt = record.status = INT32_MAX;
    record.attempts = UINT32_MAX;
    record.queued_ms = record.total_ms = INT64_MIN;
    record.ttft_ms = INT64_MIN;
    for (std::optional<std::uint64_t>* number :
         {&record.estimated_input, &record.reserved, &record.input, &record.output,
          &record.cache_read, &record.cache_write, &record.max_tokens}) {
        *number = UINT64_MAX;
    }
    std::string line = "before ";
    line.shrink_to_fit();
    append_access_line(line, record);
    ASSERT_TRUE(line.starts_with("before {"));
    EXPECT_EQ(json::parse(line.substr(7))["outcome"], std::string(2048, '\x01'));
}

struct Pipe {
    Pipe() { EXPECT_EQ(::pipe(ends), 0); }
    ~Pipe() {
        close_reader();
        ::close(ends[1]);
    }
    void close_reader() {
        if (ends[0] >= 0) {
            ::close(ends[0]);
            ends[0] = -1;
        }
    }
    std::string read_for(std::chrono::milliseconds time) {
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        std::string out;
        const auto end = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < end) {
            char block[65536];
            const ssize_t n = ::read(ends[0], block, sizeof block);
            if (n > 0) {
                out.append(block, static_cast<std::size_t>(n));
            } else {
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
        }
        return out;
    }
    int ends[2] = {-1, -1};
};

TEST(LineWriter, LinesArriveByThemselvesAndInOrder) {
    Pipe pipe;
    LineWriter writer(pipe.ends[1]);
    writer.write("one");
    writer.write("two");
    EXPECT_EQ(pipe.read_for(std::chrono::milliseconds(400)), "one\ntwo\n");
    writer.write("three");
    EXPECT_EQ(pipe.read_for(std::chrono::milliseconds(400)), "three\n");
    EXPECT_EQ(writer.dropped(), 0U);
}

TEST(LineWriter, WhatIsLeftIsWrittenAtTheEnd) {
    Pipe pipe;
    {
        LineWriter writer(pipe.ends[1]);
        writer.write("last");
    }
    EXPECT_EQ(pipe.read_for(std::chrono::milliseconds(50)), "last\n");
}

TEST(LineWriter, ABlockedPipeCostsLinesAndNoTime) {
    Pipe pipe;
    const std::string line(1000, 'x');
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t dropped = 0;
    {
        LineWriter writer(pipe.ends[1]);
        for (int i = 0; i < 10'000; ++i) {
            writer.write(line);
        }
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
        dropped = writer.dropped();
        EXPECT_GE(dropped, 5'000U);
        EXPECT_LT(dropped, 7'000U);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(LineWriter, LostLinesAreToldOf) {
    Pipe pipe;
    std::atomic<std::uint64_t> told{0};
    LineWriter writer(pipe.ends[1], [&told](LineWriter& by, std::uint64_t lines) {
        told += lines;
        by.write("lost " + std::to_string(lines));
    });
    const std::string line(1000, 'x');
    for (int i = 0; i < 10'000; ++i) {
        writer.write(line);
    }
    std::string got;
    for (int i = 0; i < 100 && got.find("lost ") == std::string::npos; ++i) {
        got += pipe.read_for(std::chrono::milliseconds(100));
    }
    EXPECT_GT(told, 0U);
    EXPECT_NE(got.find("lost "), std::string::npos);
}

TEST(LineWriter, AReaderThatLeftCostsLinesOnly) {
    Pipe pipe;
    LineWriter writer(pipe.ends[1]);
    pipe.close_reader();
    for (int i = 0; i < 100; ++i) {
        writer.write("gone");
    }
    for (int i = 0; i < 100 && writer.dropped() < 100; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(writer.dropped(), 100U);
}

TEST(LineWriter, ThreadsDoNotMixTheirLines) {
    Pipe pipe;
    std::string out;
    {
        LineWriter writer(pipe.ends[1]);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&writer, t] {
                for (int i = 0; i < 100; ++i) {
                    writer.write(std::string(20, static_cast<char>('a' + t)));
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        out = pipe.read_for(std::chrono::milliseconds(400));
    }
    EXPECT_EQ(out.size(), 400U * 21);
    for (std::size_t at = 0; at < out.size(); at += 21) {
        EXPECT_EQ(out.substr(at, 21), std::string(20, out[at]) + "\n");
    }
}

}  // namespace
}  // namespace weir::observe
