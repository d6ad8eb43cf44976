#include "gateway/attempt.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::array kBeforeAnything{Phase::connecting, Phase::sending, Phase::waiting};

struct AttemptTest : ::testing::Test {
    AttemptTest() {
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

TEST_F(AttemptTest, QueueDeadlineCutsAStreamUntilItsContent) {
    times.stream = true;
    for (const Phase phase : {Phase::connecting, Phase::sending, Phase::waiting, Phase::opening}) {
        EXPECT_EQ(at(phase, 10s).left, Duration(45s));
        EXPECT_EQ(at(phase, 10s).clock, Clock::deadline);
    }
    EXPECT_EQ(at(Phase::content, 54s).left, Duration(300s));
    EXPECT_EQ(at(Phase::content, 54s).clock, Clock::idle);
}

TEST_F(AttemptTest, QueueDeadlineLetsAWholeAnswerGoOn) {
    EXPECT_EQ(at(Phase::waiting, 10s).left, Duration(3590s));
    EXPECT_EQ(at(Phase::waiting, 10s).clock, Clock::answer);
    EXPECT_EQ(at(Phase::whole, 10s).left, Duration(300s));
    EXPECT_EQ(at(Phase::whole, 3500s).left, Duration(100s));
    EXPECT_EQ(at(Phase::whole, 3500s).clock, Clock::answer);
}

TEST_F(AttemptTest, AWholeAnswerMakesRoomForAnotherPlaceWhereThatIsAllowed) {
    times.elsewhere = true;
    for (const Phase phase : kBeforeAnything) {
        EXPECT_EQ(at(phase).clock, Clock::elsewhere);
        EXPECT_NEAR(to_seconds(at(phase).left), 55.0 / 3 * 2, 0.001);
    }
    EXPECT_EQ(at(Phase::whole).clock, Clock::idle);  // it speaks: not cut
}

TEST_F(AttemptTest, AStreamThatIsSilentMakesRoomForAnotherPlaceAndOneThatOpenedDoesNot) {
    times.stream = times.elsewhere = true;
    times.started = arrival + 25s;  // it waited
    EXPECT_EQ(at(Phase::waiting, 25s).left, Duration(20s));
    EXPECT_EQ(at(Phase::waiting, 25s).clock, Clock::elsewhere);
    EXPECT_EQ(at(Phase::opening, 25s).left, Duration(30s));
    EXPECT_EQ(at(Phase::opening, 25s).clock, Clock::deadline);
}

TEST_F(AttemptTest, TheCallersDeadlineBoundsAllButAStreamsContent) {
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

TEST_F(AttemptTest, TimeoutsThatAreShorterThanTheDeadlineEndItFirst) {
    timeouts.first_event = 3s;
    timeouts.answer = 4s;
    times.stream = true;
    EXPECT_EQ(at(Phase::waiting, 1s).left, Duration(2s));
    EXPECT_EQ(at(Phase::opening, 1s).clock, Clock::first_event);
    times.stream = false;
    EXPECT_EQ(at(Phase::waiting, 1s).left, Duration(3s));
}

TEST_F(AttemptTest, TimeThatIsOverIsAMillisecond) {
    times.asked = true;
    EXPECT_EQ(at(Phase::waiting, 100s).left, Duration(1ms));
    EXPECT_EQ(hold_left(timeouts, arrival, arrival + 9s), Duration(1ms));
}

TEST_F(AttemptTest, ACallWithoutADeadlineHasItsTimeoutsAlone) {
    times.deadline = Instant::max();
    times.stream = times.elsewhere = true;
    EXPECT_EQ(at(Phase::waiting).clock, Clock::first_event);
}

TEST_F(AttemptTest, TheHeadIsOutByTheTimeOfHold) {
    EXPECT_LT(hold_left(timeouts, arrival, arrival), timeouts.hold);
    EXPECT_GE(hold_left(timeouts, arrival, arrival), timeouts.hold / 10 * 9);
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
