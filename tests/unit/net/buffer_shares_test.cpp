#include "net/buffered_bytes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace weir::net::test {
namespace {

constexpr std::uint64_t kLimit = 1'000'000;

/// Requests of 10,000 bytes, over one total.
struct World {
    BufferShares shares{7};
    std::atomic<std::uint64_t> total{0};
    std::vector<BufferedBytes> parts;

    bool add(std::string_view client, std::string_view connection) {
        BufferedBytes part(total);
        part.belong_to(shares.holder(client, connection));
        // In two pieces: what comes second is judged as well.
        const bool good = part.take(5'000, kLimit) && part.take(5'000, kLimit);
        if (good) {
            parts.push_back(std::move(part));
        }
        return good;
    }
    std::uint64_t fill(std::string_view client, int connections) {
        std::uint64_t bytes = 0;
        for (int i = 0;; i = (i + 1) % connections) {
            if (!add(client, std::string(client) + ":" + std::to_string(i))) {
                return bytes;
            }
            bytes += 10'000;
        }
    }
};

TEST(BufferShares, OneClientLeavesRoomForTheNext) {
    World world;
    EXPECT_NEAR(static_cast<double>(world.fill("greedy", 1000)), 0.75 * kLimit, 20'000);
    EXPECT_NEAR(static_cast<double>(world.fill("next", 1000)), 0.1875 * kLimit, 20'000);
    EXPECT_TRUE(world.add("third", "third:1"));
}

TEST(BufferShares, OneConnectionDoesAsWellWhateverNamesItUses) {
    World world;
    std::uint64_t bytes = 0;
    for (int i = 0; world.add("name" + std::to_string(i), "one"); ++i) {
        bytes += 10'000;
    }
    EXPECT_LE(bytes, 770'000U);
    EXPECT_TRUE(world.add("other", "another"));
}

TEST(BufferShares, WhatIsGivenBackCountsNoMore) {
    World world;
    world.fill("greedy", 10);
    EXPECT_FALSE(world.add("greedy", "greedy:1"));
    world.parts.clear();
    EXPECT_EQ(world.total, 0U);
    EXPECT_TRUE(world.add("greedy", "greedy:1"));
}

TEST(BufferShares, WhatIsHeldGoesWithItsHolder) {
    World world;
    const auto a = world.shares.holder("a", "a:1");
    const auto b = world.shares.holder("b", "b:1");
    {
        BufferedBytes part(world.total);
        ASSERT_TRUE(part.take(10, kLimit));
        part.belong_to(a);
        EXPECT_EQ(*a.client, 10U);
        part.belong_to(b);
        EXPECT_EQ(*a.client, 0U);
        EXPECT_EQ(*b.connection, 10U);
        EXPECT_EQ(world.total, 10U);
    }
    EXPECT_EQ(*b.client, 0U);
    EXPECT_EQ(world.total, 0U);
}

TEST(BufferShares, ASingleMessageMayBeLarge) {
    World world;
    BufferedBytes large(world.total);
    large.belong_to(world.shares.holder("one", "one:1"));
    EXPECT_TRUE(large.take(500'000, kLimit));
    EXPECT_TRUE(large.take(500'000, kLimit));
    BufferedBytes second(world.total);
    second.belong_to(world.shares.holder("one", "one:2"));
    EXPECT_FALSE(second.take(10, kLimit));
    EXPECT_EQ(world.total, kLimit);
}

}  // namespace
}  // namespace weir::net::test
