// Engines that share a quota at a service that fails for a while: one looks after it for all, and
// none keeps the others away once it is well.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "property/fleet_world.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

const FleetCalls kCalls{.takes = 500ms, .input = 100, .max_output = 200, .output = 20};

/// The service fails so many calls a second like that for so long, and is well again for the second
/// time: then all succeed, and none has to wait.
void all_serve_after(FailureClass how, Duration failing, Duration well, double made,
                     std::uint64_t seeds) {
    const std::uint64_t base = seed_for("shared outage", 1);
    const double demand = made * kCalls.cost() * 60;
    for (std::uint64_t seed = base; seed < base + draws(seeds); ++seed) {
        for (const std::size_t instances : {1U, 2U, 3U, 8U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances) + ", for " + std::to_string(failing / 1s) +
                         " s");
            FleetWorld world(seed, instances, 100'000'000, kCalls);
            world.run(30s, demand);
            world.service_fails(how);
            world.run(failing, demand);
            world.service_fails(std::nullopt);
            world.run(well, demand);
            const FleetTally tally = world.run(20s, demand);
            EXPECT_GE(tally.success, 0.8 * 20 * made);
            EXPECT_EQ(tally.waits, 0);
        }
    }
}

TEST(SharedOutage, AllServeAgainSoonAfterIt) {
    for (const Duration failing : {3s, 40s}) {
        // As long as a breaker stays open after so short an outage, and the ramp.
        all_serve_after(FailureClass::capacity, failing, failing + 25s, 30, 3);
    }
}

TEST(SharedOutage, AllServeAgainWhenTheDaysTokensAreBack) {
    all_serve_after(FailureClass::daily, 60s, 16min, 10, 2);
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
