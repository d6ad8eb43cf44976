// The first window after a restart at full quota: with what the process before has written, and
// without.
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/policy/restart_world.h"

namespace weir::restart {
namespace {

constexpr int kMost = 3;  // refusals of a target in the first window

const char* name(Shape shape) {
    return shape == Shape::sliding ? "sliding" : shape == Shape::clock ? "clock" : "bucket";
}

/// Over restarts at many moments.
struct Sum {
    int most = 0;
    int refusals = 0;
    std::uint64_t served = 0;

    static Sum of(Scene scene, std::uint64_t seeds) {
        Sum sum;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            scene.seed = seed;
            scene.at = 150s + Duration(std::int64_t{2'718'281'828} * static_cast<int>(seed));
            const Outcome o = World(scene).run();
            sum.most = std::max(sum.most, o.refusals);
            sum.refusals += o.refusals;
            sum.served += o.served;
        }
        return sum;
    }
};

class RestartTest : public testing::TestWithParam<Shape> {};

INSTANTIATE_TEST_SUITE_P(Shapes, RestartTest,
                         testing::Values(Shape::sliding, Shape::clock, Shape::bucket),
                         [](const auto& shape) { return name(shape.param); });

TEST_P(RestartTest, WithoutAFileFewCallsFindOut) {
    for (const bool stream : {true, false}) {
        for (const Duration down : {Duration(0s), Duration(2s), Duration(20s)}) {
            const Sum sum = Sum::of({.shape = GetParam(),
                                     .end = End::crash,
                                     .file = false,
                                     .stream = stream,
                                     .down = down},
                                    20);
            EXPECT_LE(sum.most, kMost) << "stream " << stream << " down " << to_seconds(down);
        }
    }
}

TEST_P(RestartTest, WithItsFileNothingIsForgotten) {
    const Sum whole = Sum::of({.shape = GetParam(), .end = End::none}, 20);
    for (const End end : {End::crash, End::drain}) {
        const Sum sum = Sum::of({.shape = GetParam(), .end = end, .file = true}, 20);
        EXPECT_GE(static_cast<double>(sum.served), 0.8 * static_cast<double>(whole.served));
        EXPECT_LE(sum.refusals, whole.refusals + 20) << "end " << static_cast<int>(end);
    }
}

TEST(Restart, AFreshStartWaitsForNobody) {
    // Nothing was used before: the first call goes at once, and so do those that come one by one.
    Config config;
    config.default_region = "us-east-1";
    Instant now = Instant{} + 1000s;
    Engine engine(config, 1, now);
    engine.resume({}, now);
    std::vector<CallId> open;
    const auto offer = [&](std::uint32_t slot) {
        Call call;
        call.id = {0, slot, 1};
        call.model = "us.anthropic.claude-0";
        call.home_region = "us-east-1";
        call.max_output = 500;
        call.arrival = now;
        const bool granted = std::holds_alternative<Grant>(engine.offer(call, now));
        if (granted) {
            engine.sent(call.id, now);
        }
        return granted;
    };
    for (std::uint32_t slot = 0; slot < 20; ++slot) {
        EXPECT_TRUE(offer(slot)) << slot;
        now += 250ms;
    }
    // A burst goes a few at a time, all within a second or two.
    const Instant burst = now;
    std::size_t waiting = 0;
    for (std::uint32_t slot = 100; slot < 116; ++slot) {
        waiting += offer(slot) ? 0 : 1;
    }
    EXPECT_GT(waiting, 10U);
    while (waiting > 0) {
        const auto wake = engine.next_wake();
        ASSERT_TRUE(wake);
        now = std::max(now, *wake);
        std::vector<Wake> woken;
        engine.advance(now, woken);
        for (const Wake& w : woken) {
            ASSERT_TRUE(std::holds_alternative<Grant>(w.decision));
            engine.sent(w.id, now);
            --waiting;
        }
    }
    EXPECT_LE(now - burst, 2s);
}

TEST(Restart, AnEngineThatIsToldNothingHoldsNothingBack) {
    Config config;
    config.default_region = "us-east-1";
    const Instant now = Instant{} + 1000s;
    Engine engine(config, 1, now);
    for (std::uint32_t slot = 0; slot < 100; ++slot) {
        Call call;
        call.id = {0, slot, 1};
        call.model = "us.anthropic.claude-0";
        call.home_region = "us-east-1";
        call.arrival = now;
        EXPECT_TRUE(std::holds_alternative<Grant>(engine.offer(call, now)));
    }
}

}  // namespace
}  // namespace weir::restart
