#include "net/buffered_bytes.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

TEST(BufferedBytes, GivesBackWhatItTook) {
    std::atomic<std::uint64_t> total{100};
    {
        BufferedBytes held(total);
        EXPECT_TRUE(held.take(50, 200));
        EXPECT_TRUE(held.take(20, 200));
        EXPECT_EQ(total, 170U);
        EXPECT_EQ(held.count(), 70U);
        EXPECT_TRUE(held.resize(10, 0));  // less is always granted
        EXPECT_EQ(total, 110U);
    }
    EXPECT_EQ(total, 100U);
}

TEST(BufferedBytes, WhatIsRefusedIsNotCounted) {
    std::atomic<std::uint64_t> total{150};
    BufferedBytes held(total);
    EXPECT_FALSE(held.take(51, 200));
    EXPECT_EQ(total, 150U);
    EXPECT_EQ(held.count(), 0U);
    EXPECT_TRUE(held.take(50, 200));
    EXPECT_FALSE(held.resize(51, 200));
    EXPECT_EQ(held.count(), 50U);
}

TEST(BufferedBytes, CountsOnceWhenMoved) {
    std::atomic<std::uint64_t> total{0};
    BufferedBytes a(total);
    ASSERT_TRUE(a.take(5, 100));
    BufferedBytes b(std::move(a));
    EXPECT_EQ(b.count(), 5U);
    BufferedBytes c(total);
    ASSERT_TRUE(c.take(7, 100));
    c = std::move(b);
    EXPECT_EQ(total, 5U);
    c.give_back();
    EXPECT_EQ(total, 0U);
}

}  // namespace
}  // namespace weir::net
