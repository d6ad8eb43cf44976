#include "policy/evidence.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;
using View = Evidence::View;

class EvidenceTest : public ::testing::Test {
protected:
    void good(std::uint64_t client) { evidence.good({++call, client}, rule.window, now); }
    std::uint64_t bad(std::uint64_t client, bool doubted = false) {
        evidence.bad({++call, client}, 1, doubted, rule.window, now);
        return call;
    }
    bool condemned(View view = View::believed) const { return evidence.condemns(rule, view, now); }

    Evidence::Rule rule;
    Evidence evidence;
    Instant now = Instant{} + 1000s;
    std::uint64_t call = 0;
};

TEST_F(EvidenceTest, TheTriesOfOneCallCountOnce) {
    for (int i = 0; i < 20; ++i) {
        evidence.bad({77, 1}, 1, false, rule.window, now);
    }
    EXPECT_FALSE(condemned());
    EXPECT_EQ(evidence.total(rule.window, now), 1U);
}

TEST_F(EvidenceTest, OneClientAloneCondemnsWhereNobodyElseSucceeds) {
    for (int i = 0; i < 4; ++i) {
        bad(1);
    }
    EXPECT_FALSE(condemned());
    bad(1);
    EXPECT_TRUE(condemned());
}

TEST_F(EvidenceTest, OneClientAloneDoesNotCondemnWhereAnotherSucceeds) {
    good(2);
    for (int i = 0; i < 60; ++i) {
        bad(1);
    }
    EXPECT_FALSE(condemned());
    now += rule.window + 1s;  // the other one has been silent since
    bad(1);
    EXPECT_TRUE(condemned());
}

TEST_F(EvidenceTest, OneStrayFailureOfAnotherClientIsNotEnoughTwoAre) {
    good(2);
    for (int i = 0; i < 30; ++i) {
        bad(1);
    }
    bad(2);
    EXPECT_FALSE(condemned());
    bad(2);
    EXPECT_TRUE(condemned());
}

TEST_F(EvidenceTest, AClientThatSucceededUntilJustNowIsBelievedAfterManyFailures) {
    good(2);
    good(1);
    for (int i = 0; i < 19; ++i) {
        bad(1);
    }
    EXPECT_FALSE(condemned());
    bad(1);
    EXPECT_TRUE(condemned());
}

TEST_F(EvidenceTest, AFloodOfFailuresBesideSuccessesDoesNotCondemnByShare) {
    for (int i = 0; i < 10; ++i) {
        for (int k = 0; k < 20; ++k) {
            bad(1);
        }
        good(2);
        now += 500ms;
        EXPECT_FALSE(condemned());
    }
}

TEST_F(EvidenceTest, HalfOfEverybodysCallsFailing) {
    for (int i = 0; i < 12; ++i) {
        now += 100ms;
        for (std::uint64_t client = 1; client <= 4; ++client) {
            if (client % 2 == 0 || i % 4 == 0) {
                good(client);
            } else {
                bad(client);
            }
        }
    }
    EXPECT_FALSE(condemned());
    for (int i = 0; i < 30; ++i) {
        now += 100ms;
        for (std::uint64_t client = 1; client <= 4; ++client) {
            if ((static_cast<int>(client) + i) % 3 == 0) {
                good(client);
            } else {
                bad(client);
            }
        }
    }
    EXPECT_TRUE(condemned());
}

TEST_F(EvidenceTest, DoubtedFailuresCountOnlyInTheRawViewUntilTheyAreBelieved) {
    for (int i = 0; i < 5; ++i) {
        bad(1, true);
    }
    EXPECT_FALSE(condemned());
    EXPECT_TRUE(condemned(View::raw));
    evidence.believe(rule.window, now);
    EXPECT_TRUE(condemned());
}

TEST_F(EvidenceTest, WhatACallSaidIsTakenBack) {
    std::uint64_t last = 0;
    for (int i = 0; i < 5; ++i) {
        last = bad(1);
    }
    ASSERT_TRUE(condemned());
    EXPECT_TRUE(evidence.doubt(last, rule.window, now));
    EXPECT_FALSE(condemned());
    EXPECT_FALSE(evidence.doubt(last, rule.window, now));
    EXPECT_FALSE(evidence.doubt(123456, rule.window, now));
}

TEST_F(EvidenceTest, AStreamThatBreaksIsNoSuccess) {
    for (std::uint64_t i = 1; i <= 5; ++i) {
        evidence.good({i, 1}, rule.window, now);
    }
    for (std::uint64_t i = 1; i <= 4; ++i) {
        evidence.broke({i, 1}, rule.window, now);
        EXPECT_FALSE(condemned());
    }
    evidence.broke({5, 1}, rule.window, now);
    EXPECT_TRUE(condemned());
    EXPECT_EQ(evidence.total(rule.window, now), 5U);
}

}  // namespace
}  // namespace weir::policy
