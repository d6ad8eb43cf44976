// The demo's pure parts: its load, and what it says of its figures.
#include "cli/demo_report.h"
#include "cli/demo_trace.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

namespace weir::cli {
namespace {

TEST(DemoTrace, OneSeedGivesOneLoad) {
    const DemoTrace a = make_trace(7, 300, 4, 1.2);
    const DemoTrace b = make_trace(7, 300, 4, 1.2);
    ASSERT_EQ(a.calls.size(), b.calls.size());
    EXPECT_TRUE(std::equal(a.calls.begin(), a.calls.end(), b.calls.begin(),
                           [](const DemoCall& x, const DemoCall& y) {
                               return x.at == y.at && x.client == y.client && x.input == y.input &&
                                      x.output == y.output && x.stream == y.stream;
                           }));
    EXPECT_NE(a.calls.size(), make_trace(8, 300, 4, 1.2).calls.size());
}

TEST(DemoTrace, LoadIsWhatItSaysAndOneClientSendsHalf) {
    const DemoTrace trace = make_trace(1, 3000, 4, 1.2);
    double cost = 0;
    double heavy = 0;
    double last = 0;
    for (const DemoCall& call : trace.calls) {
        EXPECT_GE(call.at, last);
        EXPECT_LE(call.output, trace.max_tokens);
        last = call.at;
        cost += static_cast<double>(call.input + trace.burndown * call.output);
        heavy += call.client == 0 ? 1 : 0;
    }
    EXPECT_LT(last, 3000);
    const double quota = static_cast<double>(trace.tokens_per_minute);
    EXPECT_NEAR(cost / 3000 * 60 / quota, 1.2, 0.001);
    EXPECT_NEAR(static_cast<double>(trace.calls.size()) / 3000, 4, 0.8);
    EXPECT_NEAR(heavy / static_cast<double>(trace.calls.size()), 0.5, 0.1);
}

TEST(DemoTrace, ArrivesInBursts) {
    const DemoTrace trace = make_trace(3, 3000, 4, 1.2);
    std::vector<double> per_second(3000);
    for (const DemoCall& call : trace.calls) {
        per_second[static_cast<std::size_t>(call.at)] += 1;
    }
    double mean = 0;
    double square = 0;
    for (const double n : per_second) {
        mean += n / 3000;
        square += n * n / 3000;
    }
    EXPECT_GT((square - mean * mean) / mean, 1.5) << "a Poisson process would have 1";
}

TEST(DemoTrace, APromptIsAsLongAsItSays) {
    const DemoCall call{.at = 0, .client = 1, .input = 500, .output = 33, .stream = false};
    const std::string prompt = make_prompt(call);
    EXPECT_EQ(prompt.size(), 2000U);
    EXPECT_TRUE(prompt.starts_with("[[output=33]]"));
}

DemoTrace tiny_trace() {
    DemoTrace trace;
    trace.clients = {"etl", "chat"};
    trace.calls = {{.at = 0, .client = 0, .input = 100, .output = 0, .stream = false},
                   {.at = 1, .client = 1, .input = 300, .output = 0, .stream = false},
                   {.at = 2, .client = 1, .input = 600, .output = 0, .stream = false},
                   {.at = 3, .client = 0, .input = 0, .output = 1000, .stream = false}};
    return trace;
}

DemoRow row(std::string key, std::vector<bool> served, double seconds, std::uint64_t refusals) {
    DemoRow made;
    made.key = key;
    made.name = std::move(key);
    made.refusals = refusals;
    for (std::uint32_t i = 0; i < served.size(); ++i) {
        made.outcomes.push_back({.call = i, .served = served[i], .seconds = seconds + i});
    }
    return made;
}

DemoResult result_of(const std::vector<DemoRow>& rows) {
    return demo_result(tiny_trace(), {.window = "sliding", .home = "us-east-1"}, rows);
}

std::string comparison(const std::vector<DemoRow>& rows) {
    std::string all;
    for (const auto& line : demo_comparison(result_of(rows))) {
        all += line + "\n";
    }
    return all;
}

/// `words` stand in `text`, whatever the width of its columns.
bool says(const std::string& text, const std::string& words) {
    std::string narrow;
    for (const char c : text) {
        if (c != ' ' || narrow.empty() || narrow.back() != ' ') {
            narrow += c;
        }
    }
    return narrow.find(words) != std::string::npos;
}

TEST(DemoReport, FiguresAreWhatTheirNamesSay) {
    DemoRow some = row("sdk", {true, true, false, false}, 1, 3);
    some.dead_calls = 4;
    const DemoFigures figures = result_of({some}).rows.front();
    EXPECT_EQ(figures.answered, 2U);
    EXPECT_EQ(figures.errors(), 2U);
    EXPECT_EQ(figures.in_vain(), 7U);
    EXPECT_DOUBLE_EQ(figures.answered_share(), 0.5);
    EXPECT_DOUBLE_EQ(figures.answered_tokens, 0.2);
    EXPECT_DOUBLE_EQ(figures.answered_light, 0.5);
    EXPECT_DOUBLE_EQ(figures.refusals_per_success().value(), 1.5);
    EXPECT_DOUBLE_EQ(figures.error_p50.value(), 3);
    EXPECT_DOUBLE_EQ(figures.answer_p50.value(), 2);
    EXPECT_DOUBLE_EQ(figures.light_p50.value(), 2);
    EXPECT_FALSE(figures.answer_p90) << "two calls never had an answer";
}

TEST(DemoReport, SlotsHoldEachCallOnce) {
    const DemoTrace trace = make_trace(5, 300, 4, 1.2);
    DemoRow some{.key = "sdk", .name = "sdk", .outcomes = {}};
    std::uint64_t failed = 0;
    for (std::uint32_t i = 0; i < trace.calls.size(); ++i) {
        some.outcomes.push_back({.call = i, .served = i % 3 != 0, .seconds = 1});
        failed += i % 3 == 0 ? 1 : 0;
    }
    const DemoResult result = demo_result(trace, {}, {some});
    DemoSlot sum;
    for (const DemoSlot& slot : result.rows.front().slots) {
        sum.answered += slot.answered;
        sum.failed += slot.failed;
    }
    EXPECT_EQ(sum.failed, failed);
    EXPECT_EQ(sum.answered + sum.failed, trace.calls.size());
    EXPECT_GE(static_cast<double>(result.rows.front().slots.size()) * result.slot_seconds,
              trace.seconds);
}

TEST(DemoReport, SaysAlsoWhereWeirIsWorse) {
    const std::string worse = comparison({row("sdk", {true, true, true, true}, 1, 0),
                                          row("weir_told", {true, false, false, false}, 9, 8)});
    EXPECT_TRUE(says(worse, "cost 25.0 % 100.0 % calls answered")) << worse;
    EXPECT_TRUE(says(worse, "cost 3 none errors that users saw")) << worse;
    EXPECT_TRUE(says(worse, "cost 8 none calls sent in vain")) << worse;
    EXPECT_TRUE(says(worse, "cost 11.0 s no errors until")) << worse;
    EXPECT_TRUE(says(worse, "cost never 2.0 s until half")) << worse;
    EXPECT_EQ(worse.find("gain"), std::string::npos) << worse;
    const std::string better = comparison({row("sdk", {true, false, false, false}, 9, 8),
                                           row("weir_told", {true, true, true, true}, 1, 0)});
    EXPECT_TRUE(says(better, "gain none 3 errors that users saw")) << better;
    EXPECT_TRUE(says(better, "gain no errors 11.0 s until")) << better;
    EXPECT_EQ(better.find("cost"), std::string::npos) << better;
}

TEST(DemoReport, ATenthOfATimeIsNeitherGainNorCost) {
    const auto compared = [](double weir) {
        return comparison({row("sdk", {true, true, true, true}, 10, 0),
                           row("weir_told", {true, true, true, true}, weir, 0)});
    };
    EXPECT_EQ(compared(10.9).find("cost"), std::string::npos);
    EXPECT_NE(compared(13).find("cost"), std::string::npos);
    EXPECT_NE(compared(7).find("gain"), std::string::npos);
}

TEST(DemoReport, FollowsTheSameCallsFromOneRowToAnother) {
    const DemoResult result = result_of({row("sdk", {true, false, false, false}, 1, 0),
                                         row("weir_told", {false, true, true, false}, 5, 0)});
    ASSERT_EQ(result.same_calls.size(), 2U);
    EXPECT_EQ(result.same_calls[0].failed, 3U);
    EXPECT_EQ(result.same_calls[0].answered, 2U);
    EXPECT_DOUBLE_EQ(result.same_calls[0].answer_p50.value(), 6);
    EXPECT_EQ(result.same_calls[1].failed_in, "weir_told");
    EXPECT_EQ(result.same_calls[1].failed, 2U);
    EXPECT_EQ(result.same_calls[1].answered, 1U);
    const std::string text = demo_text(result);
    EXPECT_NE(text.find("3 failed with sdk:"), std::string::npos) << text;
    EXPECT_NE(text.find("2 of these are answered with weir_told, half within 6.0 s."),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("2 failed with weir_told:"), std::string::npos) << text;
}

TEST(DemoReport, DoesNotRoundUpToPerfection) {
    DemoTrace trace;
    trace.clients = {"etl"};
    trace.calls.resize(10'000);
    trace.seconds = 100;
    std::vector<bool> served(10'000, true);
    served[0] = false;
    const DemoResult result = demo_result(trace, {}, {row("sdk", served, 1, 0)});
    EXPECT_EQ(demo_text(result).find("100.0 %"), std::string::npos);
    EXPECT_EQ(demo_svg(result).find("100.0 %"), std::string::npos);
}

TEST(DemoReport, SurvivesARowWithoutASuccess) {
    const DemoResult result =
        result_of({row("sdk", {false, false, false, false}, 1, 9), row("weir_told", {}, 1, 0)});
    EXPECT_FALSE(demo_text(result).empty());
    EXPECT_TRUE(demo_svg(result).ends_with("</svg>\n"));
    EXPECT_NE(demo_json(result).find("\"refusals_per_success\": null"), std::string::npos);
}

const std::string kDocs = WEIR_SOURCE_DIR "/docs/";

TEST(DemoReport, JsonHoldsAllThatIsShown) {
    const std::string text = read_file(kDocs + "demo.json");
    const auto result = read_demo_json(text);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(demo_json(*result), text);
    const DemoResult made = result_of({row("sdk", {true, false, false, false}, 1, 2),
                                       row("weir_told", {true, true, true, true}, 5, 0)});
    DemoResult whole = made;
    whole.seconds = 4;
    whole.slot_seconds = 1;
    const auto again = read_demo_json(demo_json(whole));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(demo_text(*again), demo_text(whole));
    EXPECT_EQ(demo_svg(*again), demo_svg(whole));
}

TEST(DemoReport, TheCommittedPictureIsDrawnByThisCode) {
    const auto result = read_demo_json(read_file(kDocs + "demo.json"));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(demo_svg(*result) == read_file(kDocs + "demo.svg"))
        << "draw it again: build/release/weir demo --from docs/demo.json --svg docs/demo.svg";
}

TEST(DemoReport, ADamagedResultIsRefusedWithTheMember) {
    const std::string good = read_file(kDocs + "demo.json");
    for (const char* member : {"rows", "seconds", "slots", "same_calls", "p90_seconds"}) {
        std::string bad = good;
        const std::string name = "\"" + std::string(member) + "\"";
        for (std::size_t at = 0; (at = bad.find(name, at)) != std::string::npos;) {
            bad.replace(at, name.size(), "\"other\"");
        }
        const auto result = read_demo_json(bad);
        ASSERT_FALSE(result) << member;
        EXPECT_NE(result.error().message.find(member), std::string::npos) << result.error().message;
    }
    EXPECT_FALSE(read_demo_json("{"));
    EXPECT_FALSE(read_demo_json(""));
}

TEST(DemoPicture, IsReadableByMachinesAndInBothThemes) {
    DemoRow strange = row("sdk", {true, false, true, true}, 1, 0);
    strange.name = "<script> & \"co\"";
    const std::string svg = demo_svg(result_of({strange}));
    EXPECT_TRUE(svg.starts_with("<svg xmlns="));
    EXPECT_NE(svg.find("role=\"img\""), std::string::npos);
    EXPECT_NE(svg.find("<title id=\"title\">"), std::string::npos);
    EXPECT_NE(svg.find("<desc id=\"desc\">"), std::string::npos);
    EXPECT_NE(svg.find("prefers-color-scheme:dark"), std::string::npos);
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_NE(svg.find("&lt;script&gt; &amp; &quot;co&quot;"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
