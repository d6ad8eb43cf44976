// A small world round the engine, for tests of its promises one at a time.
#pragma once

#include <gtest/gtest.h>
#include <weir/engine.h>

#include "unit/given.h"

namespace weir {

using namespace std::chrono_literals;

inline Config regions(int count) {
    Config c;
    c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
    c.default_region = "us-east-1";
    if (count > 1) {
        RouteConfig r;
        r.model = kSonnet;
        r.targets = {{"us-east-1", ""}, {"us-west-2", ""}};
        c.routes.push_back(r);
    }
    return c;
}

class EngineTest : public ::testing::Test {
protected:
    EngineTest() {
        config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        config.default_region = "us-east-1";
        config.models.add("anthropic.claude-haiku", {Family::anthropic, 5, 1000, 200'000, false});
    }

    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    void quota(std::uint64_t tokens, std::optional<std::uint64_t> requests = {}) {
        QuotaConfig q;
        q.models = {kSonnet};
        q.tokens_per_minute = tokens;
        q.requests_per_minute = requests;
        config.quotas.push_back(q);
    }
    void route(std::vector<RouteTarget> targets) {
        RouteConfig r;
        r.model = kSonnet;
        r.targets = std::move(targets);
        config.routes.push_back(r);
    }
    Call call(std::uint64_t max_output = 100) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = "c";
        c.model = kSonnet;
        c.home_region = "us-east-1";
        c.input_estimate = 0;
        c.max_output = max_output;
        c.arrival = now;
        return c;
    }
    Decision offer(const Call& c) { return engine().offer(c, now); }
    static bool granted(const Decision& d) { return std::holds_alternative<Grant>(d); }
    static bool waits(const Decision& d) { return std::holds_alternative<Wait>(d); }
    static const Refusal& refused(const Decision& d) { return std::get<Refusal>(d); }
    std::vector<Wake> advance() {
        std::vector<Wake> woken;
        engine().advance(now, woken);
        return woken;
    }
    Decision fail(const Call& c, FailureClass cls, int status = 503, Stage stage = Stage::sent) {
        Failure f;
        f.cls = cls;
        f.stage = stage;
        f.status = status;
        f.message = std::to_string(status);
        engine().sent(c.id, now);
        return engine().report(c.id, f, now);
    }
    void succeed(const Call& c) {
        engine().sent(c.id, now);
        engine().began(c.id, now);
        engine().settle(c.id, Usage{0, 1, 0, 0, true}, now);
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

}  // namespace weir
