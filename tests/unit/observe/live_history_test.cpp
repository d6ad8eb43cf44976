// What the page is told: counts read from metrics, rates and latencies over time, a frame's JSON.
#include "observe/live_history.h"
#include "observe/live_frame.h"
#include "observe/metrics.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir::observe {
namespace {

using nlohmann::json;

RequestRecord request(std::string_view client, Outcome outcome, double seconds = 1) {
    RequestRecord record;
    record.model = "m";
    record.operation = "Converse";
    record.client = client;
    record.outcome = outcome;
    record.total_seconds = seconds;
    record.attempts = 1;
    record.region = "us-east-1";
    record.target_model = "m";
    record.quota_tokens = outcome == Outcome::ok ? 100 : 0;
    record.reserved = outcome == Outcome::ok ? 150 : 0;
    record.usage.known = outcome == Outcome::ok;
    return record;
}

struct World {
    World() {
        TargetStatus target;
        target.region = "us-east-1";
        target.model = "m";
        target.limits = {{LimitKind::requests, 0, 5, 1, false},
                         {LimitKind::tokens, 1000, 300, 100, true}};
        status.targets.push_back(target);
        status.clients.push_back({"chat", {}, 2});
        status.waiting.push_back({"m", Priority::interactive, 2});
        config.clients.resize(2);
        config.clients[0].name = "chat";
        config.clients[0].share = 3;
        config.clients[1].name = "idle";
    }
    LiveCounts counts() {
        Metrics::Gauges gauges;
        gauges.status = status;
        gauges.client_active = 3;
        return LiveCounts::of(metrics.collect(gauges));
    }
    void answered(int times, double seconds = 1) {
        for (int i = 0; i < times; ++i) {
            metrics.record(request("chat", Outcome::ok, seconds));
            metrics.count_attempt(target, AttemptResult::ok);
        }
    }
    json history(const LiveHistory& of, std::string_view kind, std::string_view name) {
        const auto text = history_json(of, kind, name, kHistorySpans[0]);
        return text ? json::parse(*text) : json();
    }
    static json last(const json& history, std::string_view column) {
        const auto& columns = history["columns"];
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (columns[i] == column) {
                return history["values"][i].back();
            }
        }
        return "no such column";
    }

    Metrics metrics{{"m"}, {"chat"}};
    Target target{"us-east-1", "m"};
    Status status;
    Config config;
};

TEST(LiveCounts, AreReadFromTheMetrics) {
    World world;
    world.answered(3);
    world.metrics.record(request("chat", Outcome::throttled));
    world.metrics.count_attempt(world.target, AttemptResult::throttled_tokens);
    world.metrics.count_attempt(world.target, AttemptResult::unavailable);
    const LiveCounts counts = world.counts();
    EXPECT_EQ(counts.outcomes.at("ok"), 3);
    EXPECT_EQ(counts.clients.at("chat").outcomes.at("throttled"), 1);
    EXPECT_EQ(counts.clients.at("chat").quota_tokens, 300);
    EXPECT_EQ(counts.clients.at("chat").unused_tokens, 150);
    EXPECT_EQ(counts.attempts.at({"default", "us-east-1", "m"}).at("unavailable"), 1);
    EXPECT_EQ(counts.attempts_with({"throttled_tokens", "unavailable"}), 2);
    EXPECT_EQ(counts.connections_active, 3);
    EXPECT_LT(counts.store_joined, 0) << "there is no store";
}

TEST(Quantiles, ComeFromWhatWasAddedBetweenTwoSamples) {
    const LiveCounts::Buckets before{{1, 10}, {2, 10}, {4, 10}, {1e300, 10}};
    const LiveCounts::Buckets now{{1, 10}, {2, 20}, {4, 30}, {1e300, 30}};
    const Quantiles both = quantiles(before, now);
    EXPECT_EQ(both.count, 20);
    EXPECT_DOUBLE_EQ(both.half, 2);
    EXPECT_DOUBLE_EQ(both.most, 3.8);
    EXPECT_FALSE(both.beyond);
    EXPECT_DOUBLE_EQ(quantiles({}, now).half, 1.5) << "none before";
    EXPECT_EQ(quantiles(now, now).count, 0);
    EXPECT_EQ(quantiles({}, {}).count, 0);
    const Quantiles slow = quantiles({}, {{1, 0}, {1e300, 7}});
    EXPECT_TRUE(slow.beyond);
    EXPECT_DOUBLE_EQ(slow.most, 1);
}

TEST(RecentLatencies, AreOfTheLastMinute) {
    World world;
    RecentLatencies latencies;
    EXPECT_TRUE(latencies.last_minute().empty());
    world.answered(10, 0.2);
    latencies.add(world.counts(), 1000);
    for (int t = 5; t <= 30; t += 5) {
        latencies.add(world.counts(), 1000 + t);
    }
    EXPECT_TRUE(latencies.last_minute().empty()) << "nothing was added since the first sample";
    world.answered(10, 20);
    latencies.add(world.counts(), 1035);
    EXPECT_EQ(latencies.last_minute().at("m").request.count, 10);
    EXPECT_GT(latencies.last_minute().at("m").request.half, 10);
    for (int t = 40; t <= 90; t += 5) {
        latencies.add(world.counts(), 1000 + t);
    }
    EXPECT_EQ(latencies.last_minute().at("m").request.count, 10);
    for (int t = 95; t <= 105; t += 5) {
        latencies.add(world.counts(), 1000 + t);
    }
    EXPECT_TRUE(latencies.last_minute().empty()) << "over a minute ago";
}

TEST(RecentLatencies, AreBoundedWhateverTheClockDoes) {
    World world;
    RecentLatencies latencies;
    for (int t = 0; t < 1000; ++t) {
        world.answered(1);
        latencies.add(world.counts(), 5000 - t);
    }
    EXPECT_LE(latencies.last_minute().at("m").request.count, 62);
}

TEST(LiveHistory, BeginsAnewWhereTheClockWasAhead) {
    World world;
    LiveHistory history;
    history.add(world.status, world.counts(), 10'000);
    history.add(world.status, world.counts(), 9'998);
    EXPECT_EQ(world.history(history, "total", "all")["end"], 10'000) << "a little is nothing";
    for (int t = 6'400; t <= 6'500; t += 5) {
        world.answered(10);
        history.add(world.status, world.counts(), t);
    }
    const auto all = world.history(history, "total", "all");
    EXPECT_EQ(all["end"], 6'500);
    EXPECT_EQ(World::last(all, "answered_per_second"), 2);
    EXPECT_LE(history.latencies().last_minute().at("m").request.count, 130);
}

TEST(LiveHistory, ATargetsArnAndAClientWithoutANameAreFoundInTheMetrics) {
    World world;
    LiveHistory history;
    world.target.model = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/p1";
    world.status.targets[0].model = world.target.model;
    world.status.clients[0].name = "";
    history.add(world.status, world.counts(), 1'000);
    world.answered(10);
    world.metrics.record(request("", Outcome::ok));
    history.add(world.status, world.counts(), 1'005);
    const auto target = world.history(history, "target", "default/us-east-1/" + world.target.model);
    EXPECT_EQ(World::last(target, "answered_per_second"), 2);
    EXPECT_EQ(World::last(world.history(history, "client", "none"), "waiting"), 2);
    EXPECT_TRUE(world.history(history, "client", "")["values"][0].empty());
}

TEST(LiveHistory, LargeFiguresKeepEveryDigit) {
    World world;
    world.status.targets[0].limits[1].limit = 430'086;
    LiveHistory history;
    history.add(world.status, world.counts(), 1'000);
    const auto target = world.history(history, "target", "default/us-east-1/m");
    EXPECT_EQ(World::last(target, "tokens_limit"), 430'086);
}

TEST(LiveHistory, HasRatesByTargetClientAndInAll) {
    World world;
    LiveHistory history;
    world.answered(100);
    history.add(world.status, world.counts(), 1'000'000);
    auto target = world.history(history, "target", "default/us-east-1/m");
    EXPECT_EQ(target["step_seconds"], 5);
    EXPECT_EQ(target["end"], 1'000'000);
    EXPECT_TRUE(World::last(target, "answered_per_second").is_null())
        << "what came before the first sample has no time";
    EXPECT_EQ(World::last(target, "tokens_used"), 300);
    EXPECT_EQ(World::last(target, "tokens_limit"), 1000);
    EXPECT_EQ(World::last(target, "requests_used"), 5);
    EXPECT_TRUE(World::last(target, "requests_limit").is_null()) << "not known yet";

    world.answered(10);
    world.metrics.count_attempt(world.target, AttemptResult::throttled_daily);
    world.metrics.count_attempt(world.target, AttemptResult::overloaded);
    world.metrics.record(request("chat", Outcome::throttled));
    world.status.targets[0].breaker = BreakerState::open;
    history.add(world.status, world.counts(), 1'000'005);
    target = world.history(history, "target", "default/us-east-1/m");
    EXPECT_EQ(World::last(target, "answered_per_second"), 2);
    EXPECT_NEAR(World::last(target, "throttled_per_second").get<double>(), 0.2, 1e-5);
    EXPECT_NEAR(World::last(target, "unavailable_per_second").get<double>(), 0.2, 1e-5);
    EXPECT_EQ(World::last(target, "breaker"), 2);
    const auto all = world.history(history, "total", "all");
    EXPECT_EQ(World::last(all, "answered_per_second"), 2);
    EXPECT_NEAR(World::last(all, "refused_per_second").get<double>(), 0.2, 1e-5);
    EXPECT_EQ(World::last(all, "waiting_interactive"), 2);
    const auto client = world.history(history, "client", "chat");
    EXPECT_EQ(World::last(client, "quota_tokens_per_second"), 200);
    EXPECT_EQ(World::last(client, "waiting"), 2);
    EXPECT_GT(World::last(world.history(history, "model", "m"), "request_half").get<double>(), 0);

    const auto unknown = world.history(history, "target", "elsewhere");
    EXPECT_EQ(unknown["columns"].size(), unknown["values"].size());
    EXPECT_TRUE(unknown["values"][0].empty());
    EXPECT_TRUE(world.history(history, "planet", "all").is_null());
    EXPECT_LT(history.most_bytes(), 16U << 20) << "docs/operations.md says 13 MB";
    EXPECT_LT(history.bytes(), history.most_bytes());
}

TEST(LiveFrame, JoinsWhatIsConfiguredWithWhatHappens) {
    World world;
    world.answered(2);
    world.metrics.record(request("other-program", Outcome::client_error));
    LiveFrame frame;
    frame.unix_ms = 1'700'000'000'123;
    frame.instance = "weir-1";
    frame.config = &world.config;
    frame.reload_offered = true;
    frame.incidents = R"({"watched":false,"incidents":[]})";
    RecentLatencies latencies;
    latencies.add(world.counts(), 1);
    const std::string text = live_frame_json(frame, world.status, world.counts(), latencies);
    EXPECT_EQ(text.find('\n'), std::string::npos) << "an event is one line";
    const json out = json::parse(text);
    EXPECT_EQ(out["time_ms"], 1'700'000'000'123);
    EXPECT_EQ(out["mode"], "enforce");
    EXPECT_EQ(out["quota_window_seconds"], 60);
    EXPECT_TRUE(out["reload"]);
    EXPECT_TRUE(out["store"].is_null());
    EXPECT_EQ(out["connections"]["active"], 3);
    EXPECT_EQ(out["incidents"]["watched"], false);
    EXPECT_EQ(out["status"]["targets"][0]["limits"][1]["used"], 300);
    EXPECT_TRUE(out["status"]["clients"].empty());
    ASSERT_EQ(out["clients"].size(), 3);
    EXPECT_EQ(out["clients"][0]["name"], "chat");
    EXPECT_EQ(out["clients"][0]["share"], 3);
    EXPECT_EQ(out["clients"][0]["priority"], "standard");
    EXPECT_EQ(out["clients"][0]["waiting"], 2);
    EXPECT_EQ(out["clients"][0]["outcomes"]["ok"], 2);
    EXPECT_EQ(out["clients"][0]["unused_tokens"], 100);
    EXPECT_EQ(out["clients"][1]["name"], "idle");
    EXPECT_FALSE(out["clients"][1].contains("outcomes"));
    EXPECT_EQ(out["clients"][2]["name"], "other");
    EXPECT_EQ(out["counts"]["outcomes"]["ok"], 2);
    EXPECT_EQ(out["counts"]["attempts"][0]["results"]["ok"], 2);
    EXPECT_EQ(out["latency"][0]["request"]["count"], 3);
    EXPECT_TRUE(out["latency"][0]["first_token"].is_null());
}

TEST(LiveFrame, TargetsOfRoutesAreThereBeforeTheirFirstCall) {
    World world;
    Config config;
    config.quota_share = 0.5;
    RouteConfig route;
    route.model = "m";
    route.targets.resize(3);
    route.targets[0].region = "us-east-1";
    route.targets[1].region = "us-west-2";
    route.targets[2].region = "us-west-2";
    route.targets[2].model = "small";
    config.routes = {route, route};
    QuotaConfig quota;
    quota.models = {"m"};
    quota.tokens_per_minute = 1'000;
    config.quotas.push_back(quota);
    Status status;
    TargetStatus used;
    used.region = "us-east-1";
    used.model = "m";
    status.targets.push_back(used);
    LiveFrame frame;
    frame.config = &config;
    frame.incidents = "{}";
    const json out = json::parse(live_frame_json(frame, status, world.counts(), {}));
    ASSERT_EQ(out["unused"].size(), 2) << "each once, and none that has been used";
    EXPECT_EQ(out["unused"][0]["region"], "us-west-2");
    EXPECT_EQ(out["unused"][0]["account"], "default");
    ASSERT_EQ(out["unused"][0]["limits"].size(), 1);
    EXPECT_EQ(out["unused"][0]["limits"][0]["limit"], 500);
    EXPECT_EQ(out["unused"][1]["model"], "small");
    EXPECT_TRUE(out["unused"][1]["limits"].empty());
}

TEST(LiveName, NamesEndpointAndTierOnlyWhereTheyAreNotTheUsualOnes) {
    TargetStatus target;
    target.region = "us-east-1";
    target.model = "m";
    EXPECT_EQ(live_name(target), "default/us-east-1/m");
    target.account = "prod";
    target.endpoint = Endpoint::mantle;
    target.tier = Tier::reserved;
    EXPECT_EQ(live_name(target), "prod/us-east-1/m/mantle/reserved");
}

}  // namespace
}  // namespace weir::observe
