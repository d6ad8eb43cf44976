// The two lists that the engine keeps beside its rooms: what is due, and the records of calls.
#include "policy/agenda.h"

#include <gtest/gtest.h>

#include "policy/call_book.h"
#include "unit/given.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

TEST(Agenda, TimersAreDueInTheirOrderAndOnce) {
    Agenda agenda;
    Timer a{{}, kNotInHeap, TimerKind::call, nullptr};
    Timer b = a;
    EXPECT_EQ(agenda.next(), std::nullopt);
    agenda.arm(a, kStart + 2s);
    agenda.arm(b, kStart + 1s);
    EXPECT_EQ(agenda.next(), kStart + 1s);
    EXPECT_EQ(agenda.due(kStart), nullptr);
    EXPECT_EQ(agenda.due(kStart + 3s), &b);
    agenda.arm(b, kStart + 4s);
    EXPECT_EQ(agenda.due(kStart + 3s), &a) << "a timer has one time";
    agenda.disarm(a);
    agenda.disarm(a);
    EXPECT_FALSE(Agenda::armed(a));
    EXPECT_EQ(agenda.next(), kStart + 4s);
    agenda.arm(b, Instant::max());
    EXPECT_EQ(agenda.next(), std::nullopt) << "never";
}

TEST(Agenda, ArmByOnlyBringsATimerForward) {
    Agenda agenda;
    Timer timer{{}, kNotInHeap, TimerKind::lane, nullptr};
    agenda.arm_by(timer, kStart + 2s);
    agenda.arm_by(timer, kStart + 3s);
    EXPECT_EQ(agenda.next(), kStart + 2s);
    agenda.arm_by(timer, kStart + 1s);
    EXPECT_EQ(agenda.next(), kStart + 1s);
}

TEST(Agenda, ATargetIsListedOnceAndForgottenWithItsTimer) {
    Agenda agenda;
    TargetState a(RetryConfig{}, BreakerConfig{});
    TargetState b(RetryConfig{}, BreakerConfig{});
    agenda.dirty(&a);
    agenda.dirty(&b);
    agenda.dirty(&a);
    EXPECT_EQ(agenda.take_dirty(), &b);
    EXPECT_EQ(agenda.take_dirty(), &a);
    EXPECT_EQ(agenda.take_dirty(), nullptr);
    agenda.dirty(&a);
    agenda.arm(a.timer, kStart);
    agenda.forget(&a);
    EXPECT_FALSE(agenda.any_dirty());
    EXPECT_EQ(agenda.next(), std::nullopt);
}

TEST(CallBook, ARecordIsFoundUntilItIsForgottenAndItsMemoryIsUsedAgain) {
    CallBook book;
    const CallId first{1, 2, 3};
    const CallId second{1, 2, 4};
    CallRecord* record = book.add(first);
    EXPECT_EQ(book.find(first), record);
    EXPECT_EQ(book.find(second), nullptr) << "a stale generation";
    EXPECT_EQ(book.find(first), record);
    book.forget(record);
    EXPECT_EQ(book.find(first), nullptr);
    EXPECT_TRUE(book.all().empty());
    EXPECT_EQ(book.add(second), record);
    EXPECT_EQ(book.find(second)->id, second);
    EXPECT_EQ(book.all(), std::vector{record});
}

}  // namespace
}  // namespace weir::policy
