#include "policy/unknown_past.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "unit/given.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

constexpr Instant kUntil = kStart + 60s;

UnknownPast begun() {
    UnknownPast past(60s);
    past.begin(kStart, kUntil);
    return past;
}

TEST(UnknownPast, IsKnownUntilItIsSaidNotToBe) {
    UnknownPast past(60s);
    EXPECT_FALSE(past.active());
    EXPECT_EQ(past.opens_at(), Instant::min());
    UnknownPast::Ticket ticket = past.take();
    EXPECT_FALSE(ticket.out);
    past.sent(ticket, kStart);
    EXPECT_FALSE(past.accepted(ticket));
}

TEST(UnknownPast, OneThenTwoAreWithoutAVerdict) {
    UnknownPast past = begun();
    UnknownPast::Ticket first = past.take();
    EXPECT_EQ(past.opens_at(), Instant::max()) << "until it is sent";
    past.sent(first, kStart);
    EXPECT_EQ(past.opens_at(), kStart + 200ms);
    EXPECT_TRUE(past.accepted(first));
    UnknownPast::Ticket second = past.take();
    past.sent(second, kStart + 50ms);
    EXPECT_LE(past.opens_at(), kStart + 50ms);
    UnknownPast::Ticket third = past.take();
    EXPECT_EQ(past.opens_at(), kStart + 250ms);
    past.lost(third);
    EXPECT_LE(past.opens_at(), kStart + 50ms);
}

TEST(UnknownPast, SilenceIsAVerdict) {
    UnknownPast past = begun();
    UnknownPast::Ticket first = past.take();
    past.sent(first, kStart);
    past.tick(kStart + 199ms);
    EXPECT_GT(past.opens_at(), kStart + 199ms);
    past.tick(kStart + 200ms);
    EXPECT_LE(past.opens_at(), kStart + 200ms);
    EXPECT_FALSE(past.accepted(first)) << "it counted already";
}

TEST(UnknownPast, EndsWithTheWindow) {
    UnknownPast past = begun();
    UnknownPast::Ticket open = past.take();
    past.sent(open, kStart);
    past.refused(open, true, kStart + 40ms);
    EXPECT_TRUE(past.spent());
    past.tick(kUntil);
    EXPECT_FALSE(past.active());
    EXPECT_EQ(past.opens_at(), Instant::min());
}

TEST(UnknownPast, MoreGoTheMoreWereAccepted) {
    UnknownPast past = begun();
    for (int i = 0; i < 320; ++i) {
        UnknownPast::Ticket ticket = past.take();
        past.sent(ticket, kStart + i * 1ms);
        past.accepted(ticket);
    }
    std::vector<UnknownPast::Ticket> out;
    while (past.opens_at() <= kStart + 1s && out.size() < 1000) {
        out.push_back(past.take());
        past.sent(out.back(), kStart + 1s);
    }
    EXPECT_EQ(out.size(), 20U);
}

/// Sends whenever it may to a service that takes what `takes` says; gives the refusals until the
/// window is over.
template <class Takes>
int greedy(bool limited, Duration travel, Takes takes) {
    UnknownPast past = begun();
    struct Sent {
        Instant back;
        bool taken;
        UnknownPast::Ticket ticket;
    };
    std::deque<Sent> under_way;
    int refusals = 0;
    for (Instant now = kStart; now < kUntil; now += 5ms) {
        past.tick(now);
        while (!under_way.empty() && under_way.front().back <= now) {
            Sent sent = under_way.front();
            under_way.pop_front();
            if (sent.taken) {
                past.accepted(sent.ticket);
            } else {
                past.refused(sent.ticket, limited, now);
                ++refusals;
            }
        }
        while (past.opens_at() <= now) {
            UnknownPast::Ticket ticket = past.take();
            past.sent(ticket, now);
            under_way.push_back({now + travel, takes(now), ticket});
        }
    }
    return refusals;
}

TEST(UnknownPast, AServiceThatRefusesAllIsAskedThreeTimes) {
    for (const bool limited : {true, false}) {
        EXPECT_EQ(greedy(limited, 40ms, [](Instant) { return false; }), 3) << limited;
    }
}

TEST(UnknownPast, RefusesNoMoreThanThreeWhateverComesBack) {
    EXPECT_TRUE(rc::check("few refusals at any quota below 48 calls", [] {
        const bool limited = *rc::gen::arbitrary<bool>();
        const int room = *rc::gen::inRange(0, 40);
        const auto freed = std::chrono::milliseconds(*rc::gen::inRange(500, 60'000));
        const auto travel = std::chrono::milliseconds(*rc::gen::inRange(5, 190));
        int taken = 0;
        const int refusals = greedy(limited, travel, [&](Instant now) {
            const bool takes = taken < room + (now - kStart) / freed && taken < 47;
            taken += takes ? 1 : 0;
            return takes;
        });
        RC_ASSERT(refusals <= 3);
    }));
}

}  // namespace
}  // namespace weir::policy
