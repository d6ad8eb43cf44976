// Unfit targets, clients that leave, what a client may use, and where prompt caches are.
#include "unit/policy/engine_world.h"

#include <algorithm>
#include <set>

namespace weir {
namespace {

using namespace std::chrono_literals;

Config config_of(const std::vector<RouteTarget>& targets) {
    Config c;
    c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
    c.default_region = "us-east-1";
    if (!targets.empty()) {
        RouteConfig r;
        r.model = kSonnet;
        r.targets = targets;
        c.routes.push_back(r);
    }
    return c;
}

class TroubleTest : public ::testing::Test {
protected:
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    void quota(std::uint64_t tokens) {
        QuotaConfig q;
        q.models = {kSonnet};
        q.tokens_per_minute = tokens;
        config.quotas.push_back(q);
    }
    Call call(std::string_view client = "c", std::uint64_t max_output = 100) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = client;
        c.model = kSonnet;
        c.home_region = "us-east-1";
        c.max_output = max_output;
        c.arrival = now;
        return c;
    }
    /// The Region it was granted in; empty: it was not granted.
    static std::string where(const Decision& d) {
        const auto* grant = std::get_if<Grant>(&d);
        return grant == nullptr ? std::string() : grant->target->region;
    }
    Decision offer(const Call& c) {
        Decision d = engine().offer(c, now);
        if (std::holds_alternative<Wait>(d)) {  // for its turn, or for a later target's
            std::vector<Wake> woken;
            engine().advance(now, woken);
            if (woken.size() == 1 && woken[0].id == c.id) {
                d = woken[0].decision;
            }
        }
        return d;
    }
    Decision fail(const Call& c, FailureClass cls, int status, std::string message = "m") {
        Failure f;
        f.cls = cls;
        f.stage = Stage::sent;
        f.status = status;
        f.message = std::move(message);
        engine().sent(c.id, now);
        return engine().report(c.id, f, now, "r-" + std::to_string(c.id.generation));
    }
    void succeed(const Call& c, Usage usage = {10, 20, 0, 0, true}, Duration after = 1s) {
        engine().sent(c.id, now);
        now += after;
        engine().settle(c.id, usage, now);
    }
    std::uint64_t used(std::size_t target = 0) {
        const auto limits = engine().status(now).targets.at(target).limits;
        return std::ranges::find(limits, LimitKind::tokens, &LimitStatus::kind)->used;
    }
    std::uint64_t skipped(std::string_view reason) {
        std::uint64_t calls = 0;
        for (const SkippedStatus& s : engine().status(now).skipped) {
            calls += s.reason == reason ? s.calls : 0;
        }
        return calls;
    }

    Config config = regions(2);
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

TEST_F(TroubleTest, AFirstTargetThatDoesNotServeTheModelFallsOverAndSaysSoOnce) {
    struct Row {
        FailureClass cls;
        int status;
        const char* message;
        bool logged;
    };
    const Row rows[] = {
        {FailureClass::caller, 404, "This model version has reached the end of its life.", true},
        {FailureClass::caller, 403, "You don't have access to the model", true},
        {FailureClass::slow_model, 408, "Model timed out", true},
        {FailureClass::caller, 400,
         "Invocation of model ID x with on-demand throughput isn\u2019t supported.", true},
    };
    for (const Row& row : rows) {
        engine_.reset();
        for (int i = 0; i < 2; ++i) {
            const Call a = call();
            ASSERT_EQ(where(offer(a)), "us-east-1");
            EXPECT_EQ(where(fail(a, row.cls, row.status, row.message)), "us-west-2") << row.status;
            succeed(a);
            EXPECT_EQ(engine().take_notices().size(), row.logged && i == 0 ? 1U : 0U) << row.status;
        }
    }
}

TEST_F(TroubleTest, WithoutAnotherTargetItGoesBackAsItCame) {
    config = regions(1);
    for (const auto& [cls, status] :
         {std::pair(FailureClass::caller, 404), std::pair(FailureClass::caller, 403),
          std::pair(FailureClass::slow_model, 408)}) {
        const Call a = call();
        ASSERT_EQ(where(offer(a)), "us-east-1");
        const Decision d = fail(a, cls, status);
        ASSERT_TRUE(std::holds_alternative<Refusal>(d));
        EXPECT_EQ(std::get<Refusal>(d).upstream->status, status);
        EXPECT_TRUE(engine().take_notices().empty());
        EXPECT_FALSE(engine().status(now).targets[0].misconfigured);
    }
}

TEST_F(TroubleTest, ACallThatNoTargetKnowsIsTheCallersErrorAsTheFirstSaidIt) {
    for (int i = 0; i < 20; ++i) {
        const Call a = call(i % 2 == 0 ? "a" : "b");
        ASSERT_EQ(where(offer(a)), "us-east-1");
        ASSERT_EQ(where(fail(a, FailureClass::caller, 404, "file-x not found in east")),
                  "us-west-2");
        const Decision d = fail(a, FailureClass::caller, 404, "file-x not found in west");
        ASSERT_TRUE(std::holds_alternative<Refusal>(d));
        EXPECT_EQ(std::get<Refusal>(d).upstream->message, "file-x not found in east");
    }
    for (const TargetStatus& t : engine().status(now).targets) {
        EXPECT_FALSE(t.misconfigured) << t.region;
        EXPECT_EQ(t.breaker, BreakerState::closed);
    }
}

TEST_F(TroubleTest, OneCallsRefusalAtAFallbackPassesItOverForThatCallOnly) {
    const Call a = call("stranger");
    ASSERT_EQ(where(offer(a)), "us-east-1");
    ASSERT_EQ(where(fail(a, FailureClass::capacity, 503)), "us-west-2");
    EXPECT_NE(where(fail(a, FailureClass::caller, 404)), "us-west-2");
    EXPECT_FALSE(engine().status(now).targets[1].misconfigured);
    EXPECT_EQ(skipped("unfit"), 1U);
    const Call b = call("honest");
    ASSERT_EQ(where(offer(b)), "us-east-1");
    EXPECT_EQ(where(fail(b, FailureClass::capacity, 503)), "us-west-2");
}

TEST_F(TroubleTest, ATargetIsClosedWhenCallsOfSeveralClientsAgree) {
    for (const char* client : {"a", "b"}) {
        const Call c = call(client);
        ASSERT_EQ(where(offer(c)), "us-east-1");
        ASSERT_EQ(where(fail(c, FailureClass::caller, 404, "gone")), "us-west-2");
        succeed(c);
    }
    const Call c = call("c");
    EXPECT_EQ(where(offer(c)), "us-west-2");
    EXPECT_EQ(skipped("misconfigured"), 1U);
    const TargetStatus t = engine().status(now).targets[0];
    EXPECT_TRUE(t.misconfigured);
    EXPECT_TRUE(t.misconfigured_for_all);
    EXPECT_EQ(t.misconfigured_call, "r-2");
    EXPECT_EQ(t.misconfigured_client, "b");
    EXPECT_NE(t.misconfigured_cause.find("404"), std::string::npos);
    EXPECT_GT(t.misconfigured_for, 4min);
    now += 6min;
    EXPECT_EQ(where(offer(call("d"))), "us-east-1");
}

TEST_F(TroubleTest, TargetsThatAreAllClosedAreAskedAllTheSame) {
    for (int i = 0; i < 4; ++i) {
        // Each target refuses calls that the other one serves.
        const bool east = i % 2 == 0;
        Call c = call(i < 2 ? "a" : "b");
        c.home_region = "us-east-1";
        const std::string first = where(offer(c));
        ASSERT_FALSE(first.empty());
        if ((first == "us-east-1") == east) {
            fail(c, FailureClass::caller, 404);
        } else {
            fail(c, FailureClass::capacity, 503);
            fail(c, FailureClass::caller, 404);
        }
        engine().cancel(c.id, std::nullopt, now);
    }
    EXPECT_FALSE(where(offer(call("c"))).empty());
}

TEST_F(TroubleTest, ALeaverGivesBackWhatItDidNotUse) {
    config = regions(1);
    quota(100'000);
    for (int i = 0; i < 10; ++i) {  // 20 tokens of output a second
        const Call c = call("c", 100);
        ASSERT_EQ(where(offer(c)), "us-east-1");
        succeed(c, {10, 20, 0, 0, true}, 1s);
    }
    now += 5min;
    const Call a = call("c", 50'000);
    ASSERT_EQ(where(offer(a)), "us-east-1");
    engine().sent(a.id, now);
    EXPECT_GE(used(), 50'000U);
    now += 3s;
    engine().cancel(a.id, std::nullopt, now);
    // Three seconds and two more at 20 a second, at a burndown of 5.
    EXPECT_GE(used(), 500U);
    EXPECT_LE(used(), 600U);

    const Call seen = call("c", 50'000);
    ASSERT_EQ(where(offer(seen)), "us-east-1");
    engine().sent(seen.id, now);
    engine().began(seen.id, now);
    const std::uint64_t before = used();
    engine().cancel(seen.id, Usage{1000, 2000, 0, 0, false}, now);
    EXPECT_EQ(before - used(), 50'000U - (1000 + 5 * 2040));
}

TEST_F(TroubleTest, UntilSomethingIsLearnedALeaverKeepsItsHold) {
    config = regions(1);
    quota(100'000);
    const Call a = call("c", 50'000);
    ASSERT_EQ(where(offer(a)), "us-east-1");
    engine().sent(a.id, now);
    engine().cancel(a.id, std::nullopt, now);
    EXPECT_GE(used(), 50'000U);
}

TEST_F(TroubleTest, ARefusalThatOnlyTheWholeHoldExplainsKeepsHoldsForAnHour) {
    config = regions(1);
    quota(100'000);
    for (int i = 0; i < 10; ++i) {
        const Call c = call("c", 100);
        ASSERT_EQ(where(offer(c)), "us-east-1");
        succeed(c);
    }
    now += 5min;
    const auto leave = [&] {
        const Call a = call("c", 60'000);
        ASSERT_EQ(where(offer(a)), "us-east-1");
        engine().sent(a.id, now);
        now += 1s;
        engine().cancel(a.id, std::nullopt, now);
    };
    leave();
    ASSERT_LT(used(), 1'000U);
    const Call b = call("c", 60'000);
    ASSERT_EQ(where(offer(b)), "us-east-1");
    fail(b, FailureClass::quota_tokens, 429);
    engine().cancel(b.id, std::nullopt, now);
    now += 10min;
    leave();
    EXPECT_GE(used(), 60'000U);
    now += 1h;
    leave();
    EXPECT_LT(used(), 1'000U);
}

TEST_F(TroubleTest, AClientsRegionsAndModelsHoldOnEveryTarget) {
    config = config_of({RouteTarget{"us-east-1", ""}, RouteTarget{"us-west-2", ""},
                        RouteTarget{"us-east-1", kHaiku}});
    ClientConfig east;
    east.name = "east";
    east.regions = {"us-east-1"};
    ClientConfig sonnet;
    sonnet.name = "sonnet";
    sonnet.models = {"*claude-sonnet*"};
    config.clients = {east, sonnet};
    config.queue.max_wait = 2s;
    const auto tried = [&](std::string_view client) {
        std::set<std::string> places;
        const Call c = call(client);
        Decision d = offer(c);
        for (int i = 0; i < 50; ++i) {
            if (const auto* g = std::get_if<Grant>(&d)) {
                places.insert(g->target->region + (g->target->model == kHaiku ? " haiku" : ""));
                d = fail(c, FailureClass::capacity, 503);
            } else if (std::holds_alternative<Wait>(d)) {
                now = std::max(now, *engine().next_wake());
                std::vector<Wake> woken;
                engine().advance(now, woken);
                if (!woken.empty()) {
                    d = woken[0].decision;
                }
            } else {
                break;
            }
        }
        return places;
    };
    EXPECT_EQ(tried("east"), (std::set<std::string>{"us-east-1", "us-east-1 haiku"}));
    EXPECT_EQ(skipped("client_regions"), 1U);
    engine_.reset();
    EXPECT_EQ(tried("sonnet"), (std::set<std::string>{"us-east-1", "us-west-2"}));
    EXPECT_EQ(skipped("client_models"), 1U);
    engine_.reset();
    EXPECT_EQ(tried("anybody").size(), 3U);
}

TEST_F(TroubleTest, AnUnroutedCallStaysWithinItsClientsRegionsAndModels) {
    config = regions(1);
    ClientConfig west;
    west.name = "west";
    west.regions = {"us-west-2"};
    ClientConfig haiku;
    haiku.name = "haiku";
    haiku.models = {"anthropic.claude-haiku*"};
    config.clients = {west, haiku};
    for (const char* client : {"west", "haiku"}) {
        const Decision d = offer(call(client));
        ASSERT_TRUE(std::holds_alternative<Refusal>(d)) << client;
        EXPECT_EQ(std::get<Refusal>(d).reason, RefusalReason::no_target);
    }
}

TEST_F(TroubleTest, AReloadAppliesAClientsRegionsToCallsThatWait) {
    quota(1000);
    const Call hold_east = call("x", 990);
    const Call hold_west = call("x", 990);
    ASSERT_EQ(where(offer(hold_east)), "us-east-1");
    engine().sent(hold_east.id, now);
    ASSERT_EQ(where(offer(hold_west)), "us-west-2");
    engine().sent(hold_west.id, now);
    const Call waits = call("c", 900);
    ASSERT_TRUE(std::holds_alternative<Wait>(offer(waits)));
    ClientConfig client;
    client.name = "c";
    client.regions = {"us-east-1"};
    config.clients = {client};
    engine().reconfigure(config, now);
    engine().settle(hold_west.id, {1, 1, 0, 0, true}, now);
    std::vector<Wake> woken;
    engine().advance(now, woken);
    EXPECT_TRUE(woken.empty());
    engine().settle(hold_east.id, {1, 1, 0, 0, true}, now);
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(where(woken[0].decision), "us-east-1");
}

TEST_F(TroubleTest, AConversationStaysWhereItsPromptCacheIsWhileThatHasRoom) {
    config.pool.max_connections = 1;
    const InputMark first[] = {{.hash = 11, .counts = {}}};
    Call one = call();
    one.conversation = first;
    ASSERT_EQ(where(offer(one)), "us-east-1");
    ASSERT_EQ(where(fail(one, FailureClass::capacity, 503)), "us-west-2");
    succeed(one, {10, 20, 0, 2000, true});

    const InputMark next[] = {{.hash = 11, .counts = {}}, {.hash = 12, .counts = {}}};
    Call two = call();
    two.conversation = next;
    ASSERT_EQ(where(offer(two)), "us-west-2");
    EXPECT_EQ(engine().status(now).targets[1].cache_kept, 1U);

    Call three = call();  // while the target with the cache is full
    three.conversation = first;
    ASSERT_EQ(where(offer(three)), "us-east-1");
    EXPECT_EQ(engine().status(now).targets[0].cache_moved, 1U);
    succeed(three);
    succeed(two, {10, 20, 2000, 0, true});

    const Call other = call();
    EXPECT_EQ(where(offer(other)), "us-east-1") << "others are balanced as before";
    succeed(other);

    now += 4min;
    Call four = call();
    four.conversation = next;
    EXPECT_EQ(where(offer(four)), "us-west-2");
    succeed(four);
    now += 6min;
    Call five = call();
    five.conversation = next;
    EXPECT_EQ(where(offer(five)), "us-east-1") << "the cache is gone by now";
}

TEST_F(TroubleTest, WithoutPromptCacheAConversationIsBalancedAsAnyCall) {
    const InputMark marks[] = {{.hash = 11, .counts = {}}};
    Call one = call();
    one.conversation = marks;
    ASSERT_EQ(where(offer(one)), "us-east-1");
    ASSERT_EQ(where(fail(one, FailureClass::capacity, 503)), "us-west-2");
    succeed(one);
    Call two = call();
    two.conversation = marks;
    EXPECT_EQ(where(offer(two)), "us-east-1");
}

}  // namespace
}  // namespace weir
