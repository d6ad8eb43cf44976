// Orders of operators: pause a client.
#include "policy/overrides.h"

#include "engine_world.h"

namespace weir {
namespace {

using policy::Overrides;

class PauseTest : public EngineTest {
protected:
    PauseTest() {
        quota(1'000'000);
        route({{"us-east-1", ""}, {"us-west-2", ""}});
    }
    void pause(std::string client, Duration lasts, std::string by = "operator") {
        EXPECT_TRUE(engine().pause({.client = std::move(client),
                                    .lasts = lasts,
                                    .reason = "runs away",
                                    .by = std::move(by)},
                                   now));
    }
    Call of(std::string_view client, std::string_view invocation = {}) {
        Call c = call();
        c.client = client;
        c.invocation = invocation;
        return c;
    }
};

TEST_F(PauseTest, APausedClientIsRefusedAndOthersAreNot) {
    pause("a", 15min);
    const Decision d = offer(of("a"));
    EXPECT_EQ(refused(d).reason, RefusalReason::paused);
    EXPECT_EQ(refused(d).retry_after, 15min);
    EXPECT_TRUE(granted(offer(of("b"))));
    EXPECT_TRUE(granted(offer(of("")))) << "who has no name is not meant";
    ASSERT_EQ(engine().status(now).paused.size(), 1U);
    EXPECT_EQ(engine().status(now).paused[0].client, "a");
    EXPECT_EQ(engine().status(now).paused[0].reason, "runs away");
    now += 5min;
    EXPECT_EQ(engine().status(now).paused[0].lasts, 10min);
    pause("a", 0s);
    EXPECT_TRUE(engine().status(now).paused.empty());
    EXPECT_TRUE(granted(offer(of("a"))));
}

TEST_F(PauseTest, CallsWithoutANameAreThoseOfNone) {
    pause("none", 15min);
    EXPECT_EQ(refused(offer(of(""))).reason, RefusalReason::paused);
    EXPECT_TRUE(granted(offer(of("a"))));
}

TEST_F(PauseTest, ItEndsByItselfAndSaysSo) {
    pause("a", 1min);
    pause("b", 2min);
    now += 1min - 1ns;
    EXPECT_EQ(refused(offer(of("a"))).reason, RefusalReason::paused);
    advance();
    EXPECT_EQ(engine().next_wake(), now + 1ns) << "the end of an order wakes the driver";
    now += 1ns;
    advance();
    EXPECT_TRUE(granted(offer(of("a"))));
    EXPECT_EQ(refused(offer(of("b"))).reason, RefusalReason::paused);
    const auto notices = engine().take_notices();
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_EQ(notices[0], "client a is no longer paused by operator: its time is over");
}

TEST_F(PauseTest, ItsWaitingCallsAreRefusedToo) {
    config.quotas.clear();
    quota(1000);
    config.routes.clear();
    route({{"us-east-1", ""}});
    Call first = call(900);
    first.client = "b";
    EXPECT_TRUE(granted(offer(first)));
    Call paused = call(900);
    paused.client = "a";
    Call other = call(900);
    other.client = "b";
    EXPECT_TRUE(waits(offer(paused)));
    EXPECT_TRUE(waits(offer(other)));
    pause("a", 1min);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, paused.id);
    EXPECT_EQ(refused(woken[0].decision).reason, RefusalReason::paused);
    EXPECT_EQ(engine().status(now).waiting_calls, 1U);
}

TEST_F(PauseTest, WhatIsUnderWayGoesOnAndIsNotSentAgain) {
    const Call served = of("a");
    const Call failed = of("a");
    EXPECT_TRUE(granted(offer(served)));
    EXPECT_TRUE(granted(offer(failed)));
    pause("a", 1min);
    succeed(served);
    Failure f;
    f.cls = FailureClass::capacity;
    f.status = 503;
    f.stage = Stage::sent;
    engine().sent(failed.id, now);
    EXPECT_EQ(refused(engine().report(failed.id, f, now)).reason, RefusalReason::paused);
    EXPECT_EQ(engine().status(now).in_flight, 0U);
}

TEST_F(PauseTest, ARefusalDoesNotOutliveIt) {
    pause("a", 10min);
    EXPECT_EQ(refused(offer(of("a", "i"))).reason, RefusalReason::paused);
    EXPECT_FALSE(engine().refused("a", "i", now)) << "no other instance is to repeat it";
    now += 2min;  // longer than the call's own patience
    EXPECT_EQ(refused(offer(of("a", "i"))).retry_after, 8min);
    pause("a", 0s);
    // Not even where it has to wait: what it was told is not repeated from memory.
    config.quotas.clear();
    quota(1000);
    config.routes.clear();
    route({{"us-east-1", ""}});
    engine().reconfigure(config, now);
    Call first = call(900);
    first.client = "b";
    EXPECT_TRUE(granted(offer(first)));
    Call again = call(900);
    again.client = "a";
    again.invocation = "i";
    EXPECT_TRUE(waits(offer(again)));
}

TEST_F(PauseTest, ARefusalForWantOfRoomIsNoWayRoundIt) {
    config.quotas.clear();
    quota(1000);
    config.routes.clear();
    route({{"us-east-1", ""}});
    Call first = call(900);
    first.client = "b";
    EXPECT_TRUE(granted(offer(first)));
    Call c = call(900);
    c.client = "a";
    c.invocation = "i";
    c.deadline = 1s;
    EXPECT_TRUE(waits(offer(c)));
    now += 1s;
    ASSERT_EQ(advance().size(), 1U) << "its deadline";
    engine().cancel(first.id, std::nullopt, now);
    pause("a", 10min);
    c.id = call().id;
    EXPECT_FALSE(granted(offer(c))) << "though there is room";
    pause("a", 0s);
    c.id = call().id;
    EXPECT_TRUE(granted(offer(c)));
}

TEST_F(PauseTest, PassedOnRequestsAreRefusedToo) {
    pause("a", 1min);
    const auto no = engine().count_request("a", now);
    ASSERT_TRUE(no);
    EXPECT_EQ(no->reason, RefusalReason::paused);
    EXPECT_EQ(no->retry_after, 1min);
    EXPECT_FALSE(engine().count_request("b", now));
    pause("a", 0s);
    EXPECT_FALSE(engine().count_request("a", now));
}

TEST_F(PauseTest, EachTakesBackItsOwn) {
    pause("a", 10min);
    pause("a", 20min, "alarm x");
    EXPECT_EQ(refused(offer(of("a"))).retry_after, 20min) << "the longer one counts";
    pause("a", 0s, "alarm x");
    EXPECT_EQ(refused(offer(of("a"))).retry_after, 10min);
    pause("a", 5min);
    EXPECT_EQ(refused(offer(of("a"))).retry_after, 5min) << "the later one replaces it";
    ASSERT_EQ(engine().status(now).paused.size(), 1U);
}

TEST_F(PauseTest, AReloadKeepsIt) {
    pause("a", 10min);
    auto other = config;
    other.queue.max_waiting = 5;
    engine().reconfigure(other, now);
    EXPECT_EQ(refused(offer(of("a"))).reason, RefusalReason::paused);
}

TEST(Overrides, PausesAreBounded) {
    Overrides orders;
    const Instant now = Instant{} + 1000s;
    for (std::size_t i = 0; i < Overrides::kMost; ++i) {
        EXPECT_TRUE(orders.pause({.client = "c" + std::to_string(i), .lasts = 1min}, now));
    }
    EXPECT_FALSE(orders.pause({.client = "one-more", .lasts = 1min}, now));
    EXPECT_TRUE(orders.pause({.client = "one-more"}, now)) << "nothing to take back";
    EXPECT_TRUE(orders.pause({.client = "c7", .lasts = 2min}, now)) << "in its place";
    EXPECT_EQ(orders.next_end(), now + 1min);
    EXPECT_EQ(orders.paused_until("c7", now), now + 2min);
    EXPECT_EQ(orders.paused_until("c", now), Instant::min());
    EXPECT_EQ(orders.expire(now + 1min).size(), Overrides::kMost - 1);
    EXPECT_EQ(orders.paused(now + 1min).size(), 1U);
    EXPECT_TRUE(orders.pause({.client = "one-more", .lasts = 1min}, now + 1min));
}

}  // namespace
}  // namespace weir
