// The engine's rooms without the engine: a configuration, its accounts, and records of calls as the
// engine makes them, for tests that drive a room by hand.
#pragma once

#include <gtest/gtest.h>

#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/accounts.h"
#include "unit/given.h"

namespace weir::policy {

using namespace std::chrono_literals;

class RoomsTest : public ::testing::Test {
protected:
    RoomsTest() {
        config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        config.default_region = "us-east-1";
        config.models.add("anthropic.claude-sonnet",
                          {Family::anthropic, 5, 64'000, 200'000, false});
        config.models.add("anthropic.claude-haiku", {Family::anthropic, 5, 1000, 200'000, false});
    }

    QuotaConfig& quota(std::uint64_t tokens, std::vector<std::string> models = {kSonnet}) {
        QuotaConfig q;
        q.models = std::move(models);
        q.tokens_per_minute = tokens;
        return config.quotas.emplace_back(std::move(q));
    }
    RouteConfig& route(std::vector<RouteTarget> targets) {
        RouteConfig r;
        r.model = kSonnet;
        r.targets = std::move(targets);
        return config.routes.emplace_back(std::move(r));
    }
    ClientConfig& client(const std::string& name) {
        ClientConfig c;
        c.name = name;
        return config.clients.emplace_back(std::move(c));
    }

    Accounts& accounts() {
        if (!accounts_) {
            accounts_.emplace(config);
        }
        return *accounts_;
    }

    struct Asks {
        std::string client = "c";
        std::string model = kSonnet;
        std::uint64_t input = 0;
        std::optional<std::uint64_t> max_output = 100;
        Priority priority = Priority::standard;
        Duration patience = 60s;
        Reach reach = Reach::runtime;
        bool converse = true;
    };
    CallRecord& call(const Asks& asks) {
        Call c;
        c.client = asks.client;
        c.model = asks.model;
        c.home_region = "us-east-1";
        c.reach = asks.reach;
        c.converse = asks.converse;
        CallRecord& r = records_.emplace_back();
        r.id = CallId{0, 0, static_cast<std::uint32_t>(records_.size())};
        r.asked.priority = asks.priority;
        r.asked.input = Input(asks.input);
        r.asked.max_output = asks.max_output;
        r.arrival = now;
        r.deadline = now + asks.patience;
        r.client = accounts().client_for(asks.client);
        ++r.client->calls;
        r.path = accounts().path_of(c, *r.client, now).path;
        ++r.path->refs;
        return r;
    }
    CallRecord& call() { return call(Asks()); }
    static TargetState& target(const CallRecord& call, std::size_t index = 0) {
        return *call.path->targets[index].state;
    }
    static std::uint64_t used(const TargetState& target, LimitKind kind = LimitKind::tokens) {
        return target.pool->meter(kind).used();
    }

    /// The call's attempt begins at `index`, and is sent.
    void begin(CallRecord& call, std::size_t index = 0) {
        accounts().reserve(call, index, held_cost(call, target(call, index), index));
        Accounts::sent(call, now);
        call.state = CallState::sent;
    }
    /// The call ends as the engine lets it end.
    void forget(CallRecord& call) {
        --call.path->refs;
        --call.client->calls;
        accounts().let_go_mentioned(call);
        call.state = CallState::idle;
    }
    /// Answers of so many tokens teach the target's estimator.
    void answers(int count, std::uint64_t output, const Asks& asks) {
        for (int i = 0; i < count; ++i) {
            CallRecord& r = call(asks);
            begin(r);
            now += 1s;
            Accounts::settle(r, Usage{asks.input, output, 0, 0, true}, now);
            accounts().leave(r);
            forget(r);
        }
    }

    Config config;
    Instant now = Instant{} + 1000s;
    Random random{1};

private:
    std::optional<Accounts> accounts_;
    std::list<CallRecord> records_;
};

}  // namespace weir::policy
