// What bounds the way from a request's end to the collector.
#include "observe/client_buckets.h"
#include "observe/otlp_retry.h"
#include "observe/span_queue.h"

#include <gtest/gtest.h>

#include <chrono>

namespace weir::observe {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart = Instant(100s);

TEST(ClientBuckets, ABurstAndThenARate) {
    ClientBuckets budget(100, 20);
    int taken = 0;
    for (int i = 0; i < 1000; ++i) {
        taken += budget.take("a", kStart) ? 1 : 0;
    }
    EXPECT_EQ(taken, 100);
    EXPECT_TRUE(budget.take("b", kStart)) << "another client has its own";
    EXPECT_TRUE(budget.take("", kStart)) << "and so have those without a name, together";
    for (int i = 1; i <= 100; ++i) {
        taken += budget.take("a", kStart + i * 10ms) ? 1 : 0;
    }
    EXPECT_EQ(taken, 120);
    EXPECT_FALSE(budget.take("a", kStart)) << "a clock that stands back earns nothing";
}

TEST(ClientBuckets, ClientsBeyondTheMostShareOne) {
    ClientBuckets budget(100, 20);
    for (std::size_t i = 0; i < ClientBuckets::kMostClients; ++i) {
        EXPECT_TRUE(budget.take("client" + std::to_string(i), kStart));
    }
    int taken = 0;
    for (int i = 0; i < 1000; ++i) {
        taken += budget.take("more" + std::to_string(i), kStart) ? 1 : 0;
    }
    EXPECT_EQ(taken, 100);
}

TracedLife life_of(std::size_t bytes) {
    TracedLife life;
    life.packed.assign(bytes, 'x');
    return life;
}

TEST(SpanQueue, GivesTheOldestFirst) {
    SpanQueue queue;
    for (const std::size_t size : {1, 2, 3, 4}) {
        queue.push(life_of(size));
    }
    const auto first = queue.take(3, SIZE_MAX);
    ASSERT_EQ(first.size(), 3U);
    EXPECT_EQ(first[0].packed.size(), 1U);
    EXPECT_EQ(first[2].packed.size(), 3U);
    EXPECT_EQ(queue.take(SIZE_MAX, 1).size(), 1U) << "one at least";
    EXPECT_TRUE(queue.take(SIZE_MAX, SIZE_MAX).empty());
}

TEST(SpanQueue, WhatFindsNoRoomIsCounted) {
    SpanQueue queue;
    const auto dropped = [&] {
        return queue.counts.dropped[static_cast<std::size_t>(OtlpDrop::queue)].load();
    };
    for (int i = 0; i < 100; ++i) {
        queue.push(life_of(1UL << 20U));
    }
    EXPECT_EQ(dropped(), 93U) << "8 MiB with what is beside";
    EXPECT_EQ(queue.take(SIZE_MAX, SIZE_MAX).size(), 7U);
    for (std::size_t i = 0; i < SpanQueue::kMostRequests + 5; ++i) {
        queue.push(life_of(1));
    }
    EXPECT_EQ(dropped(), 98U);
}

TEST(OtlpRetry, Statuses) {
    for (const long status : {0L, 429L, 502L, 503L, 504L}) {
        EXPECT_TRUE(otlp_retryable(status)) << status;
    }
    for (const long status : {301L, 400L, 401L, 403L, 404L, 413L, 415L, 500L, 501L, 505L}) {
        EXPECT_FALSE(otlp_retryable(status)) << status;
    }
}

TEST(OtlpRetry, PausesDoubleWithJitter) {
    OtlpRetry retry(1);
    Instant now = kStart;
    EXPECT_TRUE(retry.due(now));
    EXPECT_FALSE(retry.failing());
    for (const Duration pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
        retry.failed(now, std::nullopt);
        EXPECT_TRUE(retry.failing());
        EXPECT_FALSE(retry.due(now + pause / 2 - 1ms)) << to_seconds(pause);
        EXPECT_TRUE(retry.due(now + pause)) << to_seconds(pause);
        now += pause;
    }
    retry.done();
    EXPECT_TRUE(retry.due(now));
    EXPECT_FALSE(retry.failing());
    retry.failed(now, std::nullopt);
    EXPECT_TRUE(retry.due(now + 1s)) << "from the beginning";
}

TEST(OtlpRetry, TheCollectorsWordCounts) {
    OtlpRetry retry(1);
    retry.failed(kStart, 7s);
    EXPECT_FALSE(retry.due(kStart + 7s - 1ms));
    EXPECT_TRUE(retry.due(kStart + 7s));
    retry.failed(kStart, 24h);
    EXPECT_TRUE(retry.due(kStart + 5min)) << "within reason";
    retry.failed(kStart, -5s);
    EXPECT_TRUE(retry.due(kStart));
}

TEST(OtlpRetry, WhatIsNotTakenForFiveMinutesIsGivenUp) {
    OtlpRetry retry(1);
    retry.failed(kStart, std::nullopt);
    retry.failed(kStart + 4min, std::nullopt);
    EXPECT_FALSE(retry.hopeless(kStart + 5min - 1ms));
    EXPECT_TRUE(retry.hopeless(kStart + 5min));
    retry.gave_up();
    EXPECT_FALSE(retry.hopeless(kStart + 5min));
    retry.failed(kStart + 5min, std::nullopt);
    EXPECT_FALSE(retry.due(kStart + 5min + 500ms)) << "the pauses have not become shorter";
}

}  // namespace
}  // namespace weir::observe
