// What comes back, and what goes wrong on its way: bounds, clients that do not take it, clocks.
#include "codec/crc32.h"
#include "relay_world.h"

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using Turn = Relay::Turn;
using net::NetError;

Step meanwhile(NetError what, std::function<void()> first) {
    Step step = error(what);
    step.first = std::move(first);
    return step;
}

TEST_F(RelayTest, AWholeAnswerEndsWithItsClientOrTheDrain) {
    for (const bool drain : {false, true}) {
        stop = {};
        Script script = with_length("{}");
        script.body = {bytes("{"), meanwhile(NetError::interrupted, [&, drain] {
                           (drain ? stop.drained : stop.gone) = true;
                       })};
        whole(script);
        EXPECT_EQ(judge(), drain ? Turn::over : Turn::gone);
        EXPECT_FALSE(client.answered());
        EXPECT_FALSE(seen.back().reusable);
        EXPECT_EQ(seen.back().released, 1);
    }
}

TEST_F(RelayTest, AWholeAnswerWithoutALengthEndsWithItsBody) {
    Script script;
    script.body = {bytes("{}"), end_of_body()};
    whole(script);
    EXPECT_EQ(judge(), Turn::complete);
    end();
    EXPECT_EQ(client.body, "{}");
}

TEST_F(RelayTest, WhatIsTooLargeToHoldIsNeverHeld) {
    const std::string large(2 << 20, 'x');
    whole(with_length(large));
    EXPECT_EQ(judge(), Turn::flowing) << "by its length";
    EXPECT_EQ(pass(), Turn::complete);
    EXPECT_EQ(client.body.size(), large.size());
    limits.max_buffered = 10;
    Script script;
    script.body = {bytes(std::string(100, 'y')), end_of_body()};
    whole(script);
    EXPECT_EQ(judge(), Turn::flowing) << "by what may be buffered";
}

TEST_F(RelayTest, ALargeAnswerThatItsClientDoesNotTake) {
    for (const bool at_head : {false, true}) {
        client.fails_at_head = at_head;
        client.fails = at_head ? std::nullopt : std::optional(NetError::timeout);
        Script script;
        script.body = {bytes(std::string(1100 << 10, 'x')), hang()};
        whole(script);
        EXPECT_EQ(judge(), Turn::flowing);
        EXPECT_EQ(pass(), Turn::gone);
        EXPECT_EQ(answer->not_taken()->error, at_head ? NetError::reset : NetError::timeout);
        EXPECT_EQ(seen.back().released, 1);
    }
}

TEST_F(RelayTest, ALargeAnswerThatBreaksOffIsThePlacesFaultWhateverTheCallersDeadline) {
    times.asked = true;
    times.deadline = times.started + 5s;
    Script script;
    script.body = {bytes(std::string(1100 << 10, 'x')), error(NetError::reset)};
    whole(script);
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::broken);
    script.body = {bytes(std::string(1100 << 10, 'x')),
                   meanwhile(NetError::interrupted, [&] { stop.gone = true; })};
    whole(script);
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::gone);
}

TEST_F(RelayTest, AnErrorIsClassedByAsMuchOfItAsCame) {
    const auto read = [&](std::deque<Step> body) {
        Script script;
        script.head = "HTTP/1.1 503 Down\r\nx-amzn-ErrorType: ServiceUnavailableException\r\n\r\n";
        script.body = std::move(body);
        open(std::move(script));
        return *run(loop, read_error(*attempt, stop, 2 << 20, buffered, reader, 0, ""));
    };
    const auto broken = read({bytes(R"({"message":)"), error(NetError::reset)});
    EXPECT_EQ(broken.failure.cls, FailureClass::capacity);
    EXPECT_FALSE(seen.back().reusable);
    const auto long_one = read({bytes(std::string(1 << 20, 'x')), hang()});
    EXPECT_EQ(long_one.failure.cls, FailureClass::capacity) << "no more of it is read";
    const auto beyond = read({bytes(std::string(3 << 20, 'x')), hang()});
    EXPECT_EQ(beyond.failure.cls, FailureClass::capacity) << "nor beyond what may be buffered";
}

TEST_F(RelayTest, ASilentStreamIsGivenUpWhenItsTimeIsUp) {
    times.stream = true;
    timeouts.hold = 1h;
    stream({error(NetError::timeout)});
    EXPECT_EQ(judge(), Turn::failed);
    EXPECT_EQ(answer->failure().cls, FailureClass::timeout);
    EXPECT_FALSE(client.answered());
    timeouts.hold = 1ms;
    stream({bytes(kStart), error(NetError::timeout), error(NetError::timeout)});
    EXPECT_EQ(judge(), Turn::failed) << "shown, and silent ever after";
    EXPECT_EQ(client.body, kStart);
}

TEST_F(RelayTest, AStreamShowsLifeByItsHeadAlone) {
    timeouts.hold = 1ms;
    stream({error(NetError::timeout), bytes(kStart + kDelta + kStop + kMetadata)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_TRUE(client.flushed);
    EXPECT_EQ(client.body, "");
    EXPECT_EQ(pass(), Turn::complete);
    end();
    EXPECT_EQ(client.body, kStart + kDelta + kStop + kMetadata);
}

TEST_F(RelayTest, AStreamWithoutContentIsGivenWholeAfterItsOpeningToo) {
    timeouts.hold = 1ms;
    stream({bytes(kStart), error(NetError::timeout), bytes(kStop + kMetadata)});
    EXPECT_EQ(judge(), Turn::complete);
    EXPECT_EQ(client.body, kStart);
    end();
    EXPECT_EQ(client.body, kStart + kStop + kMetadata);
    EXPECT_TRUE(client.ended);
}

TEST_F(RelayTest, WhoeverDoesNotTakeTheSignOfLifeIsGone) {
    timeouts.hold = 1ms;
    for (const auto& body : {std::deque<Step>{error(NetError::timeout)},
                             std::deque<Step>{bytes(kStart), error(NetError::timeout)}}) {
        client.fails = NetError::timeout;
        client.fails_at_head = body.size() == 1;
        stream(body);
        EXPECT_EQ(judge(), Turn::gone);
        EXPECT_TRUE(answer->not_taken());
    }
}

TEST_F(RelayTest, AStreamThatCannotBeBegunIsNotTaken) {
    client.fails_at_head = true;
    stream({bytes(kStart + kDelta), hang()});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::gone);
    EXPECT_TRUE(answer->not_taken());
}

TEST_F(RelayTest, OneThatLeavesBeforeTheUsageIsKnownHasLeft) {
    stream({bytes(kStart + kDelta + kStop),
            meanwhile(NetError::interrupted, [&] { stop.gone = true; })});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::gone);
}

TEST_F(RelayTest, AnEventBeyondTheProtocolIsWeirsOwnEnd) {
    std::string huge = kDelta;
    huge.replace(0, 4, std::string("\x7f\xff\xff\xff", 4));  // its length
    const std::uint32_t sum = codec::crc32(std::string_view(huge).substr(0, 8));
    for (int i = 0; i < 4; ++i) {
        huge[static_cast<std::size_t>(8 + i)] = static_cast<char>(sum >> (24 - 8 * i));
    }
    stream({bytes(kStart + kDelta), bytes(huge)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::over);
    EXPECT_EQ(answer->error().status, 424);
    EXPECT_EQ(events->state(), StreamRelay::State::too_large);
}

TEST_F(RelayTest, AClientThatDoesNotTakeABrokenStreamsEndIsCut) {
    for (const bool excepted : {false, true}) {
        stream({bytes(kStart + kDelta), excepted ? bytes(kThrottled) : error(NetError::reset)});
        EXPECT_EQ(judge(), Turn::flowing);
        EXPECT_EQ(pass(), Turn::broken);
        client.fails = NetError::timeout;
        end();
        EXPECT_TRUE(client.aborted);
        client.fails.reset();
        client.aborted = false;
    }
}

TEST_F(RelayTest, AClientThatDoesNotTakeTheRestOfAnOpenedStream) {
    timeouts.hold = 1ms;
    stream({bytes(kStart), error(NetError::timeout), bytes(kStop + kMetadata)});
    EXPECT_EQ(judge(), Turn::complete);
    client.fails = NetError::reset;
    const auto taken = run(loop, answer->end());
    ASSERT_TRUE(taken);
    EXPECT_FALSE(*taken);
    EXPECT_FALSE(client.ended);
}

}  // namespace
}  // namespace weir::gateway
