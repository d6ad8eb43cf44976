#include "policy/throttle_spell.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

class ThrottleSpellTest : public ::testing::Test {
protected:
    ThrottleSpell::Ticket send() {
        const ThrottleSpell::Ticket ticket = spell.take();
        spell.sent(ticket, now);
        return ticket;
    }
    void refuse(ThrottleSpell::Ticket ticket, std::optional<Duration> retry_after = {}) {
        now += 20ms;
        spell.refused(ticket, retry_after, 20ms, random, now);
    }
    /// Goes to the next time at which an attempt may go.
    Duration wait() {
        const Instant before = now;
        now = std::max(now, spell.opens_at());
        spell.tick(now);
        return now - before;
    }

    ThrottleSpell spell{60s};
    Random random{1};
    const Instant start = Instant{} + 1000s;
    Instant now = start;
};

TEST_F(ThrottleSpellTest, IsOpenUntilARefusal) {
    EXPECT_FALSE(spell.active());
    EXPECT_LE(spell.opens_at(), now);
    refuse(send());
    EXPECT_TRUE(spell.active());
    EXPECT_GE(spell.opens_at(), now + 1s);
    EXPECT_LE(spell.opens_at(), now + 1300ms);
}

/// Of any length up to a minute; the round ones are over within two seconds.
TEST_F(ThrottleSpellTest, SeesTheEndSoonAndAsksRarely) {
    for (const Duration length : std::vector<Duration>{1s, 5s, 10s, 20s, 40s, 60s}) {
        spell = ThrottleSpell(60s);
        now = start;
        int refusals = 0;
        for (;;) {
            wait();
            const auto probe = send();
            if (now >= start + length) {
                EXPECT_TRUE(spell.accepted(probe));
                break;
            }
            EXPECT_EQ(spell.opens_at() > now, spell.active());
            refuse(probe);
            ++refusals;
        }
        EXPECT_LE(now, start + length + 2s) << to_seconds(length);
        EXPECT_LE(refusals, length <= 40s ? 12 : 16) << to_seconds(length);
    }
}

TEST_F(ThrottleSpellTest, OneProbeAtATime) {
    refuse(send());
    wait();
    const auto probe = spell.take();
    EXPECT_EQ(spell.opens_at(), Instant::max());  // granted, not sent
    spell.sent(probe, now);
    EXPECT_GT(spell.opens_at(), now);
    spell.lost(probe);
    EXPECT_LE(spell.opens_at(), now);
}

TEST_F(ThrottleSpellTest, WidensRoundByRoundAfterAnAcceptance) {
    refuse(send());
    wait();
    auto last = send();
    for (std::uint32_t round = 2; round <= 64; round *= 2) {
        EXPECT_TRUE(spell.accepted(last));
        ASSERT_TRUE(spell.active());
        for (std::uint32_t i = 0; i < round; ++i) {
            EXPECT_LE(spell.opens_at(), now);
            last = send();
        }
        EXPECT_GT(spell.opens_at(), now);
    }
    EXPECT_TRUE(spell.accepted(last));
    EXPECT_FALSE(spell.active());
}

/// An answer that is not streamed comes when it is complete; a refusal would have come long before.
TEST_F(ThrottleSpellTest, SilenceIsAcceptance) {
    refuse(send());
    wait();
    const auto probe = send();
    EXPECT_LE(wait(), 500ms);
    EXPECT_FALSE(spell.probing());
    send();
    EXPECT_LE(spell.opens_at(), now);  // two at a time now
    // It was refused after all, late: the spell goes on, and more patience is shown from now on.
    now += 400ms;
    spell.refused(probe, {}, 700ms, random, now);
    EXPECT_TRUE(spell.probing());
    wait();
    send();
    EXPECT_EQ(wait(), 2s);
}

TEST_F(ThrottleSpellTest, WhatWasOnItsWayIsNoNews) {
    const auto first = send();
    const auto second = send();
    refuse(first);
    const Instant at = spell.opens_at();
    EXPECT_FALSE(spell.news(second));
    refuse(second);
    EXPECT_EQ(spell.opens_at(), at);
    EXPECT_EQ(spell.refused_probes(), 0U);
    // Nor is an answer to what was sent before the refusal.
    EXPECT_FALSE(spell.accepted(second));
    EXPECT_TRUE(spell.probing());
}

TEST_F(ThrottleSpellTest, TheServersWordWins) {
    refuse(send(), 200ms);
    EXPECT_LE(spell.opens_at(), now + 500ms);
    wait();
    refuse(send(), 30s);
    EXPECT_GE(spell.opens_at(), now + 30s);
    EXPECT_LE(spell.opens_at(), now + 31s);
    wait();
    refuse(send(), 10h);
    EXPECT_LE(spell.opens_at(), now + 5min + 1s);
}

TEST_F(ThrottleSpellTest, ScalesWithTheWindow) {
    spell = ThrottleSpell(6s);
    refuse(send());
    EXPECT_LE(spell.opens_at(), now + 400ms);
}

}  // namespace
}  // namespace weir::policy
