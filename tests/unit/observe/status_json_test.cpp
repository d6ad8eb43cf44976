#include "observe/status_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir::observe {
namespace {

using nlohmann::json;

TEST(StatusJson, NamesTargetsClientsAndTheQueue) {
    Status status;
    TargetStatus target;
    target.region = "us-east-1";
    target.model = "m";
    target.breaker = BreakerState::half_open;
    target.in_flight = 3;
    target.usable_share = 0.4;
    target.limits = {{LimitKind::tokens, 1000, 300, 100, false, 50, 20, 900},
                     {LimitKind::requests, 0, 5, 1, true, 0, 0, 70, std::chrono::seconds(90)}};
    target.breaker_left = std::chrono::milliseconds(2500);
    target.mean_reserved = 150;
    status.targets.push_back(target);
    status.clients.push_back({"chat", {}, 2});
    status.waiting.push_back({"m", Priority::interactive, 2});
    status.waiting_calls = 2;
    const json out = json::parse(status_json(status, {}));
    EXPECT_FALSE(out["version"].get<std::string>().empty());
    EXPECT_EQ(out["waiting_calls"], 2);
    EXPECT_EQ(out["targets"][0]["breaker"], "half-open");
    EXPECT_EQ(out["targets"][0]["in_flight"], 3);
    EXPECT_EQ(out["targets"][0]["max_tokens"]["usable_share"], 0.4);
    EXPECT_EQ(out["targets"][0]["limits"][0], json({{"kind", "tokens"},
                                                    {"limit", 1000},
                                                    {"used", 300},
                                                    {"reserved", 100},
                                                    {"learned", false},
                                                    {"by_instances", 50},
                                                    {"foreign", 20},
                                                    {"accepted_peak", 900},
                                                    {"confirmed_seconds_ago", nullptr}}));
    EXPECT_EQ(out["targets"][0]["limits"][1]["confirmed_seconds_ago"], 90);
    EXPECT_EQ(out["targets"][0]["breaker_seconds_left"], 2.5);
    EXPECT_EQ(out["targets"][0]["max_tokens"]["mean_reserved"], 150);
    EXPECT_TRUE(out["targets"][0]["limits"][1]["limit"].is_null());
    EXPECT_EQ(out["clients"][0]["name"], "chat");
    EXPECT_EQ(out["waiting"][0]["priority"], "interactive");
}

TEST(StatusJson, BadBytesInANameAreReplaced) {
    Status status;
    status.clients.push_back({"\xff", {}, 0});
    EXPECT_EQ(json::parse(status_json(status, {}))["clients"][0]["name"], "\xEF\xBF\xBD");
}

TEST(StatusJson, TellsWhatObservingHasShown) {
    policy::ObservedRow row;
    row.model = "m";
    row.client = "etl";
    row.counts.calls = 10;
    row.counts.would_wait = 4;
    row.counts.wait_seconds = 6;
    row.counts.longest_wait_seconds = 3.25;
    row.counts.reserved = 1000;
    row.counts.settled = 250;
    row.counts.throttled = 2;
    const json out = json::parse(status_json({}, {row}));
    EXPECT_EQ(out["observed"][0]["would_wait"], 4);
    EXPECT_EQ(out["observed"][0]["client"], "etl");
    const std::string line = observed_line(row);
    EXPECT_NE(line.find("10 calls; would have queued 4 (mean 1.5 s, longest 3.2 s)"),
              std::string::npos)
        << line;
    EXPECT_NE(line.find("held 75.0 %"), std::string::npos) << line;
    EXPECT_NE(line.find("2 were throttled"), std::string::npos) << line;
}

}  // namespace
}  // namespace weir::observe
