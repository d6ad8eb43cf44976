// What is kept of requests: packed and unpacked, in bounded memory, the eventful ones longer.
#include "observe/life.h"
#include "observe/life_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::observe {
namespace {

WaitStep a_wait() {
    WaitStep wait;
    wait.from = 10;
    wait.to = 2'000'000;
    wait.cause = Hindrance::quota;
    wait.region = "us-east-1";
    wait.model = "claude";
    wait.limit_kind = LimitKind::tokens;
    wait.limit = 200'000;
    wait.used = 198'400;
    wait.cost = 5'396;
    wait.calls_before = 12;
    wait.tokens_before = 60'000;
    wait.turn = 11'000'000;
    wait.targets = 2;
    return wait;
}

AttemptStep an_attempt() {
    AttemptStep attempt;
    attempt.from = 2'000'000;
    attempt.sent = 2'000'400;
    attempt.head = 2'900'000;
    attempt.to = 3'000'000;
    attempt.account = "prod";
    attempt.region = "us-west-2";
    attempt.model = "claude";
    attempt.endpoint = "runtime";
    attempt.tier = "flex";
    attempt.why.choice = Choice::spilled;
    attempt.why.first_hindered = Hindrance::breaker;
    attempt.why.input_held = 1'300;
    attempt.reservation = 5'396;
    attempt.right_sized = true;
    attempt.result = "capacity";
    attempt.status = 503;
    attempt.error = "ServiceUnavailableException";
    return attempt;
}

Life a_life(std::string_view id) {
    Life life;
    life.unix_ms = 1'790'000'000'000;
    life.ended = 3'000'000;
    life.id = id;
    life.upstream_id = "aaaa-bbbb";
    life.client = "app";
    life.max_tokens = 4096;
    life.usage = {10, 20, 30, 40, true};
    life.outcome = "ok";
    life.status = 200;
    return life;
}

TEST(Life, ComesBackAsItWasPacked) {
    Trail trail;
    trail.add(a_wait());
    trail.add(an_attempt());
    RefusalStep refusal;
    refusal.at = 4'000'000;
    refusal.reason = RefusalReason::deadline;
    refusal.retry_after = 7;
    trail.add(refusal);
    Life life = a_life("id1");
    life.steps = trail.packed();
    std::string packed;
    pack(packed, life);

    const auto back = unpack(packed);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->id, "id1");
    EXPECT_EQ(back->upstream_id, "aaaa-bbbb");
    EXPECT_EQ(back->max_tokens, 4096U);
    EXPECT_EQ(back->usage, life.usage);
    EXPECT_EQ(back->first_content, kNever);
    const auto steps = unpack_steps(back->steps);
    ASSERT_EQ(steps.size(), 3U);
    const auto& wait = std::get<WaitStep>(steps[0]);
    EXPECT_EQ(wait.cause, Hindrance::quota);
    EXPECT_EQ(wait.region, "us-east-1");
    EXPECT_EQ(wait.limit_kind, LimitKind::tokens);
    EXPECT_EQ(wait.used, 198'400U);
    EXPECT_EQ(wait.tokens_before, 60'000U);
    EXPECT_EQ(wait.turn, 11'000'000);
    EXPECT_EQ(wait.targets, 2U);
    const auto& attempt = std::get<AttemptStep>(steps[1]);
    EXPECT_EQ(attempt.account, "prod");
    EXPECT_EQ(attempt.tier, "flex");
    EXPECT_EQ(attempt.why.choice, Choice::spilled);
    EXPECT_EQ(attempt.why.first_hindered, Hindrance::breaker);
    EXPECT_EQ(attempt.why.input_held, 1'300U);
    EXPECT_TRUE(attempt.right_sized);
    EXPECT_EQ(attempt.status, 503);
    EXPECT_EQ(attempt.error, "ServiceUnavailableException");
    EXPECT_EQ(std::get<RefusalStep>(steps[2]).reason, RefusalReason::deadline);
}

TEST(Life, WhatIsCutShortIsNoLife) {
    std::string packed;
    pack(packed, a_life("id1"));
    for (std::size_t size = 0; size < packed.size(); ++size) {
        EXPECT_FALSE(unpack(std::string_view(packed).substr(0, size))) << size;
    }
    EXPECT_FALSE(unpack(packed + "x"));
    Trail trail;
    trail.add(a_wait());
    const auto steps = trail.packed();
    for (std::size_t size = 0; size < steps.size(); ++size) {
        EXPECT_TRUE(unpack_steps(steps.substr(0, size)).empty()) << size;
    }
}

TEST(Life, ATrailIsBoundedAndCountsWhatItLeavesOut) {
    Trail trail;
    for (int i = 0; i < 1000; ++i) {
        trail.add(a_wait());
    }
    EXPECT_LE(trail.packed().size(), Trail::kMostBytes);
    const auto kept = unpack_steps(trail.packed()).size();
    EXPECT_GT(kept, 10U);
    EXPECT_EQ(kept + trail.left_out(), 1000U);
}

TEST(Life, ALongNameIsCut) {
    std::string packed;
    Life life = a_life("id1");
    const std::string name(5000, 'm');
    life.model = name;
    pack(packed, life);
    EXPECT_LT(packed.size(), 1000U);
    EXPECT_EQ(unpack(packed)->model, std::string(200, 'm'));
}

TEST(TextRing, TheNewestPushOutTheOldestWithinTheMemory) {
    TextRing ring(1000, 100);
    std::vector<std::string> added;
    for (int i = 1; i <= 200; ++i) {
        // Sizes that never fill the memory evenly.
        added.push_back(std::string(40 + i * 7 % 90, static_cast<char>('a' + i % 26)));
        ring.add(static_cast<std::uint64_t>(i), 0, i, added.back());
        std::size_t bytes = 0;
        for (std::size_t k = 0; k < ring.size(); ++k) {
            const auto& entry = ring.entry(k);
            const std::size_t number = added.size() - ring.size() + k;
            EXPECT_EQ(entry.key, number + 1) << "an unbroken row up to the newest";
            EXPECT_EQ(ring.text(entry), added[number]);
            bytes += entry.size;
        }
        ASSERT_GE(ring.size(), 1U);
        EXPECT_LE(bytes, 1000U);
        EXPECT_EQ(ring.dropped_unix_ms(), i - static_cast<int>(ring.size()));
    }
    EXPECT_GE(ring.size(), 5U);
}

TEST(TextRing, IsBoundedInNumberAsWell) {
    TextRing ring(100'000, 3);
    for (std::uint64_t i = 1; i <= 10; ++i) {
        ring.add(i, 0, 0, "text");
    }
    ASSERT_EQ(ring.size(), 3U);
    EXPECT_EQ(ring.entry(0).key, 8U);
    EXPECT_EQ(ring.entry(2).key, 10U);
}

TEST(TextRing, WhatIsTooLargeOrHasNoRoomAtAllIsLeftOut) {
    TextRing ring(1000, 10);
    ring.add(1, 0, 0, std::string(251, 'x'));
    EXPECT_EQ(ring.size(), 0U);
    TextRing none(0, 10);
    none.add(1, 0, 0, "x");
    EXPECT_EQ(none.size(), 0U);
}

TEST(Lives, AreFoundByEitherId) {
    Lives lives(100'000, 100);
    lives.remember(a_life("mine"), false);
    EXPECT_TRUE(lives.find("mine"));
    EXPECT_TRUE(lives.find("aaaa-bbbb"));
    EXPECT_FALSE(lives.find("mine2"));
    EXPECT_FALSE(lives.find(""));
    EXPECT_EQ(unpack(*lives.find("aaaa-bbbb"))->id, "mine");
}

TEST(Lives, EventfulOnesOutliveAFloodOfOthers) {
    Lives lives(64'000, 1000);
    lives.remember(a_life("slow"), true);
    for (int i = 0; i < 5000; ++i) {
        lives.remember(a_life("other" + std::to_string(i)), false);
    }
    EXPECT_TRUE(lives.find("slow"));
    EXPECT_FALSE(lives.find("other0"));
    EXPECT_TRUE(lives.find("other4999"));
    const Kept kept = lives.kept();
    EXPECT_EQ(kept.eventful, 1U);
    EXPECT_GT(kept.requests, 50U);
    EXPECT_LE(kept.requests, 501U);
    EXPECT_GT(kept.since_unix_ms, 0) << "others have been dropped";
    EXPECT_EQ(kept.eventful_since_unix_ms, 0) << "of these none has";
}

TEST(Lives, NothingIsKeptWithoutMemory) {
    for (Lives* lives : {new Lives(0, 100), new Lives(1000, 0)}) {
        EXPECT_FALSE(lives->on());
        lives->remember(a_life("a"), true);
        EXPECT_FALSE(lives->find("a"));
        delete lives;
    }
}

}  // namespace
}  // namespace weir::observe
