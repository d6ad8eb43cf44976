// What a client, a quota and a Region may have at once.
#include "unit/policy/engine_world.h"

namespace weir {
namespace {

TEST_F(EngineTest, AClientsOwnLimitHoldsOnlyThatClientBack) {
    ClientConfig c;
    c.name = "c";
    c.requests_per_minute = 1;
    config.clients = {c};
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    const Refusal r = refused(offer(call()));
    EXPECT_EQ(r.reason, RefusalReason::client_limit) << "its minute ends after max_wait";
    EXPECT_EQ(r.limit_kind, LimitKind::requests);
    EXPECT_EQ(r.model, "this client");
    EXPECT_EQ(r.used, 1U);
    EXPECT_GT(r.retry_after, 45s);
    Call other = call();
    other.client = "d";
    EXPECT_TRUE(granted(offer(other)));
}

TEST_F(EngineTest, ACallWhoseMarginAloneExceedsItsClientsLimitIsServed) {
    ClientConfig c;
    c.name = "c";
    c.tokens_per_minute = 8000;
    config.clients = {c};
    Call large = call(1000);
    large.input_estimate = 6500;  // held: times the cold margin of 1.35
    EXPECT_TRUE(granted(offer(large)));
}

TEST_F(EngineTest, ASmallCallPassesALargeOneThatItsClientsLimitHoldsBack) {
    ClientConfig c;
    c.name = "c";
    c.tokens_per_minute = 8000;
    config.clients = {c};
    const Call first = call(4000);
    ASSERT_TRUE(granted(offer(first)));
    engine().sent(first.id, now);
    now += 30s;
    ASSERT_TRUE(waits(offer(call(6000))));
    EXPECT_TRUE(advance().empty());
    const Call small = call(500);
    ASSERT_TRUE(waits(offer(small)));
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, small.id);
    EXPECT_TRUE(granted(woken[0].decision));
}

TEST_F(EngineTest, CallsUnderWayOfAClientAreBounded) {
    ClientConfig c;
    c.name = "c";
    c.max_in_flight = 1;
    config.clients = {c};
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    const Call b = call();
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    Call other = call();
    other.client = "d";
    EXPECT_TRUE(granted(offer(other)));
    const ClientStatus status = engine().status(now).clients[0];
    ASSERT_EQ(status.limits.size(), 1U);
    EXPECT_EQ(status.limits[0].kind, LimitKind::in_flight);
    EXPECT_EQ(status.limits[0].used, 1U);
    engine().reconfigure(config, now);
    EXPECT_TRUE(advance().empty()) << "kept over a reload";
    succeed(a);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, b.id);
    // The limit is named to one who waited in vain.
    ASSERT_TRUE(waits(offer(call())));
    now += 46s;
    const auto late = advance();
    ASSERT_EQ(late.size(), 1U);
    const Refusal r = std::get<Refusal>(late[0].decision);
    EXPECT_EQ(r.reason, RefusalReason::client_limit);
    EXPECT_EQ(r.limit_kind, LimitKind::in_flight);
}

TEST_F(EngineTest, AClientWithBothLimitsWaitsForTheEndOfACall) {
    ClientConfig c;
    c.name = "c";
    c.max_in_flight = 1;
    c.requests_per_minute = 100;
    config.clients = {c};
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(waits(offer(call())));
    EXPECT_TRUE(advance().empty());
    now += 1s;
    EXPECT_TRUE(advance().empty());
    succeed(a);
    EXPECT_EQ(advance().size(), 1U);
}

TEST_F(EngineTest, CallsUnderWayOfAQuotaAreBounded) {
    quota(1'000'000);
    config.quotas[0].max_in_flight = 1;
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    Call b = call();
    b.client = "d";
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    const auto limits = engine().status(now).targets[0].limits;
    EXPECT_EQ(limits.back().kind, LimitKind::in_flight);
    EXPECT_EQ(limits.back().limit, 1U);
    succeed(a);
    EXPECT_EQ(advance().size(), 1U);
    ASSERT_TRUE(waits(offer(call())));
    now += 46s;
    const auto late = advance();
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(std::get<Refusal>(late[0].decision).limit_kind, LimitKind::in_flight);
}

TEST_F(EngineTest, ConnectionsOfARegionAreBounded) {
    config.pool.max_connections = 1;
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    Call b = call();
    b.client = "d";
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    succeed(a);
    EXPECT_EQ(advance().size(), 1U);
}

}  // namespace
}  // namespace weir
