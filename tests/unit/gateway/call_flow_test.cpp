#include "gateway/call_flow.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>
#include <vector>

namespace weir::gateway {
namespace {

using Action = CallFlow::Action;

/// Counts what it grants and how each grant ends; says no more than it is told to.
struct Books final : Decider {
    Decision next = Grant();
    int grants = 0;
    int ends = 0;
    int waiting = 0;  // 1: the call is in the queue
    int sent_count = 0;
    int began_count = 0;
    bool throws = false;
    std::optional<Usage> cancelled_with;

    Decision decide() {
        grants += std::holds_alternative<Grant>(next) ? 1 : 0;
        waiting += std::holds_alternative<Wait>(next) ? 1 : 0;
        return next;
    }
    Decision offer(const Call& /*call*/) override { return decide(); }
    void sent() override { ++sent_count; }
    void began() override { ++began_count; }
    Decision report(const Failure& failure) override {
        EXPECT_EQ(waiting, 0);
        ++ends;
        if (failure.stage == Stage::begun) {
            return Refusal();
        }
        return decide();
    }
    void settle(const Usage& /*usage*/) override { ++ends; }
    void cancel(const std::optional<Usage>& so_far) override {
        if (throws) {
            throw std::runtime_error("no memory");
        }
        if (waiting > 0) {
            --waiting;
        } else {
            ++ends;
        }
        cancelled_with = so_far;
    }
    /// The engine hands on a call that waited.
    Decision wake() {
        --waiting;
        ++grants;
        return Grant();
    }
};

Failure failure_of(FailureClass cls, Stage stage = Stage::sent) {
    Failure failure;
    failure.cls = cls;
    failure.stage = stage;
    return failure;
}

TEST(CallFlow, AGrantThatIsAnsweredIsSettledOnce) {
    Books books;
    CallFlow flow(books);
    EXPECT_EQ(flow.offer(Call()), Action::send);
    flow.sent();
    flow.began();
    flow.began();
    EXPECT_EQ(flow.complete(Usage()), Action::done);
    EXPECT_EQ(flow.complete(Usage()), Action::done);
    EXPECT_EQ(flow.stopped(std::nullopt), Action::done);
    EXPECT_EQ(books.ends, 1);
    EXPECT_EQ(books.sent_count, 1);
    EXPECT_EQ(books.began_count, 1);
}

TEST(CallFlow, ARefusalIsTheLastWordAndHoldsNothing) {
    Books books;
    Refusal refusal;
    refusal.reason = RefusalReason::queue_full;
    books.next = refusal;
    {
        CallFlow flow(books);
        EXPECT_EQ(flow.offer(Call()), Action::answer);
        EXPECT_EQ(flow.refusal().reason, RefusalReason::queue_full);
    }
    EXPECT_EQ(books.ends, 0);
    EXPECT_FALSE(books.cancelled_with.has_value());
}

TEST(CallFlow, OneThatLeavesWhileItWaitsIsTakenOut) {
    Books books;
    books.next = Wait();
    CallFlow flow(books);
    EXPECT_EQ(flow.offer(Call()), Action::wait);
    EXPECT_EQ(flow.stopped(std::nullopt), Action::done);
    EXPECT_EQ(books.waiting, 0);
    EXPECT_EQ(flow.decided(Grant()), Action::done);  // a wake that was on its way
}

TEST(CallFlow, KeysAreFetchedAnewOnce) {
    Books books;
    CallFlow flow(books);
    flow.offer(Call());
    EXPECT_EQ(flow.failed(failure_of(FailureClass::credentials)), Action::refresh);
    EXPECT_EQ(flow.refreshed(), Action::send);
    EXPECT_EQ(flow.failed(failure_of(FailureClass::credentials)), Action::send);
    EXPECT_EQ(books.grants, 3);
    EXPECT_EQ(books.ends, 2);
}

TEST(CallFlow, OneThatLeavesWhileKeysAreFetchedEndsItsGrant) {
    Books books;
    CallFlow flow(books);
    flow.offer(Call());
    ASSERT_EQ(flow.failed(failure_of(FailureClass::credentials)), Action::refresh);
    flow.stopped(std::nullopt);
    EXPECT_EQ(flow.refreshed(), Action::done);
    EXPECT_EQ(books.ends, books.grants);
}

TEST(CallFlow, NothingIsSentAgainAfterContent) {
    for (const auto cls : {FailureClass::quota_tokens, FailureClass::capacity,
                           FailureClass::network, FailureClass::reset, FailureClass::timeout,
                           FailureClass::credentials, FailureClass::broken}) {
        Books books;
        CallFlow flow(books);
        flow.offer(Call());
        flow.sent();
        flow.began();
        EXPECT_EQ(flow.failed(failure_of(cls, Stage::begun)), Action::done);
        EXPECT_EQ(books.grants, 1);
        EXPECT_EQ(books.ends, 1);
    }
}

TEST(CallFlow, AnExceptionOnTheWayEndsWhatIsHeld) {
    Books books;
    try {
        CallFlow flow(books);
        flow.offer(Call());
        throw std::runtime_error("on the way");
    } catch (const std::runtime_error&) {
        EXPECT_EQ(books.ends, 1);
    }
}

TEST(CallFlow, AGuardThatCannotSayItDoesNotEndTheProcess) {
    Books books;
    books.throws = true;
    {
        CallFlow flow(books);
        flow.offer(Call());
    }
    EXPECT_EQ(books.ends, 0);
}

TEST(CallFlow, WhateverHappensInWhateverOrderEachGrantEndsOnce) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](int of) { return std::uniform_int_distribution<>(0, of - 1)(random); };
    for (int round = 0; round < 5000; ++round) {
        Books books;
        const auto draw = [&] {
            switch (pick(3)) {
                case 0:
                    books.next = Wait();
                    break;
                case 1:
                    books.next = Refusal();
                    break;
                default:
                    books.next = Grant();
                    break;
            }
        };
        {
            CallFlow flow(books);
            draw();
            flow.offer(Call());
            for (int step = pick(12); step > 0; --step) {
                draw();
                switch (pick(8)) {
                    case 0:
                        if (books.waiting > 0) {
                            flow.decided(books.wake());
                        }
                        break;
                    case 1:
                        flow.sent();
                        break;
                    case 2:
                        flow.began();
                        break;
                    case 3:
                        flow.failed(failure_of(static_cast<FailureClass>(pick(14)),
                                               static_cast<Stage>(pick(2))));
                        break;
                    case 4:
                        flow.complete(Usage());
                        break;
                    case 5:
                        flow.broken(failure_of(FailureClass::broken, Stage::begun));
                        break;
                    case 6:
                        flow.stopped(std::nullopt);
                        break;
                    default:
                        flow.refreshed();
                        break;
                }
                ASSERT_LE(books.ends, books.grants);
            }
        }
        ASSERT_EQ(books.ends, books.grants);
        ASSERT_EQ(books.waiting, 0);
    }
}

}  // namespace
}  // namespace weir::gateway
