#include <gtest/gtest.h>

#include "policy/window_shapes.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

constexpr double kLimit = 6000;
constexpr double kWrong = 0.02;
const Instant kFirstTurn = Instant{} + 600s;  // a phase's turn: a multiple of five seconds

class WindowShapesTest : public ::testing::Test {
protected:
    void go(Duration by) {
        now += by;
        shapes.advance(now, kLimit);
    }
    void charge(double amount) { shapes.charge(now, amount); }
    WindowShapes::Ask ask(double amount, double used = 0) const {
        return {amount, 0, used, kLimit};
    }
    bool accepts(std::size_t shape, double amount, double used = 0) const {
        return (shapes.forecast(ask(amount, used)).accepts >> shape & 1U) != 0;
    }
    bool refuses(std::size_t shape, double amount, double used = 0) const {
        return (shapes.forecast(ask(amount, used)).refuses >> shape & 1U) != 0;
    }

    Instant now = kFirstTurn;
    WindowShapes shapes{60s, 0ms};
    void SetUp() override { shapes.advance(now, kLimit); }
};

TEST_F(WindowShapesTest, IdleEveryShapeTakesWhatItsSizeAllows) {
    EXPECT_DOUBLE_EQ(shapes.acceptance(ask(900)), 1);
    EXPECT_FALSE(accepts(WindowShapes::short_bucket, 1100));
    EXPECT_TRUE(refuses(WindowShapes::short_bucket, 1300));
    EXPECT_TRUE(accepts(WindowShapes::bucket, 5800));
    EXPECT_NEAR(shapes.acceptance(ask(5900)), 0.95, 1e-9);
    EXPECT_EQ(shapes.acceptance(ask(6001)), 0);
}

TEST_F(WindowShapesTest, BucketsRefillAtTheLimitsPace) {
    charge(1000);
    EXPECT_TRUE(refuses(WindowShapes::short_bucket, 300));
    const Instant when = shapes.accepted_at(ask(300, 1000), 1, now);
    EXPECT_NEAR(to_seconds(when - now), 3, 1e-6);  // 300 of 100 a second
    go(3s);
    EXPECT_FALSE(refuses(WindowShapes::short_bucket, 300));
    shapes.refund(kFirstTurn, 1000);
    EXPECT_TRUE(accepts(WindowShapes::short_bucket, 700));
}

TEST_F(WindowShapesTest, AClockTurnsOnceAMinuteSomewhereInItsPhase) {
    charge(5900);
    const std::size_t first = WindowShapes::clock + 0;  // turns between 600 and 605 s
    const std::size_t next = WindowShapes::clock + 1;   // between 605 and 610 s
    EXPECT_FALSE(accepts(first, 3000));
    EXPECT_FALSE(refuses(first, 3000));  // in its phase nobody can tell
    EXPECT_TRUE(refuses(next, 3000));
    go(6s);
    EXPECT_FALSE(accepts(next, 3000));  // it may not have turned yet
    EXPECT_FALSE(refuses(next, 3000));
    go(4s);
    EXPECT_TRUE(accepts(next, 3000));
    // The charge was made while the first was about to turn: before or after, it is unknown, until
    // it has turned again.
    EXPECT_FALSE(accepts(first, 3000));
    go(54s);
    EXPECT_FALSE(accepts(first, 3000));
    go(1s);
    EXPECT_TRUE(accepts(first, 3000));
}

TEST_F(WindowShapesTest, WhatIsGivenBackCountsOnlyWhereItsChargeStillDoes) {
    charge(3000);
    go(20s);
    charge(2500);
    shapes.refund(kFirstTurn, 3000);
    const std::size_t turned = WindowShapes::clock + 2;  // at 610 to 615 s
    EXPECT_TRUE(accepts(turned, 3200));
    EXPECT_FALSE(accepts(turned, 3500));
    EXPECT_TRUE(accepts(WindowShapes::clock + 6, 3200));
}

TEST_F(WindowShapesTest, AnAcceptedCallRulesOutTheShapesThatForetoldARefusal) {
    charge(5900);
    go(20s);
    // The log holds 5900 yet: sliding says no, a bucket has 2000 back, clocks that have turned say
    // yes.
    const auto told = shapes.forecast(ask(1500, 5900));
    EXPECT_TRUE(told.tells());
    shapes.learn(told, true, kWrong);
    EXPECT_LT(shapes.weight(WindowShapes::sliding), 0.02);
    EXPECT_GT(shapes.weight(WindowShapes::bucket), 0.3);
    EXPECT_EQ(shapes.likeliest(), WindowShapes::bucket);
}

TEST_F(WindowShapesTest, ARefusedCallRulesOutTheShapesThatForetoldItsAcceptance) {
    charge(5900);
    go(20s);
    const auto told = shapes.forecast(ask(1500, 5900));
    shapes.learn(told, false, kWrong);
    shapes.learn(told, false, kWrong);
    EXPECT_GT(shapes.weight(WindowShapes::sliding), 0.45);  // and clocks that have not turned
    EXPECT_LT(shapes.weight(WindowShapes::bucket), 1e-3);
    EXPECT_EQ(shapes.likeliest(), WindowShapes::sliding);
    EXPECT_EQ(shapes.accepted_at(ask(1500, 5900), 0.5, now + 40s), now + 40s);
}

TEST_F(WindowShapesTest, WhatIsOnlyMarginForetellsNoRefusal) {
    charge(5900);
    WindowShapes::Ask asked = ask(500, 5900);
    EXPECT_TRUE((shapes.forecast(asked).refuses >> WindowShapes::sliding & 1U) != 0);
    asked.held = asked.doubt = 300;
    EXPECT_TRUE((shapes.forecast(asked).refuses >> WindowShapes::sliding & 1U) != 0);
    asked.amount = 200;
    EXPECT_FALSE((shapes.forecast(asked).refuses >> WindowShapes::sliding & 1U) != 0);
    asked.doubt = 0;
    EXPECT_TRUE((shapes.forecast(asked).refuses >> WindowShapes::sliding & 1U) != 0);
    asked.ending = 1000;
    EXPECT_FALSE((shapes.forecast(asked).refuses >> WindowShapes::sliding & 1U) != 0);
}

TEST_F(WindowShapesTest, ATurnAtAClockIsInTheMinuteThatHasRoom) {
    // Only phase 1, which turns between 605 and 610 s, takes 3,000 at 620 s and not at 602 s.
    WindowShapes::Forecast only;
    only.accepts = 1U << (WindowShapes::clock + 1);
    only.refuses = static_cast<std::uint16_t>(~only.accepts);
    for (int i = 0; i < 3; ++i) {
        shapes.learn(only, true, kWrong);
    }
    go(20s);
    charge(5000);
    const auto turn = [&](double amount) {
        return to_seconds(shapes.turn_at({.amount = amount, .limit = kLimit}, now) - kFirstTurn);
    };
    EXPECT_NEAR(turn(900), 20, 1e-6) << "this minute has room";
    EXPECT_NEAR(turn(1500), 70, 1e-6);
    EXPECT_NEAR(turn(7500), 130, 1e-6);
}

TEST_F(WindowShapesTest, AnAcceptedProbeSpeaksForTheShapesThatForetoldIt) {
    WindowShapes::Forecast forecast;  // the others cannot tell
    forecast.accepts = 1U << WindowShapes::bucket;
    const double before = shapes.weight(WindowShapes::bucket);
    shapes.learn(forecast, true, kWrong, false);
    shapes.learn(forecast, false, kWrong, false);
    EXPECT_LT(shapes.weight(WindowShapes::bucket), before) << "one refusal counts more than that";
    const double refused = shapes.weight(WindowShapes::bucket);
    for (int i = 0; i < 100; ++i) {
        shapes.learn(forecast, true, kWrong, false);
    }
    EXPECT_DOUBLE_EQ(shapes.weight(WindowShapes::bucket), refused) << "no probes";
    for (int i = 0; i < 100; ++i) {
        shapes.learn(forecast, true, kWrong, true);
    }
    EXPECT_GT(shapes.weight(WindowShapes::bucket), 0.9);
}

TEST_F(WindowShapesTest, ABucketThatRefusedHadLessThanWasAsked) {
    EXPECT_TRUE(accepts(WindowShapes::short_bucket, 800));
    shapes.refused(800);
    EXPECT_TRUE(refuses(WindowShapes::short_bucket, 800));
    EXPECT_TRUE(refuses(WindowShapes::bucket, 800));
    EXPECT_TRUE(accepts(WindowShapes::sliding, 800));
    go(10s);
    EXPECT_TRUE(accepts(WindowShapes::short_bucket, 800));
}

TEST_F(WindowShapesTest, ATurnIsAsLateAsTheLikelyShapesRefillFor) {
    const WindowShapes::Backlog backlog{.amount = 2000, .limit = kLimit};
    EXPECT_EQ(shapes.turn_at(backlog, now), now) << "a short bucket is not likely yet";
    // The service takes what a sliding window, a clock minute and a large bucket would take, and
    // refuses what a short bucket has no room for.
    charge(900);
    for (int i = 0; i < 3; ++i) {
        shapes.learn(shapes.forecast(ask(500, 900)), false, kWrong);
    }
    ASSERT_EQ(shapes.likeliest(), WindowShapes::short_bucket);
    // It holds 1,000 and refills by 100 a second: of 900 + 2,000, 1,900 are missing.
    EXPECT_NEAR(to_seconds(shapes.turn_at(backlog, now) - now), 19, 1e-6);
    // What waits may be more than any limit, and what calls under way give back comes first.
    EXPECT_NEAR(to_seconds(shapes.turn_at({.amount = 12'000, .limit = kLimit}, now) - now), 119,
                1e-6);
    EXPECT_NEAR(
        to_seconds(
            shapes.turn_at(
                {.amount = 2000, .limit = kLimit, .settling = 1500, .service_seconds = 5}, now) -
            now),
        4, 1e-6);
    EXPECT_NEAR(to_seconds(shapes.turn_at({.amount = 1000,
                                           .held = 100,
                                           .limit = kLimit,
                                           .settling = 2000,
                                           .service_seconds = 5},
                                          now) -
                           now),
                2.5, 1e-6);
}

TEST_F(WindowShapesTest, WhatOthersMustHaveUsedIsTheLeastThatMakesShapesOfThatWeightRefuse) {
    charge(600);
    // A short bucket has 400 left, which is 2,400 of a window's quota; the others 5,400.
    EXPECT_NEAR(shapes.overlooked(ask(100, 600), 0.04), 1800, 1e-6);
    EXPECT_NEAR(shapes.overlooked(ask(100, 600), 0.1), 5300, 1e-6);
    WindowShapes::Ask less = ask(100, 600);
    less.limit -= shapes.overlooked(less, 0.1) + 1;
    EXPECT_EQ(shapes.acceptance(less), 0);
}

TEST_F(WindowShapesTest, NoShapeIsEverPastRecall) {
    charge(5900);
    go(20s);
    const auto told = shapes.forecast(ask(1500, 5900));
    for (int i = 0; i < 1000; ++i) {
        shapes.learn(told, false, kWrong);
    }
    EXPECT_EQ(shapes.likeliest(), WindowShapes::sliding);
    for (int i = 0; i < 5; ++i) {
        shapes.learn(told, true, kWrong);
    }
    EXPECT_NE(shapes.likeliest(), WindowShapes::sliding);
}

TEST_F(WindowShapesTest, AClocksMinuteIsNotSpentInItsFirstSeconds) {
    // Only clocks are left.
    charge(5900);
    go(20s);
    auto told = shapes.forecast(ask(1500, 5900));
    told.refuses |= 1U << WindowShapes::bucket;
    told.accepts &= static_cast<std::uint16_t>(~(1U << WindowShapes::bucket));
    shapes.learn(told, true, kWrong);
    shapes.learn(told, true, kWrong);
    ASSERT_GT(shapes.clock_weight(), 0.98);
    go(10min);
    EXPECT_GT(shapes.acceptance(ask(2900)), 0.9);
    charge(2900);
    EXPECT_LT(shapes.acceptance(ask(200)), 0.1);
    go(2s);
    EXPECT_GT(shapes.acceptance(ask(200)), 0.9);
}

TEST_F(WindowShapesTest, JumpsInTimeForgetEverything) {
    charge(5900);
    go(std::chrono::hours(10'000));
    EXPECT_DOUBLE_EQ(shapes.acceptance(ask(900)), 1);
    charge(10);
    go(1ns);
    EXPECT_GT(shapes.acceptance(ask(900)), 0.9);
}

}  // namespace
}  // namespace weir::policy
