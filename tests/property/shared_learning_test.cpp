// A quota that nobody told, and that is raised while engines share it: they follow it together, and
// no faster and no slower than one engine alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "property/fleet_world.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

TEST(SharedLearning, AQuotaThatIsRaisedIsFollowedByAllTogether) {
    const std::uint64_t base = seed_for("shared learning", 1);
    for (std::uint64_t seed = base; seed < base + draws(2); ++seed) {
        double alone = 0;
        for (const std::size_t instances : {1U, 4U, 16U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances));
            FleetWorld world(seed, instances, 200'000);
            world.run(400s, 300'000);
            world.service_limit(400'000);
            const FleetTally after = world.run(400s, 400'000);
            const double least = std::ranges::min(world.limits());
            std::printf(
                "seed %llu, %zu instances: %.0f tokens/s, %.4f refusals a success, least limit "
                "%.0f\n",
                static_cast<unsigned long long>(seed), instances, after.served,
                after.refusals / after.success, least);
            alone = instances == 1 ? after.served : alone;
            EXPECT_GE(after.served, 0.85 * alone);
            if (instances > 1) {  // alone it is not the books that say when to probe
                EXPECT_LE(after.refusals, 0.02 * after.success);
            }
            EXPECT_GE(least, 360'000);
        }
    }
}

/// Each call holds a thirtieth of the quota for a tenth of a window, and takes a tenth of that.
TEST(SharedLearning, LargeCallsInAShortWindowFollowARaisedQuotaAsWell) {
    const std::uint64_t base = seed_for("shared learning", 1);
    const FleetCalls large{
        .window = 6s, .takes = 550ms, .input = 4, .max_output = 2'000, .output = 40};
    for (std::uint64_t seed = base; seed < base + draws(2); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        FleetWorld world(seed, 3, 60'000, large);
        world.run(180s, 80'000);
        const double before = std::ranges::max(world.limits());
        world.service_limit(120'000);
        world.run(180s, 120'000);
        const FleetTally after = world.run(60s, 120'000);
        const double least = std::ranges::min(world.limits());
        std::printf("seed %llu: limit %.0f, then at least %.0f, %.4f refusals a success\n",
                    static_cast<unsigned long long>(seed), before, least,
                    after.refusals / after.success);
        EXPECT_GE(least, 100'000);
    }
}

TEST(SharedLearning, AQuotaThatStaysIsProbedByAllTogetherAsByOne) {
    const std::uint64_t base = seed_for("shared learning", 1);
    for (std::uint64_t seed = base; seed < base + draws(2); ++seed) {
        double alone = 0;
        for (const std::size_t instances : {1U, 4U, 16U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances));
            FleetWorld world(seed, instances, 200'000);
            world.run(400s, 300'000);
            const FleetTally after = world.run(800s, 300'000);
            std::printf(
                "seed %llu, %zu instances: %.0f tokens/s, %.4f refusals a success, limits %.0f to "
                "%.0f\n",
                static_cast<unsigned long long>(seed), instances, after.served,
                after.refusals / after.success, std::ranges::min(world.limits()),
                std::ranges::max(world.limits()));
            alone = instances == 1 ? after.served : alone;
            EXPECT_GE(after.served, 0.92 * alone);
            EXPECT_LE(after.refusals, 0.02 * after.success);
        }
    }
}

}  // namespace
}  // namespace weir::test
