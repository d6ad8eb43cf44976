#include <gtest/gtest.h>

#include <vector>

#include "policy/cache_homes.h"
#include "policy/leavers.h"
#include "policy/prefix_memory.h"
#include "policy/quantile.h"
#include "unit/given.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

std::vector<InputMark> marks(std::initializer_list<std::uint64_t> hashes) {
    std::vector<InputMark> all;
    for (const std::uint64_t hash : hashes) {
        all.push_back(InputMark{hash, {}});
    }
    return all;
}

TEST(CacheHomes, TheLongestKnownBeginningDecides) {
    CacheHomes homes(10);
    homes.remember(1, 7, kStart);
    homes.remember(2, 8, kStart);
    EXPECT_EQ(homes.find(marks({1, 2, 3}), kStart), 8U);
    EXPECT_EQ(homes.find(marks({1, 3}), kStart), 7U);
    EXPECT_EQ(homes.find(marks({3, 0}), kStart), std::nullopt);
}

TEST(CacheHomes, ACacheLivesFiveMinutesAfterItsLastUse) {
    CacheHomes homes(10);
    homes.remember(1, 7, kStart);
    homes.remember(1, 7, kStart + 4min);
    EXPECT_EQ(homes.find(marks({1}), kStart + 8min), 7U);
    EXPECT_EQ(homes.find(marks({1}), kStart + 9min), std::nullopt);
}

TEST(CacheHomes, IsBounded) {
    CacheHomes homes(4);
    for (std::uint64_t hash = 1; hash <= 100; ++hash) {
        homes.remember(hash, 1, kStart);
    }
    EXPECT_EQ(homes.size(), 4U);
    EXPECT_EQ(homes.find(marks({96}), kStart), std::nullopt);
    EXPECT_EQ(homes.find(marks({97}), kStart), 1U);
}

TEST(Leavers, OnlyARefusalThatTheWholeHoldExplainsTurnsItBack) {
    Leavers leavers;
    leavers.refused(50, 10, 100, 60s, kStart);
    EXPECT_TRUE(leavers.give_back(kStart)) << "nothing was given back";
    leavers.gave_back(30, 60s, kStart);
    leavers.refused(50, 10, 100, 60s, kStart);
    EXPECT_TRUE(leavers.give_back(kStart)) << "it fits with the whole hold too";
    leavers.refused(95, 10, 100, 60s, kStart);
    EXPECT_TRUE(leavers.give_back(kStart)) << "it did not fit anyway";
    leavers.refused(80, 10, 100, 60s, kStart + 2min);
    EXPECT_TRUE(leavers.give_back(kStart + 2min)) << "that was a window ago";
    leavers.gave_back(30, 60s, kStart + 3min);
    leavers.refused(80, 10, 100, 60s, kStart + 3min);
    EXPECT_FALSE(leavers.give_back(kStart + 3min));
    EXPECT_FALSE(leavers.give_back(kStart + 62min));
    EXPECT_TRUE(leavers.give_back(kStart + 63min));
}

TEST(PrefixMemory, TheOneUsedLastStaysLongest) {
    PrefixMemory memory(2);
    memory.remember(1, 10);
    memory.remember(2, 20);
    EXPECT_EQ(memory.find(1), 10U);
    memory.remember(3, 30);
    EXPECT_FALSE(memory.find(2)) << "1 was looked at later";
    EXPECT_EQ(memory.find(1), 10U);
    memory.remember(1, 11);
    EXPECT_EQ(memory.find(1), 11U);
    EXPECT_EQ(memory.find(3), 30U);
    memory.clear();
    EXPECT_FALSE(memory.find(1));
    PrefixMemory none(0);
    none.remember(1, 10);
    EXPECT_FALSE(none.find(1));
    CacheHomes homes(0);
    homes.remember(1, 7, kStart);
    EXPECT_EQ(homes.find(marks({1}), kStart), std::nullopt);
}

TEST(FadingQuantile, IsKeptOverAsManySamplesAsThereAre) {
    FadingQuantile seen(1);
    EXPECT_EQ(seen.quantile(0.9), 1) << "nothing is known";
    for (int i = 0; i < 250'000; ++i) {
        seen.add(100);
    }
    EXPECT_NEAR(seen.quantile(0.9), 100, 5);
    for (int i = 0; i < 10'000; ++i) {
        seen.add(1000);
    }
    EXPECT_NEAR(seen.quantile(0.5), 1000, 50) << "what was before fades";
    EXPECT_EQ(seen.samples(), 260'000U);
}

}  // namespace
}  // namespace weir::policy
