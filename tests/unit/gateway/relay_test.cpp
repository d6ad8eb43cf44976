// What comes back, against scripted streams: whole answers, streams and errors, each with every end
// that they can have.
#include "relay_world.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using Turn = Relay::Turn;
using net::NetError;

TEST_F(RelayTest, NothingOfAWholeAnswerIsSeenBeforeItsEnd) {
    whole(with_length(R"({"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})"));
    EXPECT_EQ(judge(), Turn::complete);
    EXPECT_FALSE(client.answered());
    EXPECT_EQ(answer->usage().output, 4U);
    EXPECT_GT(buffered.load(), 0U);
    end();
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(client.fields, "X-Weir: 1\r\n");
    answer.reset();
    EXPECT_EQ(buffered.load(), 0U);
    EXPECT_TRUE(seen[0].reusable);
}

TEST_F(RelayTest, AWholeAnswerThatBreaksOffHasFailedUnseen) {
    for (const auto error_met : {NetError::reset, NetError::timeout}) {
        SCOPED_TRACE(static_cast<int>(error_met));
        Script script = with_length("{}");
        script.body = {bytes("{"), error(error_met)};
        whole(std::move(script));
        EXPECT_EQ(judge(), Turn::failed);
        EXPECT_EQ(answer->failure().cls, FailureClass::timeout);
        EXPECT_FALSE(client.answered());
    }
}

TEST_F(RelayTest, AnAnswerTooLargeToHoldIsHandedOnAsItComes) {
    Script script;
    const std::string half(600 << 10, 'x');
    script.body = {bytes(half), bytes(half), bytes("end")};
    whole(std::move(script));
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_FALSE(client.answered());
    EXPECT_EQ(pass(), Turn::complete);
    EXPECT_EQ(client.body.size(), 2 * half.size() + 3);
    EXPECT_FALSE(client.ended);
    end();
    EXPECT_TRUE(client.ended);
    EXPECT_EQ(buffered.load(), 0U);
}

TEST_F(RelayTest, AnAnswerBeyondWhatMayBeBufferedIsHandedOn) {
    limits.max_buffered = 10;
    whole(with_length(std::string(100, 'x')));
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::complete);
    end();
    EXPECT_EQ(client.body.size(), 100U);
}

TEST_F(RelayTest, ALargeAnswerThatBreaksOffIsNoCleanEnd) {
    Script script;
    script.body = {bytes(std::string(1100 << 10, 'x')), error(NetError::reset)};
    whole(std::move(script));
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::broken);
    EXPECT_EQ(answer->failure().cls, FailureClass::broken);
    EXPECT_EQ(answer->failure().stage, Stage::begun);
    end();
    EXPECT_TRUE(client.aborted);
    EXPECT_FALSE(client.ended);
}

TEST_F(RelayTest, ALargeAnswerIsCutByTheCallersDeadlineAndByTheDrain) {
    for (const bool drain : {false, true}) {
        SCOPED_TRACE(drain);
        stop = {};
        times.asked = !drain;
        times.deadline = times.started + 5s;
        Script script;
        Step late = error(drain ? NetError::interrupted : NetError::timeout);
        late.first = [&, drain] { stop.drained = drain; };
        script.body = {bytes(std::string(1100 << 10, 'x')), late};
        whole(std::move(script));
        EXPECT_EQ(judge(), Turn::flowing);
        EXPECT_EQ(pass(), Turn::cut);
        EXPECT_EQ(answer->error().outcome,
                  drain ? observe::Outcome::drained : observe::Outcome::deadline);
        EXPECT_TRUE(client.aborted);
    }
}

TEST_F(RelayTest, AStreamIsHeldUntilItsContent) {
    stream({bytes(kStart), bytes(kDelta), bytes(kStop + kMetadata)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_FALSE(client.answered());
    EXPECT_EQ(pass(), Turn::complete);
    EXPECT_EQ(client.body, kStart + kDelta + kStop + kMetadata);
    EXPECT_EQ(answer->usage().output, 5U);
    EXPECT_TRUE(seen[0].reusable);
    EXPECT_FALSE(client.ended);
    end();
    EXPECT_TRUE(client.ended);
}

TEST_F(RelayTest, AnExceptionBeforeContentIsUnseen) {
    stream({bytes(kStart), bytes(kThrottled)});
    EXPECT_EQ(judge(), Turn::failed);
    EXPECT_EQ(answer->failure().cls, FailureClass::capacity);
    EXPECT_EQ(answer->failure().stage, Stage::sent);
    EXPECT_FALSE(client.answered());
}

TEST_F(RelayTest, AnExceptionAfterContentGoesOnAndIsTheEnd) {
    stream({bytes(kStart + kDelta), bytes(kThrottled)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::broken);
    EXPECT_EQ(answer->failure().stage, Stage::begun);
    EXPECT_TRUE(answer->failure().seen.has_value());
    end();
    EXPECT_EQ(client.body, kStart + kDelta + kThrottled);
    EXPECT_TRUE(client.ended);
}

TEST_F(RelayTest, AStreamThatBreaksOffAfterContentEndsTyped) {
    stream({bytes(kStart + kDelta), error(NetError::reset)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::broken);
    end();
    EXPECT_TRUE(client.body.starts_with(kStart + kDelta));
    EXPECT_NE(client.body.find("weir: the stream broke off."), std::string::npos);
    EXPECT_TRUE(client.ended);
}

TEST_F(RelayTest, AStreamThatEndsBeforeTheModelHadIsNoCleanEnd) {
    stream({bytes(kStart + kDelta)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::broken);
    end();
    EXPECT_NE(client.body.find("ended before the model had"), std::string::npos);
}

TEST_F(RelayTest, WhatEndsBeforeContentMayBeSentAgain) {
    for (const std::deque<Step>& body :
         {std::deque<Step>{bytes(kStart), error(NetError::reset)}, std::deque<Step>{bytes(kStart)},
          std::deque<Step>{bytes("garbage that is no event")}}) {
        stream(body);
        EXPECT_EQ(judge(), Turn::failed);
        EXPECT_EQ(answer->failure().cls, FailureClass::reset);
        EXPECT_FALSE(client.answered());
    }
}

TEST_F(RelayTest, AfterAWhileTheClientSeesLifeAndAnotherAttemptStaysPossible) {
    timeouts.hold = 1ms;
    stream({bytes(kStart), error(NetError::timeout), error(NetError::reset)});
    EXPECT_EQ(judge(), Turn::failed);
    EXPECT_TRUE(client.answered());
    EXPECT_EQ(client.body, kStart);
    EXPECT_TRUE(opened);
    // The next attempt's opening message is left out.
    stream({bytes(kStart), bytes(kDelta + kStop + kMetadata)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::complete);
    end();
    EXPECT_EQ(client.body, kStart + kDelta + kStop + kMetadata);
    EXPECT_TRUE(client.ended);
}

TEST_F(RelayTest, AStreamWithoutContentThatEndsWellIsGivenWhole) {
    stream({bytes(kStart + kStop + kMetadata)});
    EXPECT_EQ(judge(), Turn::complete);
    EXPECT_FALSE(client.answered());
    end();
    EXPECT_EQ(client.body, kStart + kStop + kMetadata);
}

TEST_F(RelayTest, WhoeverLeavesCostsTheUpstreamItsConnection) {
    for (const bool content : {false, true}) {
        SCOPED_TRACE(content);
        stop = {};
        Step leave = error(NetError::interrupted);
        leave.first = [&] { stop.gone = true; };
        stream({bytes(content ? kStart + kDelta : kStart), leave});
        Turn turn = judge();
        if (content) {
            EXPECT_EQ(turn, Turn::flowing);
            turn = pass();
            EXPECT_GT(answer->usage().output, 0U);
        }
        EXPECT_EQ(turn, Turn::gone);
        EXPECT_FALSE(seen.back().reusable);
        EXPECT_EQ(seen.back().released, 1);
    }
}

TEST_F(RelayTest, OneThatLeavesWhenAllIsSaidHasHadItAll) {
    Step leave = error(NetError::interrupted);
    leave.first = [&] { stop.gone = true; };
    stream({bytes(kStart + kDelta + kStop + kMetadata), leave});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::complete);
    end();
    EXPECT_TRUE(client.aborted);
}

TEST_F(RelayTest, TheDrainEndsAStreamInWeirsOwnWords) {
    for (const bool content : {false, true}) {
        SCOPED_TRACE(content);
        stop = {};
        Step drain = error(NetError::interrupted);
        drain.first = [&] { stop.drained = true; };
        stream({bytes(content ? kStart + kDelta : kStart), drain});
        EXPECT_EQ(content ? (judge(), pass()) : judge(), Turn::over);
        EXPECT_EQ(answer->error().outcome, observe::Outcome::drained);
    }
}

TEST_F(RelayTest, AClientThatDoesNotTakeItIsTheReason) {
    for (const auto why : {NetError::timeout, NetError::reset}) {
        client.fails = why;
        stream({bytes(kStart + kDelta), bytes(kStop)});
        EXPECT_EQ(judge(), Turn::flowing);
        EXPECT_EQ(pass(), Turn::gone);
        ASSERT_TRUE(answer->not_taken().has_value());
        EXPECT_EQ(answer->not_taken()->error, why);
    }
}

TEST_F(RelayTest, WhatAStreamHoldsCounts) {
    limits.max_buffered = 1000;
    const auto large = event("contentBlockDelta",
                             R"({"delta":{"text":")" + std::string(200 << 10, 'x') + R"("}})");
    stream({bytes(kStart + kDelta), bytes(large.substr(0, 150 << 10)), bytes(large)});
    EXPECT_EQ(judge(), Turn::flowing);
    EXPECT_EQ(pass(), Turn::over);
    EXPECT_EQ(answer->error().status, 503);
    answer.reset();
    EXPECT_EQ(buffered.load(), 0U);
}

TEST_F(RelayTest, AnErrorIsReadAndClassedAndKept) {
    Script script = with_length(R"({"message":"Too many tokens, please wait."})");
    script.head =
        "HTTP/1.1 429 Too Many\r\nx-amzn-ErrorType: ThrottlingException\r\nContent-Length: "
        "43\r\n\r\n";
    open(std::move(script));
    const auto read =
        run(loop, read_error(*attempt, stop, 1 << 20, buffered, reader, 0, "A: b\r\n"));
    ASSERT_TRUE(read.has_value());
    EXPECT_FALSE(read->stopped);
    EXPECT_EQ(read->failure.cls, FailureClass::quota_tokens);
    ASSERT_TRUE(read->kept.has_value());
    EXPECT_EQ(read->kept->status, 429);
    EXPECT_EQ(read->kept->fields, "A: b\r\n");
    EXPECT_TRUE(seen[0].reusable);
}

TEST_F(RelayTest, APageIsNotKept) {
    Script script = with_length("<html><body>502</body></html>");
    script.head = "HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\nContent-Length: 29\r\n\r\n";
    open(std::move(script));
    const auto read = run(loop, read_error(*attempt, stop, 1 << 20, buffered, reader, 0, ""));
    ASSERT_TRUE(read.has_value());
    EXPECT_FALSE(read->kept.has_value());
    EXPECT_EQ(read->failure.cls, FailureClass::server);
}

TEST_F(RelayTest, WhoeverLeavesDuringAnErrorLeaves) {
    Script script;
    Step leave = error(NetError::interrupted);
    leave.first = [&] { stop.gone = true; };
    script.head = "HTTP/1.1 503 Down\r\nContent-Length: 10\r\n\r\n";
    script.body = {leave};
    open(std::move(script));
    const auto read = run(loop, read_error(*attempt, stop, 1 << 20, buffered, reader, 0, ""));
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(read->stopped);
    EXPECT_FALSE(seen[0].reusable);
}

}  // namespace
}  // namespace weir::gateway
