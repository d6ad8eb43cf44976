#include "policy/retry.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

TEST(RetryBudget, AllowsAShareOfSendsAndOneASecond) {
    RetryBudget budget(0.2);
    Instant now = Instant{} + 1000s;
    int spent = 0;
    for (int i = 0; i < 100; ++i) {
        budget.note_send(now);
    }
    while (budget.spend(now)) {
        ++spent;
    }
    EXPECT_NEAR(spent, 30, 1);  // the first ten and a fifth of the sends
    now += 1s;
    EXPECT_TRUE(budget.spend(now));
    EXPECT_FALSE(budget.spend(now));
}

TEST(RetryBudget, DoesNotSaveUpForEver) {
    RetryBudget budget(0.2);
    Instant now = Instant{} + 1000s;
    budget.note_send(now);
    now += 10h;
    int spent = 0;
    while (budget.spend(now)) {
        ++spent;
    }
    EXPECT_LE(spent, 11);
}

TEST(Backoff, FullJitterStaysBelowTheDoublingAndTheCap) {
    const RetryConfig config;
    Random random(5);
    for (std::uint32_t k = 0; k < 40; ++k) {
        const Duration d = backoff(config, k, random);
        EXPECT_GE(d, Duration::zero());
        EXPECT_LE(d, std::min<Duration>(config.max_delay, 50ms * (1LL << std::min(k, 20U))));
    }
}

TEST(Backoff, TheArticlesLoopWaitsItsSecondsPlusATenth) {
    RetryConfig config;
    config.base_delay = 1s;
    config.max_delay = 60s;
    config.jitter = Jitter::none;
    Random random(5);
    for (std::uint32_t k = 0; k < 8; ++k) {
        const Duration plain = std::min<Duration>(1s * (1 << k), 60s);
        const Duration d = backoff(config, k, random);
        EXPECT_GE(d, plain);
        EXPECT_LE(d, plain + plain / 10 + 1us);
    }
}

}  // namespace
}  // namespace weir::policy
