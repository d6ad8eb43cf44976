// The demo's pure parts: its load, and what it says of its figures.
#include "cli/demo_report.h"
#include "cli/demo_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

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

TEST(DemoReport, FiguresAreWhatTheirNamesSay) {
    const DemoFigures figures =
        figures_of(tiny_trace(), row("sdk", {true, true, false, false}, 1, 3));
    EXPECT_DOUBLE_EQ(figures.calls, 0.5);
    EXPECT_DOUBLE_EQ(figures.tokens, 0.2);
    EXPECT_DOUBLE_EQ(figures.light, 0.5);
    EXPECT_DOUBLE_EQ(figures.refusals_per_success, 1.5);
    EXPECT_DOUBLE_EQ(figures.time_to_failure, 3);
    EXPECT_DOUBLE_EQ(figures.p50, 2);
    EXPECT_TRUE(std::isinf(figures.p99)) << "two calls never had an answer";
}

TEST(DemoReport, SaysAlsoWhereWeirIsWorse) {
    const DemoTrace trace = tiny_trace();
    const auto conclude = [&](const DemoRow& sdk, const DemoRow& weir) {
        std::string all;
        for (const auto& line :
             demo_conclusions({sdk, weir}, {figures_of(trace, sdk), figures_of(trace, weir)})) {
            all += line + "\n";
        }
        return all;
    };
    const DemoRow good = row("sdk", {true, true, true, true}, 1, 0);
    const DemoRow bad = row("weir_told", {true, false, false, false}, 9, 8);
    const std::string worse = conclude(good, bad);
    EXPECT_NE(worse.find("Worse    success by calls"), std::string::npos) << worse;
    EXPECT_NE(worse.find("Worse    refusals per success"), std::string::npos) << worse;
    EXPECT_EQ(worse.find("Better"), std::string::npos) << worse;
    const std::string better = conclude(row("sdk", {true, false, false, false}, 9, 8),
                                        row("weir_told", {true, true, true, true}, 1, 0));
    EXPECT_NE(better.find("Better   success by calls"), std::string::npos) << better;
    EXPECT_EQ(better.find("Worse"), std::string::npos) << better;
}

TEST(DemoReport, DoesNotRoundUpToPerfection) {
    DemoTrace trace;
    trace.clients = {"etl"};
    trace.calls.resize(10'000);
    std::vector<bool> served(10'000, true);
    served[0] = false;
    const std::string text = demo_text(trace, {}, {row("sdk", served, 1, 0)});
    EXPECT_EQ(text.find("100.0 %"), std::string::npos) << text;
}

TEST(DemoReport, SurvivesARowWithoutASuccess) {
    const DemoTrace trace = tiny_trace();
    const std::vector<DemoRow> rows{row("sdk", {false, false, false, false}, 1, 9),
                                    row("weir_told", {}, 1, 0)};
    EXPECT_FALSE(demo_text(trace, {}, rows).empty());
    EXPECT_NE(demo_json(trace, {}, rows).find("\"refusals_per_success\": null"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
