#include "observe/sampling.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::observe {
namespace {

std::string id_of(int number) {
    return "3q0x8g2v7f5k9c1m4n6p8r" + std::to_string(number);
}

TEST(Sampling, AllAndNone) {
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(in_sample(id_of(i), 1));
        EXPECT_FALSE(in_sample(id_of(i), 0));
    }
}

TEST(Sampling, TheShareIsKept) {
    for (const double share : {0.01, 0.1, 0.5, 0.9}) {
        int taken = 0;
        for (int i = 0; i < 100'000; ++i) {
            taken += in_sample(id_of(i), share) ? 1 : 0;
        }
        EXPECT_NEAR(taken / 100'000.0, share, 0.005) << share;
    }
}

TEST(Sampling, ALargerShareHoldsASmallerOne) {
    for (int i = 0; i < 10'000; ++i) {
        if (in_sample(id_of(i), 0.1)) {
            EXPECT_TRUE(in_sample(id_of(i), 0.2));
        }
    }
}

}  // namespace
}  // namespace weir::observe
