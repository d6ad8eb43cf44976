#include "gateway/patience.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::array kBeforeAnything{Phase::connecting, Phase::sending, Phase::waiting};

struct PatienceTest : ::testing::Test {
    PatienceTest() {
        times.deadline = arrival + 55s;
        times.started = times.sent = arrival;
    }
    Patience at(Phase phase, Duration since_arrival = 0s) const {
        return patience(timeouts, times, phase, arrival + since_arrival);
    }

    TimeoutsConfig timeouts;
    Instant arrival = Instant{} + 1000s;
    AttemptTimes times;
};

TEST_F(PatienceTest, QueueDeadlineCutsAStreamUntilItsContent) {
    times.stream = true;
    for (const Phase phase : {Phase::connecting, Phase::sending, Phase::waiting, Phase::opening}) {
        EXPECT_EQ(at(phase, 10s).left, Duration(45s));
        EXPECT_EQ(at(phase, 10s).clock, Clock::deadline);
    }
    EXPECT_EQ(at(Phase::content, 54s).left, Duration(300s));
    EXPECT_EQ(at(Phase::content, 54s).clock, Clock::idle);
}

TEST_F(PatienceTest, QueueDeadlineLetsAWholeAnswerGoOn) {
    EXPECT_EQ(at(Phase::waiting, 10s).left, Duration(3590s));
    EXPECT_EQ(at(Phase::waiting, 10s).clock, Clock::answer);
    EXPECT_EQ(at(Phase::whole, 10s).left, Duration(300s));
    EXPECT_EQ(at(Phase::whole, 3500s).left, Duration(100s));
    EXPECT_EQ(at(Phase::whole, 3500s).clock, Clock::answer);
}

TEST_F(PatienceTest, AWholeAnswerMakesRoomForAnotherPlaceWhereThatIsAllowed) {
    times.elsewhere = true;
    for (const Phase phase : kBeforeAnything) {
        EXPECT_EQ(at(phase).clock, Clock::elsewhere);
        EXPECT_NEAR(to_seconds(at(phase).left), 55.0 / 3 * 2, 0.001);
    }
    EXPECT_EQ(at(Phase::whole).clock, Clock::idle);  // it speaks: not cut
}

TEST_F(PatienceTest, AStreamThatIsSilentMakesRoomForAnotherPlaceAndOneThatOpenedDoesNot) {
    times.stream = times.elsewhere = true;
    times.started = arrival + 25s;  // it waited
    EXPECT_EQ(at(Phase::waiting, 25s).left, Duration(20s));
    EXPECT_EQ(at(Phase::waiting, 25s).clock, Clock::elsewhere);
    EXPECT_EQ(at(Phase::opening, 25s).left, Duration(30s));
    EXPECT_EQ(at(Phase::opening, 25s).clock, Clock::deadline);
}

TEST_F(PatienceTest, TheCallersDeadlineBoundsAllButAStreamsContent) {
    times.asked = true;
    times.deadline = arrival + 2s;
    for (const bool stream : {false, true}) {
        times.stream = stream;
        for (const Phase phase :
             {Phase::connecting, Phase::sending, Phase::waiting, Phase::opening, Phase::whole}) {
            EXPECT_EQ(at(phase, 500ms).left, Duration(1500ms));
            EXPECT_EQ(at(phase, 500ms).clock, Clock::deadline);
        }
        EXPECT_EQ(at(Phase::content, 500ms).clock, Clock::idle);
    }
}

TEST_F(PatienceTest, TimeoutsThatAreShorterThanTheDeadlineEndItFirst) {
    timeouts.first_event = 3s;
    timeouts.answer = 4s;
    times.stream = true;
    EXPECT_EQ(at(Phase::waiting, 1s).left, Duration(2s));
    EXPECT_EQ(at(Phase::opening, 1s).clock, Clock::first_event);
    times.stream = false;
    EXPECT_EQ(at(Phase::waiting, 1s).left, Duration(3s));
}

TEST_F(PatienceTest, TimeThatIsOverIsAMillisecond) {
    times.asked = true;
    EXPECT_EQ(at(Phase::waiting, 100s).left, Duration(1ms));
    EXPECT_EQ(hold_left(timeouts, arrival, arrival + 9s), Duration(1ms));
}

TEST_F(PatienceTest, ACallWithoutADeadlineHasItsTimeoutsAlone) {
    times.deadline = Instant::max();
    times.stream = times.elsewhere = true;
    EXPECT_EQ(at(Phase::waiting).clock, Clock::first_event);
}

TEST_F(PatienceTest, TheHeadIsOutByTheTimeOfHold) {
    EXPECT_LT(hold_left(timeouts, arrival, arrival), timeouts.hold);
    EXPECT_GE(hold_left(timeouts, arrival, arrival), timeouts.hold / 10 * 9);
}

TEST_F(PatienceTest, APieceOfAnAnswerWaitsForSilenceOrTheCallersDeadline) {
    const auto piece = [&](Duration since) {
        return Clocks(timeouts, times, arrival).left_for_piece(arrival + since);
    };
    EXPECT_EQ(piece(50s).clock, Clock::idle) << "the deadline is weir's own";
    times.asked = true;
    EXPECT_EQ(piece(50s).clock, Clock::deadline);
    EXPECT_EQ(piece(50s).left, Duration(5s));
    EXPECT_EQ(piece(60s).left, Duration(1ms));
    timeouts.idle = 2s;
    EXPECT_EQ(piece(50s).clock, Clock::idle);
}

TEST_F(PatienceTest, WhatEndedAnAttemptIsSaidAndWhoIsToBlame) {
    struct Row {
        Clock clock;
        std::string_view words;
        int status;
    };
    for (const Row& row :
         {Row{Clock::deadline, "within the deadline of this call, 30000 ms", 504},
          Row{Clock::elsewhere, "what is left of the deadline is another", 0},
          Row{Clock::first_event, "no answer in time", 0},
          Row{Clock::answer, "no answer in time", 0}, Row{Clock::idle, "no answer in time", 0}}) {
        for (const bool sent : {false, true}) {
            Clocks clocks(timeouts, times, arrival);
            const Failure failure =
                clocks.over(row.clock, sent ? Stage::sent : Stage::not_sent, arrival + 30s);
            EXPECT_NE(failure.message.find(row.words), std::string::npos) << failure.message;
            EXPECT_EQ(failure.status, row.status);
            EXPECT_EQ(failure.cls, sent ? FailureClass::timeout : FailureClass::network);
            EXPECT_FALSE(failure.blameless) << "weir chose the time";
            EXPECT_EQ(clocks.past_deadline(), row.clock == Clock::deadline);
        }
    }
    times.asked = true;
    EXPECT_TRUE(Clocks(timeouts, times, arrival)
                    .over(Clock::deadline, Stage::sent, arrival + 19s)
                    .blameless);
    EXPECT_FALSE(Clocks(timeouts, times, arrival)
                     .over(Clock::deadline, Stage::sent, arrival + 20s)
                     .blameless)
        << "a silence that says something of the place";
}

BrokenSend kept_and_closed(Duration since_written) {
    BrokenSend send;
    send.reused = send.closed = true;
    send.since_written = since_written;
    return send;
}

TEST(HadBeenClosed, AKeptConnectionThatClosedAtOnceOrTookNothing) {
    EXPECT_TRUE(had_been_closed(kept_and_closed(0s)));
    EXPECT_TRUE(had_been_closed(kept_and_closed(999ms)));
    BrokenSend unwritten;
    unwritten.reused = unwritten.write_failed = true;
    EXPECT_TRUE(had_been_closed(unwritten));
}

TEST(HadBeenClosed, NotWhatMayHaveBeenReadAndPaid) {
    EXPECT_FALSE(had_been_closed(kept_and_closed(1s)));
    BrokenSend silent = kept_and_closed(0s);
    silent.closed = false;
    EXPECT_FALSE(had_been_closed(silent));
    BrokenSend begun = kept_and_closed(0s);
    begun.any_bytes = true;
    EXPECT_FALSE(had_been_closed(begun));
    BrokenSend fresh = kept_and_closed(0s);
    fresh.reused = false;
    EXPECT_FALSE(had_been_closed(fresh));
    fresh.write_failed = true;
    EXPECT_FALSE(had_been_closed(fresh));
}

}  // namespace
}  // namespace weir::gateway
