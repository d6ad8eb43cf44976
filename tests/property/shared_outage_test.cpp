// Engines that share a quota at a service that fails for a while: one looks after it for all, and
// none keeps the others away once it is well.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "property/fleet_world.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

const FleetCalls kCalls{.takes = 500ms, .input = 100, .max_output = 200, .output = 20};

/// What comes of so many calls a second in 20 s, when the service has failed like that for so long
/// and has been well again for the second time.
FleetTally after(std::uint64_t seed, std::size_t instances, FailureClass how, Duration failing,
                 Duration well, double made) {
    FleetWorld world(seed, instances, 100'000'000, kCalls);
    const double demand = made * kCalls.cost() * 60;
    world.run(30s, demand);
    world.service_fails(how);
    world.run(failing, demand);
    world.service_fails(std::nullopt);
    world.run(well, demand);
    const FleetTally tally = world.run(20s, demand);
    std::printf("seed %llu, %zu instances: %.0f calls succeeded, %.0f had to wait\n",
                static_cast<unsigned long long>(seed), instances, tally.success, tally.waits);
    return tally;
}

TEST(SharedOutage, AllServeAgainSoonAfterIt) {
    const std::uint64_t base = seed_for("shared outage", 1);
    for (std::uint64_t seed = base; seed < base + draws(3); ++seed) {
        for (const std::size_t instances : {1U, 2U, 3U, 8U}) {
            for (const Duration failing : {3s, 40s}) {
                SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                             std::to_string(instances) + ", for " + std::to_string(failing / 1s) +
                             " s");
                // As long as a breaker stays open after so short an outage, and the ramp.
                const FleetTally tally =
                    after(seed, instances, FailureClass::capacity, failing, failing + 25s, 30);
                EXPECT_GE(tally.success, 0.8 * 20 * 30);
                EXPECT_EQ(tally.waits, 0);
            }
        }
    }
}

TEST(SharedOutage, AllServeAgainWhenTheDaysTokensAreBack) {
    const std::uint64_t base = seed_for("shared outage", 1);
    for (std::uint64_t seed = base; seed < base + draws(2); ++seed) {
        for (const std::size_t instances : {1U, 2U, 3U, 8U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances));
            const FleetTally tally = after(seed, instances, FailureClass::daily, 60s, 16min, 10);
            EXPECT_GE(tally.success, 0.8 * 20 * 10);
            EXPECT_EQ(tally.waits, 0);
        }
    }
}

/// A quota that is large beside what is asked for in the first seconds.
TEST(SharedStart, NobodyIsTurnedAwayBecauseTheBooksAreNew) {
    const std::uint64_t base = seed_for("shared start", 1);
    for (std::uint64_t seed = base; seed < base + draws(5); ++seed) {
        for (const std::size_t instances : {1U, 2U, 4U, 8U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances));
            const FleetCalls calls{.told = 10'000'000};
            FleetWorld world(seed, instances, calls.told, calls);
            const FleetTally tally = world.run(4s, 200 * calls.cost() * 60);  // 200 calls a second
            EXPECT_EQ(tally.turned_away, 0);
            EXPECT_EQ(tally.refusals, 0);
            EXPECT_GT(tally.success, 200);
        }
    }
}

}  // namespace
}  // namespace weir::test
