#include "policy/next_step.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::policy {
namespace {

Trouble trouble(FailureClass cls, Stage stage = Stage::sent) {
    Trouble made;
    made.cls = cls;
    made.stage = stage;
    return made;
}

TEST(NextStep, EveryClassAtItsFirstFailureOnceSent) {
    using enum FailureClass;
    struct Row {
        FailureClass cls;
        Next next;
        bool bar;
        bool doubtful;
    };
    const std::array rows{
        Row{quota_requests, Next::wait_for_quota, false, false},
        Row{quota_tokens, Next::wait_for_quota, false, false},
        Row{daily, Next::elsewhere, false, false},
        Row{capacity, Next::repeat, false, false},
        Row{overloaded, Next::repeat, false, false},
        Row{server, Next::repeat, false, false},
        Row{network, Next::repeat, false, false},
        Row{timeout, Next::end, false, false},
        Row{reset, Next::repeat, false, true},
        Row{slow_model, Next::end, false, false},
        Row{credentials, Next::same_again, false, false},
        Row{broken, Next::end, false, false},
        Row{truncated, Next::ask_again, false, false},
        Row{caller, Next::end, false, false},
    };
    ASSERT_EQ(rows.size(), kClassRules.size());
    for (const Row& row : rows) {
        SCOPED_TRACE(to_string(row.cls));
        const NextStep step = next_step(trouble(row.cls));
        EXPECT_EQ(step.next, row.next);
        EXPECT_EQ(step.bar, row.bar);
        EXPECT_EQ(step.doubtful, row.doubtful);
        EXPECT_FALSE(step.unfit);
    }
}

TEST(NextStep, NothingIsSentAgainAfterContentHasBegun) {
    for (const ClassRule& rule : kClassRules) {
        for (const bool allowed : {false, true}) {
            Trouble made = trouble(rule.cls, Stage::begun);
            made.stream = made.repeat_timeouts = made.blameless = allowed;
            made.misfit = allowed ? Misfit::no_access : Misfit::none;
            EXPECT_EQ(next_step(made).next, Next::end) << rule.name;
        }
    }
}

TEST(NextStep, WhatNeverLeftIsRepeatedWhateverEndedTheWait) {
    for (const auto cls : {FailureClass::timeout, FailureClass::reset, FailureClass::network}) {
        Trouble made = trouble(cls, Stage::not_sent);
        made.repeated_doubtful = true;
        EXPECT_EQ(next_step(made).next, Next::repeat);
        EXPECT_FALSE(next_step(made).doubtful);
        made.blameless = true;
        EXPECT_EQ(next_step(made).next, Next::elsewhere);  // at once, and not from the budget
    }
}

TEST(NextStep, AStreamThatTimedOutGoesElsewhereOnce) {
    Trouble made = trouble(FailureClass::timeout);
    made.stream = true;
    const NextStep first = next_step(made);
    EXPECT_EQ(first.next, Next::repeat);
    EXPECT_TRUE(first.bar);
    EXPECT_TRUE(first.doubtful);
    made.repeated_doubtful = true;
    EXPECT_EQ(next_step(made).next, Next::end);
}

TEST(NextStep, RepeatTimeoutsTakesTheBoundOff) {
    for (const auto cls : {FailureClass::timeout, FailureClass::reset}) {
        for (const bool stream : {false, true}) {
            Trouble made = trouble(cls);
            made.stream = stream;
            made.repeat_timeouts = made.repeated_doubtful = true;
            const NextStep step = next_step(made);
            EXPECT_EQ(step.next, Next::repeat);
            EXPECT_FALSE(step.bar);
        }
    }
}

TEST(NextStep, AResetIsRepeatedOnceForStreamsAndWholeAnswersAlike) {
    Trouble made = trouble(FailureClass::reset);
    made.repeated_doubtful = true;
    EXPECT_EQ(next_step(made).next, Next::end);
}

TEST(NextStep, ATargetFailsACallByItsOwnFaultTwiceAtMost) {
    Trouble made = trouble(FailureClass::server);
    EXPECT_FALSE(next_step(made).bar);
    made.server_failures = 1;
    EXPECT_TRUE(next_step(made).bar);
    EXPECT_EQ(next_step(made).next, Next::repeat);
}

TEST(NextStep, NewCredentialsAreTriedOnce) {
    Trouble made = trouble(FailureClass::credentials);
    made.refreshed = true;
    EXPECT_EQ(next_step(made).next, Next::end);
    made.other_account = true;
    EXPECT_EQ(next_step(made).next, Next::elsewhere);
    EXPECT_TRUE(next_step(made).bar);
}

TEST(NextStep, AnErrorOfTheCallersIsTheCallersUnlessItSpeaksOfTheTarget) {
    for (const auto cls : {FailureClass::caller, FailureClass::slow_model}) {
        Trouble made = trouble(cls);
        EXPECT_EQ(next_step(made).next, Next::end);
        made.misfit = Misfit::model_gone;
        EXPECT_EQ(next_step(made).next, Next::elsewhere);
        EXPECT_TRUE(next_step(made).bar);
        EXPECT_TRUE(next_step(made).unfit);
        made.misfit = Misfit::none;
        made.first_target = false;  // the first one took it: this one is the odd one out
        EXPECT_EQ(next_step(made).next, Next::elsewhere);
    }
}

}  // namespace
}  // namespace weir::policy
