#include "gateway/dialect.h"
#include "gateway/stream_relay.h"
#include "relay_world.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using bedrock::Dialect;
using bedrock::Operation;
using test::relayed;

const std::string kRole =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const std::string kText = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
const std::string kFinished =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n";
const std::string kUsage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n";
const std::string kDone = "data: [DONE]\n\n";
const std::string kError = "data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n";

TEST(SseRelay, TheSameBytesWhateverTheSplit) {
    const auto whole = ": hello\n\n" + kRole + kText + kText + kFinished + kUsage + kDone;
    for (std::size_t step = 1; step <= whole.size(); ++step) {
        SseRelay relay(Operation::chat_completions, false);
        EXPECT_EQ(relayed(relay, whole, step), whole) << step;
        EXPECT_TRUE(relay.ended_cleanly()) << step;
        EXPECT_EQ(relay.usage().output, 5U) << step;
    }
}

TEST(SseRelay, UsageNotAskedForIsLeftOut) {
    const auto whole = kRole + kText + kFinished + kUsage + kDone;
    for (std::size_t step = 1; step <= whole.size(); ++step) {
        SseRelay relay(Operation::chat_completions, true);
        EXPECT_EQ(relayed(relay, whole, step), kRole + kText + kFinished + kDone) << step;
        EXPECT_TRUE(relay.usage().known) << step;
        EXPECT_TRUE(relay.ended_cleanly()) << step;
    }
}

TEST(SseRelay, AnErrorBeforeContentIsUnseen) {
    SseRelay relay(Operation::chat_completions, false);
    EXPECT_EQ(relayed(relay, kRole + kError, 9), "");
    EXPECT_EQ(relay.state(), StreamRelay::State::failed);
    EXPECT_EQ(relay.failure().message, "busy");
}

TEST(SseRelay, AnErrorAfterContentGoesOnAsItCame) {
    SseRelay relay(Operation::chat_completions, false);
    EXPECT_EQ(relayed(relay, kRole + kText + kError, 9), kRole + kText + kError);
    EXPECT_EQ(relay.state(), StreamRelay::State::excepted);
}

TEST(SseRelay, AnEventMayBeLarge) {
    const auto large =
        "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(3 << 20, 'x') + "\"}}]}\n\n";
    SseRelay relay(Operation::chat_completions, false);
    EXPECT_TRUE(relayed(relay, kRole + large + kFinished + kDone, 16'000) ==
                kRole + large + kFinished + kDone);
    EXPECT_TRUE(relay.ended_cleanly());
}

TEST(SseRelay, ALastEventWithoutItsBlankLineIsAnEvent) {
    const auto begin = kRole + kText + kFinished + kUsage;
    for (const std::string last : {"data: [DONE]\n", "data: [DONE]", "data: [DONE]\r\n",
                                   "data: [DONE]\r", ": bye\ndata: [DONE]\n"}) {
        for (const std::size_t step : {1, 7, 1000}) {
            SseRelay relay(Operation::chat_completions, false);
            std::string out = relayed(relay, begin + last, step);
            EXPECT_EQ(out, begin);
            const auto rest = relay.finish();
            out.append(rest.first).append(rest.second);
            EXPECT_EQ(out, begin + last + "\n\n");
            EXPECT_TRUE(relay.ended_cleanly()) << last;
            EXPECT_EQ(relay.usage().output, 5U);
        }
    }
    SseRelay held(Operation::messages, false);  // nothing has gone on yet
    EXPECT_EQ(relayed(held, "event: message_stop\ndata: {\"type\":\"message_stop\"}", 5), "");
    held.finish();
    EXPECT_TRUE(held.ended_cleanly());
    EXPECT_NE(held.held().find("message_stop"), std::string_view::npos);
}

TEST(SseRelay, WhatWasCutInItsDataIsNoEvent) {
    for (const std::string last : {"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}",
                                   "data: [DO", "data: {\"a\":{}", "da", "data: {\"a\":1}}"}) {
        SseRelay relay(Operation::chat_completions, false);
        EXPECT_EQ(relayed(relay, kRole + kText + last, 7), kRole + kText);
        const auto rest = relay.finish();
        EXPECT_TRUE(rest.first.empty() && rest.second.empty()) << last;
        EXPECT_FALSE(relay.ended_cleanly()) << last;
    }
    SseRelay comment(Operation::chat_completions,
                     false);  // behind the end there is nothing to lose
    relayed(comment, kRole + kText + kDone + ": bye", 7);
    comment.finish();
    EXPECT_TRUE(comment.ended_cleanly());
}

TEST(SseRelay, HalfAnEventNeverGoesOn) {
    SseRelay relay(Operation::chat_completions, false);
    EXPECT_EQ(relayed(relay, kRole + kText + kText.substr(0, 20), 7), kRole + kText);
    EXPECT_FALSE(relay.ended_cleanly());
    SseRelay unfinished(Operation::chat_completions, false);
    relayed(unfinished, kRole + kText, 7);
    EXPECT_FALSE(unfinished.ended_cleanly());
}

const std::string kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
const std::string kMessage =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n";
const std::string kBlock =
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const std::string kBlockDelta =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n";

TEST(SseRelay, PingsAreRelayedAfterTheHold) {
    SseRelay relay(Operation::messages, false);
    EXPECT_EQ(relayed(relay, kMessage + kPing, 5), "");
    EXPECT_EQ(relay.release(false), kMessage + kPing);
    EXPECT_EQ(relayed(relay, kBlock + kPing, 5), kPing);
    EXPECT_EQ(relayed(relay, kPing + kBlockDelta + kPing, 1000),
              kPing + kBlock + kBlockDelta + kPing);
    EXPECT_TRUE(relay.begun());
}

TEST(SseRelay, ASecondMessageStartIsNotSeen) {
    SseRelay relay(Operation::messages, false);
    relay.release(true);
    EXPECT_EQ(relayed(relay, kMessage + kPing + kBlock + kBlockDelta, 7),
              kPing + kBlock + kBlockDelta);
}

TEST(SseRelay, OpenAisFirstChunksAreHeldForTheirNamesDiffer) {
    SseRelay relay(Operation::chat_completions, false);
    relay.release(false);
    EXPECT_EQ(relayed(relay, ": alive\n\n" + kRole, 6), ": alive\n\n");
    EXPECT_EQ(relayed(relay, kText, 6), kRole + kText);
}

TEST(ErrorEvent, SpeaksAsTheOperationDoes) {
    ErrorAnswer error;
    error.status = 429;
    error.message = "weir: no room";
    EXPECT_NE(error_event(Operation::messages, error).find("\"rate_limit_error\""),
              std::string::npos);
    EXPECT_NE(error_event(Operation::chat_completions, error).find("\"rate_limit_exceeded\""),
              std::string::npos);
    EXPECT_NE(error_event(Operation::responses, error).find("event: error"), std::string::npos);
    codec::EventMessage message;
    const auto bytes = error_event(Operation::converse_stream, error);
    ASSERT_TRUE(codec::read_event(bytes, message));
    EXPECT_EQ(message.exception_type(), "throttlingException");
    EXPECT_EQ(message.payload, R"({"message":"weir: no room"})");
}

TEST(SseRelay, AnEventBeyondItsBoundIsTooLarge) {
    SseRelay relay(Operation::chat_completions, false);
    const std::string piece(1 << 20, 'x');
    relayed(relay, kRole + kText + "data: ", 1000);
    for (int i = 0; i < 25 && relay.state() == StreamRelay::State::flowing; ++i) {
        relay.take(piece);
    }
    EXPECT_EQ(relay.state(), StreamRelay::State::too_large);
    EXPECT_FALSE(relay.ended_cleanly());
}

TEST(SseRelay, UsageThatComesBeforeContentIsHiddenToo) {
    SseRelay relay(Operation::chat_completions, true);
    const std::string usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";
    EXPECT_EQ(relayed(relay, usage, 1000), "");
    EXPECT_EQ(relayed(relay, kText, 1000), kText);
}

TEST(SseRelay, OurOwnEndIsAnErrorInEachDialect) {
    for (const auto operation :
         {Operation::chat_completions, Operation::responses, Operation::messages}) {
        bedrock::SseWatcher watcher(operation);
        codec::SseReader reader;
        codec::SseEvent event;
        const auto bytes = sse_error(operation, "weir: \"it\" broke off.");
        ASSERT_EQ(reader.read(bytes, event), bytes.size());
        EXPECT_EQ(watcher.on_event(event), bedrock::StreamKind::failure);
        EXPECT_EQ(watcher.failure().message, "weir: \"it\" broke off.");
        EXPECT_EQ(watcher.failure().cls, FailureClass::server);
    }
}

}  // namespace
}  // namespace weir::gateway
