// Who of the waiting goes first: orders, backfilling, weighted targets.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <map>

namespace weir {
namespace {

using namespace std::chrono_literals;

class OrderTest : public ::testing::Test {
protected:
    OrderTest() {
        config.regions = {{"r", {}}, {"s", {}}, {"t", {}}};
        config.default_region = "r";
        // A client's own limit slides exactly: no shape to be found out, no probes.
        ClientConfig client;
        client.name = "c";
        config.clients.push_back(client);
    }
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    Call call(std::uint64_t max_output) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = "c";
        c.model = "m";
        c.home_region = "r";
        c.max_output = max_output;
        c.arrival = now;
        return c;
    }
    void limit(std::uint64_t tokens) { config.clients[0].tokens_per_minute = tokens; }
    /// Ids granted while time runs on, each answered at once with all it holds.
    std::vector<std::uint64_t> drain(Duration length) {
        std::vector<std::uint64_t> order;
        const Instant end = now + length;
        for (; now <= end; now += 100ms) {
            std::vector<Wake> woken;
            engine().advance(now, woken);
            for (const Wake& w : woken) {
                if (std::holds_alternative<Grant>(w.decision)) {
                    order.push_back(w.id.generation);
                    engine().sent(w.id, now);
                    engine().settle(w.id, Usage{0, 0, 0, 0, false}, now);
                }
            }
        }
        return order;
    }
    /// A quota of 10,000 that is used up, after calls that have usually cost 20.
    void use_up_quota(const std::string& order) {
        QuotaConfig quota;
        quota.models = {"m"};
        quota.tokens_per_minute = 10'000;
        config.quotas.push_back(quota);
        config.queue.order = order;
        for (int i = 0; i < 20; ++i) {
            const Call c = call_of(10);
            ASSERT_TRUE(granted(c));
            engine().sent(c.id, now);
            engine().settle(c.id, Usage{10, 10, 0, 0, true}, now);
        }
        now += 2min;
        fill(9950);
    }
    Call call_of(std::uint64_t input) {
        Call c = call(10);
        c.input_estimate = input;
        return c;
    }
    std::vector<CallId> refused_now() {
        std::vector<Wake> woken;
        engine().advance(now, woken);
        std::vector<CallId> ids;
        for (const Wake& w : woken) {
            if (std::holds_alternative<Refusal>(w.decision)) {
                ids.push_back(w.id);
            }
        }
        return ids;
    }
    bool granted(const Call& c) { return std::holds_alternative<Grant>(engine().offer(c, now)); }
    void fill(std::uint64_t tokens) {
        const Call c = call(tokens);
        ASSERT_TRUE(granted(c));
        engine().sent(c.id, now);
        engine().settle(c.id, Usage{0, 0, 0, 0, false}, now);
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

TEST_F(OrderTest, FifoServesInOrderOfArrival) {
    limit(1000);
    config.queue.max_wait = 10min;
    config.queue.deadline = 10min;
    fill(990);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(granted(call(400)));
        now += 1s;
    }
    EXPECT_EQ(drain(3min), (std::vector<std::uint64_t>{2, 3, 4}));
}

TEST_F(OrderTest, AnSdksRetryTakesItsOldPlace) {
    limit(1000);
    config.queue.max_wait = 10min;
    config.queue.deadline = 10min;
    fill(990);
    Call first = call(900);
    first.invocation = "a";
    EXPECT_FALSE(granted(first));
    now += 1s;
    EXPECT_FALSE(granted(call(900)));
    now += 1s;
    engine().cancel(first.id, std::nullopt, now);  // the SDK gives up this attempt
    Call again = call(900);
    again.invocation = "a";
    EXPECT_FALSE(granted(again));
    EXPECT_EQ(drain(3min), (std::vector<std::uint64_t>{4, 3}));
}

TEST_F(OrderTest, AdaptiveLifoServesTheNewestOnceTheQueueStands) {
    limit(1000);
    config.queue.order = "adaptive_lifo";
    config.queue.max_wait = 10min;
    config.queue.deadline = 150s;
    fill(990);
    EXPECT_FALSE(granted(call(900)));  // 2
    now += 5s;
    EXPECT_FALSE(granted(call(900)));  // 3, still in order
    now += 40s;
    EXPECT_FALSE(granted(call(900)));  // 4: a quarter of the patience has gone by
    const auto order = drain(3min);
    ASSERT_GE(order.size(), 2U);
    EXPECT_EQ(order[0], 4U);
    EXPECT_EQ(order[1], 2U);
}

TEST_F(OrderTest, SmallFirstPassesOverALargeCallButNotForEver) {
    limit(1000);
    config.queue.order = "small_first";
    config.queue.max_wait = 10min;
    config.queue.deadline = 60s;
    for (int i = 0; i < 20; ++i) {  // what calls usually cost
        const Call c = call(10);
        ASSERT_TRUE(granted(c));
        engine().sent(c.id, now);
        engine().settle(c.id, Usage{10, 0, 0, 0, true}, now);
    }
    now += 2min;
    fill(990);
    Call large = call(10);
    large.input_estimate = 700;
    EXPECT_FALSE(granted(large));
    const std::uint64_t large_id = generation;
    now += 1s;
    EXPECT_FALSE(granted(call(10)));
    const auto order = drain(90s);
    ASSERT_FALSE(order.empty());
    EXPECT_NE(order[0], large_id);
}

TEST_F(OrderTest, ALargeCallMakesWayForASmallOneWhenTheQueueIsFull) {
    use_up_quota("small_first");
    const Call large = call_of(700);
    ASSERT_TRUE(std::holds_alternative<Wait>(engine().offer(large, now)));
    EXPECT_TRUE(std::holds_alternative<Wait>(engine().offer(call_of(20), now)));
    EXPECT_EQ(refused_now(), std::vector{large.id}) << "told now, not at its deadline";
}

TEST_F(OrderTest, ACallThatWouldStandLastMakesNobodyLeave) {
    use_up_quota("small_first");
    ASSERT_TRUE(std::holds_alternative<Wait>(engine().offer(call_of(20), now)));
    EXPECT_TRUE(std::holds_alternative<Refusal>(engine().offer(call_of(700), now)));
    EXPECT_TRUE(refused_now().empty());
}

TEST_F(OrderTest, FirstComeIsNeverTurnedOutForTheNext) {
    use_up_quota("fifo");
    ASSERT_TRUE(std::holds_alternative<Wait>(engine().offer(call_of(700), now)));
    EXPECT_TRUE(std::holds_alternative<Refusal>(engine().offer(call_of(20), now)));
    EXPECT_TRUE(refused_now().empty());
}

TEST_F(OrderTest, BackfillsWithWhatLeavesTheHeadItsStart) {
    QuotaConfig quota;
    quota.models = {"m"};
    quota.tokens_per_minute = 10'000;
    config.quotas.push_back(quota);
    config.queue.max_wait = 10min;
    config.queue.deadline = 10min;
    fill(9000);
    now += 10s;
    const Call probe =
        call(2000);  // 2: its refusal leaves the sliding window, and no probe for now
    ASSERT_TRUE(granted(probe));
    engine().sent(probe.id, now);
    Failure full;
    full.cls = FailureClass::quota_tokens;
    full.stage = Stage::sent;
    engine().report(probe.id, full, now);
    engine().cancel(probe.id, std::nullopt, now);
    now += 1s;
    EXPECT_FALSE(granted(call(5000)));  // 3: waits for the 9000 to expire, which leaves 4900 spare
    EXPECT_FALSE(granted(call(800)));   // 4: fits now, and beside the head later
    EXPECT_EQ(drain(1s), (std::vector<std::uint64_t>{4}));
    EXPECT_FALSE(granted(call(850)));  // nothing is left for it now
    EXPECT_TRUE(drain(1s).empty());
}

TEST_F(OrderTest, WeightedNeighboursShareAndTheNextTargetWaits) {
    RouteConfig route;
    route.model = "m";
    route.targets = {{"r", "", 3}, {"s", "", 1}, {"t", "", 0}};
    config.routes.push_back(route);
    std::map<std::string, int> sent;
    std::vector<CallId> open;
    for (int i = 0; i < 400; ++i) {
        const Call c = call(10);
        const Decision d = engine().offer(c, now);
        const auto* g = std::get_if<Grant>(&d);
        ASSERT_NE(g, nullptr);
        ++sent[g->target->region];
    }
    EXPECT_EQ(sent["t"], 0);
    EXPECT_GT(sent["r"], 240);
    EXPECT_GT(sent["s"], 60);
    EXPECT_EQ(sent["r"] + sent["s"], 400);
}

}  // namespace
}  // namespace weir
