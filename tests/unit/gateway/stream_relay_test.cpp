#include "gateway/stream_relay.h"

#include "relay_world.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;

const std::string kException = event("serviceUnavailableException",
                                     R"({"message":"Bedrock is unable to process your request."})",
                                     "exception", ":exception-type");

TEST(StreamRelay, TheSameBytesWhateverTheSplit) {
    const auto whole = kStart + kDelta + kDelta + kStop + kMetadata;
    for (std::size_t step = 1; step <= whole.size(); ++step) {
        EventRelay relay(bedrock::Operation::converse_stream, true);
        EXPECT_EQ(relayed(relay, whole, step), whole) << step;
        EXPECT_TRUE(relay.ended_cleanly()) << step;
        EXPECT_EQ(relay.usage().output, 5U) << step;
    }
}

TEST(StreamRelay, AnEventMayBeAsLargeAsItsProtocolAllows) {
    const auto large =
        event("contentBlockDelta", R"({"delta":{"text":")" + std::string(3 << 20, 'x') + R"("}})");
    const auto whole = kStart + large + kStop + kMetadata;
    EventRelay relay(bedrock::Operation::converse_stream, true);
    EXPECT_TRUE(relayed(relay, whole, 16'000) == whole);
    EXPECT_TRUE(relay.ended_cleanly());
}

TEST(StreamRelay, NothingGoesOnBeforeContent) {
    EventRelay relay(bedrock::Operation::converse_stream, true);
    EXPECT_EQ(relayed(relay, kStart, 7), "");
    EXPECT_FALSE(relay.begun());
    EXPECT_EQ(relayed(relay, kDelta, kDelta.size()), kStart + kDelta);
    EXPECT_TRUE(relay.begun());
}

TEST(StreamRelay, AnExceptionBeforeContentIsUnseen) {
    for (std::size_t step = 1; step < 40; ++step) {
        EventRelay relay(bedrock::Operation::converse_stream, true);
        EXPECT_EQ(relayed(relay, kStart + kException, step), "");
        EXPECT_EQ(relay.state(), StreamRelay::State::failed);
        EXPECT_EQ(relay.failure().cls, FailureClass::capacity);
    }
}

TEST(StreamRelay, AnExceptionAfterContentGoesOnByteForByte) {
    const auto whole = kStart + kDelta + kException;
    EventRelay relay(bedrock::Operation::converse_stream, true);
    EXPECT_EQ(relayed(relay, whole, 11), whole);
    EXPECT_EQ(relay.state(), StreamRelay::State::excepted);
}

TEST(StreamRelay, DamageLetsNothingBrokenThrough) {
    auto bad = kDelta;
    bad[bad.size() - 6] ^= 1;
    EventRelay relay(bedrock::Operation::converse_stream, true);
    EXPECT_EQ(relayed(relay, kStart + kDelta + bad, 13), kStart + kDelta);
    EXPECT_EQ(relay.state(), StreamRelay::State::garbled);
    EXPECT_FALSE(relay.ended_cleanly());
}

TEST(StreamRelay, AnEndInTheMiddleIsNotClean) {
    EventRelay cut(bedrock::Operation::converse_stream, true);
    relayed(cut, kStart + kDelta, 1000);
    EXPECT_FALSE(cut.ended_cleanly());
    EventRelay torn(bedrock::Operation::converse_stream, true);
    relayed(torn, kStart + kDelta + kStop + kMetadata.substr(0, 9), 5);
    EXPECT_FALSE(torn.ended_cleanly());
    EventRelay empty(bedrock::Operation::converse_stream, true);
    relayed(empty, kStart + kStop + kMetadata, 9);
    EXPECT_TRUE(empty.ended_cleanly());
    EXPECT_EQ(empty.held(), kStart + kStop + kMetadata);
}

TEST(StreamRelay, PreambleWithoutEndIsLetThroughAtItsBound) {
    EventRelay relay(bedrock::Operation::converse_stream, true);
    std::string all;
    const auto ping = event("ping", std::string(1000, ' '));
    std::string out;
    while (!relay.begun() && all.size() < (1U << 20)) {
        all += ping;
        out += relayed(relay, ping, ping.size());
    }
    EXPECT_EQ(out, all);
    EXPECT_LE(all.size(), (64U << 10) + 2 * ping.size());
}

TEST(StreamRelay, AfterTheHoldTheOpeningAndWhatFollowsItGoOut) {
    const auto block = event("contentBlockStart", R"({"start":{}})");
    for (std::size_t step = 1; step < kStart.size() + block.size(); ++step) {
        EventRelay relay(bedrock::Operation::converse_stream, true);
        EXPECT_EQ(relayed(relay, kStart + block, step), "");
        EXPECT_EQ(relay.release(false), kStart);
        EXPECT_TRUE(relay.opened());
        EXPECT_FALSE(relay.begun());
        EXPECT_EQ(relayed(relay, kDelta, step), block + kDelta);
    }
}

TEST(StreamRelay, ALaterAttemptsOpeningIsLeftOut) {
    EventRelay held(bedrock::Operation::converse_stream, true);
    EXPECT_EQ(relayed(held, kStart, 9), "");
    EXPECT_EQ(held.release(true), "");
    EXPECT_EQ(relayed(held, kDelta, 9), kDelta);
    EventRelay at_once(bedrock::Operation::converse_stream, true);
    EXPECT_EQ(at_once.release(true), "");
    EXPECT_EQ(relayed(at_once, kStart + kDelta, 1000), kDelta);
}

TEST(StreamRelay, AFailureAfterTheHoldIsStillNotPassedOn) {
    EventRelay relay(bedrock::Operation::converse_stream, true);
    relay.release(false);
    EXPECT_EQ(relayed(relay, kStart + kException, 1000), "");
    EXPECT_EQ(relay.state(), StreamRelay::State::failed);
}

TEST(StreamRelay, LargeMessagesGoOnWhole) {
    const auto large =
        event("contentBlockDelta", R"({"delta":{"text":")" + std::string(3 << 20, 'x') + "\"}}");
    EventRelay relay(bedrock::Operation::converse_stream, true);
    EXPECT_TRUE(relayed(relay, kStart + large + kDelta, 16384) == kStart + large + kDelta);
    relayed(relay, kDelta, 1000);
    EXPECT_LT(relay.memory(), 1U << 20);  // given back
}

TEST(StreamRelay, WhatNoServiceMaySendIsTooLarge) {
    std::string head("\x7f\xff\xff\xff\0\0\0\0\0\0\0\0", 12);
    EventRelay relay(bedrock::Operation::converse_stream, true);
    relayed(relay, kStart + head, 1000);
    EXPECT_TRUE(relay.state() == StreamRelay::State::too_large ||
                relay.state() == StreamRelay::State::garbled);
    EXPECT_FALSE(relay.begun());
}

TEST(StreamRelay, TheHoldEndsOnceAndOnlyBeforeContent) {
    EventRelay relay(bedrock::Operation::converse_stream, true);
    EXPECT_EQ(relayed(relay, kStart, 1000), "");
    EXPECT_EQ(relay.release(false), kStart);
    EXPECT_EQ(relay.release(false), "") << "once";
    EXPECT_EQ(relayed(relay, kDelta, 1000), kDelta);
    EventRelay late(bedrock::Operation::converse_stream, true);
    relayed(late, kStart + kDelta, 1000);
    EXPECT_EQ(late.release(false), "") << "content has gone on";
}

TEST(StreamRelay, AFamilyWithoutAnEndOfItsOwnEndsWithTheBody) {
    EventRelay relay(bedrock::Operation::invoke_stream, false);
    relayed(relay, event("chunk", R"({"bytes":"e30="})"), 1000);
    EXPECT_TRUE(relay.ended_cleanly());
}

TEST(StreamRelay, OurOwnEndIsATypedException) {
    const auto bytes = EventRelay(bedrock::Operation::converse_stream, true)
                           .broken_end("weir: the stream broke off.");
    codec::EventMessage message;
    const auto read = codec::read_event(bytes, message);
    ASSERT_TRUE(read && *read);
    EXPECT_EQ(**read, bytes.size());
    EXPECT_EQ(message.exception_type(), "modelStreamErrorException");
    EXPECT_EQ(message.payload, R"({"message":"weir: the stream broke off."})");
}

}  // namespace
}  // namespace weir::gateway
