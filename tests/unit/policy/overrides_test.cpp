// Orders of operators: close, drain and open targets, trip breakers, shed a class of calls.
#include "policy/overrides.h"

#include "engine_world.h"

namespace weir {
namespace {

using policy::Overrides;

class OverridesTest : public EngineTest {
protected:
    OverridesTest() {
        quota(1'000'000);
        route({{"us-east-1", ""}, {"us-west-2", ""}});
    }
    void hold(Hold what, std::string region, Duration lasts = 15min, std::string by = "operator",
              std::string model = {}) {
        EXPECT_TRUE(engine().hold({.hold = what,
                                   .targets = {std::move(region), std::move(model), {}},
                                   .lasts = lasts,
                                   .reason = "drill",
                                   .by = std::move(by)},
                                  now));
    }
    std::string place(const Decision& d) {
        const Grant* grant = std::get_if<Grant>(&d);
        return grant == nullptr ? "none" : grant->target->region;
    }
    std::string next_place() {
        const Call c = call();
        const Decision d = offer(c);
        const std::string where = place(d);
        if (granted(d)) {
            succeed(c);
        }
        return where;
    }
    const TargetStatus& east() {
        status = engine().status(now);
        return status.targets.front();
    }
    Status status;
};

TEST_F(OverridesTest, AClosedTargetGetsNothingUntilItsTimeIsOver) {
    EXPECT_EQ(next_place(), "us-east-1");
    hold(Hold::closed, "us-east-1");
    EXPECT_EQ(next_place(), "us-west-2");
    ASSERT_TRUE(east().held);
    EXPECT_EQ(east().held->hold, Hold::closed);
    EXPECT_EQ(east().held->reason, "drill");
    EXPECT_EQ(east().held->lasts, 15min);
    EXPECT_EQ(east().breaker, BreakerState::closed) << "the breaker knows nothing of it";
    now += 15min - 1ns;
    EXPECT_EQ(next_place(), "us-west-2");
    advance();
    EXPECT_EQ(engine().next_wake(), now + 1ns) << "the end of an order wakes the driver";
    now += 1ns;
    advance();
    EXPECT_EQ(next_place(), "us-east-1");
    EXPECT_FALSE(east().held);
    EXPECT_TRUE(engine().status(now).overrides.empty());
    ASSERT_EQ(engine().take_notices().size(), 1U);
    advance();
    EXPECT_EQ(engine().next_wake(), std::nullopt);
}

TEST_F(OverridesTest, ATargetThatIsMadeLaterIsClosedToo) {
    hold(Hold::closed, "us-east-1");
    EXPECT_EQ(next_place(), "us-west-2");
    auto other = config;
    other.queue.max_waiting = 5;
    engine().reconfigure(other, now);
    EXPECT_EQ(next_place(), "us-west-2") << "a reload keeps orders";
}

TEST_F(OverridesTest, WhoHasNoOtherTargetIsRefusedAtOnceAndTold) {
    hold(Hold::closed, "us-east-1");
    hold(Hold::closed, "us-west-2", 10min);
    const Decision d = offer(call());
    EXPECT_EQ(refused(d).reason, RefusalReason::closed);
    EXPECT_EQ(refused(d).retry_after, 10min);
    EXPECT_EQ(engine().release({"us-west-2", {}, {}}, {}, now), 1U);
    EXPECT_EQ(next_place(), "us-west-2");
}

TEST_F(OverridesTest, CallsThatWaitForAClosedTargetLeaveIt) {
    config.quotas.clear();
    quota(1000);
    config.routes.front().spill_after = 0ns;
    const Call first = call(900);
    const Call second = call(900);
    const Call waiting = call(900);
    EXPECT_EQ(place(offer(first)), "us-east-1");
    EXPECT_EQ(place(offer(second)), "us-west-2");
    EXPECT_TRUE(waits(offer(waiting)));
    hold(Hold::closed, "us-east-1");
    EXPECT_TRUE(advance().empty()) << "it waits for the other Region";
    hold(Hold::closed, "us-west-2");
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, waiting.id);
    EXPECT_EQ(refused(woken[0].decision).reason, RefusalReason::closed);
    succeed(first);  // what is under way ends as ever
    succeed(second);
    EXPECT_EQ(engine().status(now).in_flight, 0U);
}

TEST_F(OverridesTest, ACallWaitsForATargetThatOpensInTime) {
    hold(Hold::closed, "us-east-1", 5s);
    hold(Hold::closed, "us-west-2", 5min);
    const Call c = call();
    EXPECT_TRUE(waits(offer(c)));
    now += 5s;
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(place(woken[0].decision), "us-east-1");
}

TEST_F(OverridesTest, ADrainedTargetServesOnlyWhoHasNoOther) {
    hold(Hold::drain, "us-east-1");
    EXPECT_EQ(next_place(), "us-west-2");
    Call bound = call();
    bound.region_bound = true;
    const Decision d = offer(bound);
    EXPECT_EQ(place(d), "us-east-1");
    succeed(bound);
    hold(Hold::closed, "us-west-2");
    EXPECT_EQ(next_place(), "us-east-1") << "the other one is closed";
    const auto skipped = engine().status(now).skipped;
    EXPECT_TRUE(std::ranges::any_of(
        skipped, [](const SkippedStatus& s) { return std::string(s.reason) == "drained"; }));
}

TEST_F(OverridesTest, AnOpenTargetStaysInUseWhateverTheBreakerFinds) {
    config.routes.clear();
    route({{"us-east-1", ""}});
    const auto fail_often = [&] {
        for (int i = 0; i < 6; ++i) {
            const std::string client = "c" + std::to_string(i);
            Call c = call();
            c.client = client;
            if (granted(offer(c))) {
                Failure f;
                f.cls = FailureClass::capacity;
                f.status = 503;
                f.stage = Stage::sent;
                engine().sent(c.id, now);
                engine().report(c.id, f, now);
                engine().cancel(c.id, std::nullopt, now);
            }
        }
    };
    fail_often();
    EXPECT_EQ(east().breaker, BreakerState::open);
    hold(Hold::open, "us-east-1", 1min);
    EXPECT_EQ(east().breaker, BreakerState::closed);
    fail_often();
    EXPECT_EQ(east().breaker, BreakerState::closed);
    EXPECT_EQ(engine().trip({"us-east-1", {}, {}}, now), 0U) << "an alarm does not win over it";
    now += 1min;
    advance();
    fail_often();
    EXPECT_EQ(east().breaker, BreakerState::open) << "its time is over";
}

TEST_F(OverridesTest, AnOperatorsOrderWinsOverAnAlarms) {
    hold(Hold::open, "us-east-1");
    hold(Hold::closed, "us-east-1", 1h, "alarm a");
    EXPECT_EQ(next_place(), "us-east-1");
    EXPECT_EQ(engine().release({"us-east-1", {}, {}}, "operator", now), 1U);
    EXPECT_EQ(next_place(), "us-west-2");
    hold(Hold::closed, "us-east-1", 1h, "alarm b");
    EXPECT_EQ(engine().release({"us-east-1", {}, {}}, "alarm a", now), 1U);
    EXPECT_EQ(next_place(), "us-west-2") << "the other alarm has not gone";
    EXPECT_EQ(engine().release({"us-east-1", {}, {}}, {}, now), 1U);
    EXPECT_EQ(next_place(), "us-east-1");
}

TEST_F(OverridesTest, OpeningARegionOpensItsModelsAndNotTheReverse) {
    hold(Hold::closed, "us-east-1", 15min, "operator", kSonnet);
    EXPECT_EQ(engine().release({"us-east-1", kHaiku, {}}, {}, now), 0U);
    EXPECT_EQ(next_place(), "us-west-2");
    EXPECT_EQ(engine().release({"us-east-1", {}, {}}, {}, now), 1U);
    EXPECT_EQ(next_place(), "us-east-1");
    hold(Hold::closed, "us-east-1");
    EXPECT_EQ(engine().release({"us-east-1", kSonnet, {}}, {}, now), 0U);
    EXPECT_EQ(next_place(), "us-west-2");
}

TEST_F(OverridesTest, ATrippedBreakerIsClosedByProbes) {
    EXPECT_EQ(next_place(), "us-east-1");
    EXPECT_EQ(engine().trip({"us-east-1", {}, {}}, now), 1U);
    EXPECT_EQ(engine().trip({"us-east-1", {}, {}}, now), 0U) << "it is open";
    EXPECT_EQ(east().breaker, BreakerState::open);
    EXPECT_EQ(next_place(), "us-west-2");
    engine().probe({"us-east-1", {}, {}}, now);
    EXPECT_EQ(east().breaker, BreakerState::half_open);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(next_place(), "us-east-1");
    }
    EXPECT_EQ(east().breaker, BreakerState::closed);
    EXPECT_EQ(engine().trip({"eu-west-1", {}, {}}, now), 0U);
}

TEST_F(OverridesTest, AClassIsShedAndThoseBelowIt) {
    engine().shed({.from = Priority::standard, .lasts = 10min, .reason = "load"}, now);
    Call c = call();
    c.priority = Priority::standard;
    const Decision d = offer(c);
    EXPECT_EQ(refused(d).reason, RefusalReason::shed);
    EXPECT_EQ(refused(d).retry_after, 10min);
    c = call();
    c.priority = Priority::batch;
    EXPECT_EQ(refused(offer(c)).reason, RefusalReason::shed);
    c = call();
    c.priority = Priority::interactive;
    EXPECT_TRUE(granted(offer(c)));
    ASSERT_EQ(engine().status(now).shedding.size(), 1U);
    engine().shed({.from = Priority::standard}, now);
    EXPECT_TRUE(engine().status(now).shedding.empty());
    c = call();
    c.priority = Priority::batch;
    EXPECT_TRUE(granted(offer(c)));
}

TEST_F(OverridesTest, WhoWaitsIsShedToo) {
    config.quotas.clear();
    quota(1000);
    config.routes.clear();
    route({{"us-east-1", ""}});
    const Call first = call(900);
    EXPECT_TRUE(granted(offer(first)));
    Call waiting = call(900);
    waiting.priority = Priority::batch;
    EXPECT_TRUE(waits(offer(waiting)));
    engine().shed({.from = Priority::batch, .lasts = 1min, .reason = ""}, now);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(refused(woken[0].decision).reason, RefusalReason::shed);
}

TEST_F(OverridesTest, AnSdksNextTryAfterAnOrderIsTakenBackGoes) {
    engine().shed({.from = Priority::batch, .lasts = 10min, .reason = ""}, now);
    Call c = call();
    c.priority = Priority::batch;
    c.invocation = "i";
    EXPECT_EQ(refused(offer(c)).reason, RefusalReason::shed);
    EXPECT_FALSE(engine().refused("c", "i", now)) << "no other instance is to repeat it";
    c.id = call().id;
    EXPECT_EQ(refused(offer(c)).reason, RefusalReason::shed);
    engine().shed({.from = Priority::batch}, now);
    c.id = call().id;
    EXPECT_TRUE(granted(offer(c)));
}

TEST(Overrides, ADrainOfMoreDoesNotPutIntoUseWhatIsClosed) {
    Overrides orders;
    const Instant now = Instant{} + 1000s;
    const Target sonnet{.region = "us-east-1", .model = kSonnet};
    const Target haiku{.region = "us-east-1", .model = kHaiku};
    const auto hold = [&](Hold what, TargetFilter targets) {
        EXPECT_TRUE(orders.hold({.hold = what, .targets = std::move(targets), .lasts = 1h}, now));
    };
    hold(Hold::closed, {"us-east-1", kSonnet, {}});
    hold(Hold::drain, {"us-east-1", {}, {}});
    EXPECT_EQ(orders.held(sonnet, now).hold, Hold::closed);
    EXPECT_EQ(orders.held(haiku, now).hold, Hold::drain);
    hold(Hold::closed, {"us-east-1", {}, {}});
    hold(Hold::drain, {"us-east-1", kHaiku, {}});
    EXPECT_EQ(orders.held(haiku, now).hold, Hold::drain) << "it is meant, and no other";
    hold(Hold::open, {"us-east-1", {}, {}});
    EXPECT_EQ(orders.held(sonnet, now).hold, Hold::open);
}

TEST(Overrides, AreBounded) {
    Overrides orders;
    const Instant now = Instant{} + 1000s;
    for (std::size_t i = 0; i < Overrides::kMost; ++i) {
        EXPECT_TRUE(
            orders.hold({.targets = {"r" + std::to_string(i), {}, {}}, .lasts = 1min}, now));
    }
    EXPECT_FALSE(orders.hold({.targets = {"one-more", {}, {}}, .lasts = 1min}, now));
    EXPECT_TRUE(orders.hold({.targets = {"r7", {}, {}}, .lasts = 2min}, now)) << "in its place";
    EXPECT_EQ(orders.next_end(), now + 1min);
    EXPECT_TRUE(orders.hold({.targets = {"one-more", {}, {}}, .lasts = 1min}, now + 1min))
        << "the others are over";
}

TEST(TargetFilter, MatchesByEachPart) {
    const Target target{.region = "us-east-1", .model = kSonnet, .account = "prod"};
    EXPECT_TRUE((TargetFilter{"us-east-1", {}, {}}.matches(target)));
    EXPECT_TRUE((TargetFilter{{}, kSonnet, "prod"}.matches(target)));
    EXPECT_TRUE(
        (TargetFilter{{}, "arn:aws:bedrock:us-east-1:1:inference-profile/" + kSonnet, {}}.matches(
            target)));
    EXPECT_FALSE((TargetFilter{"us-east-1", {}, "default"}.matches(target)));
    EXPECT_FALSE((TargetFilter{"us-west-2", {}, {}}.matches(target)));
    EXPECT_TRUE((TargetFilter{{}, {}, "default"}.matches({.region = "r", .model = "m"})));
}

}  // namespace
}  // namespace weir
