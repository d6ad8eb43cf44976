#include "net/http2_content.h"

#include "net/http2_output.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

TEST(Http2Incoming, GivesWhatHasComeSinceTheLastTime) {
    Http2Incoming content;
    EXPECT_TRUE(content.empty());
    content.add("one ");
    content.add("two");
    EXPECT_EQ(content.size(), 7U);
    const std::string_view first = content.take();
    content.add("three");
    EXPECT_EQ(first, "one two") << "it stays until the next take()";
    EXPECT_EQ(content.take(), "three");
    EXPECT_TRUE(content.empty());
    EXPECT_FALSE(content.ended());
    content.end();
    EXPECT_TRUE(content.ended());
}

TEST(Http2Outgoing, FillsFramesAndMarksTheLast) {
    Http2Outgoing content;
    content.offer("0123456789", true);
    auto frame = content.next(6);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->size, 6U);
    EXPECT_FALSE(frame->last);
    EXPECT_EQ(content.take(6), "012345");
    frame = content.next(6);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->size, 4U);
    EXPECT_TRUE(frame->last);
    EXPECT_EQ(content.take(4), "6789");
    EXPECT_TRUE(content.empty());
}

TEST(Http2Outgoing, AnAnswerMayEndWithAnEmptyFrame) {
    Http2Outgoing content;
    content.offer({}, true);
    const auto frame = content.next(100);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->size, 0U);
    EXPECT_TRUE(frame->last);
}

TEST(Http2Outgoing, WhoCameInVainIsResumedOnce) {
    Http2Outgoing content;
    EXPECT_FALSE(content.resume()) << "nobody has come";
    EXPECT_FALSE(content.next(100));
    content.offer("more", false);
    EXPECT_TRUE(content.resume());
    EXPECT_FALSE(content.resume());
    EXPECT_FALSE(content.next(100)->last);
}

TEST(Http2Outgoing, WhatIsDroppedDoesNotGo) {
    Http2Outgoing content;
    content.offer("lost", false);
    content.drop();
    EXPECT_FALSE(content.next(100));
}

TEST(Http2Output, KeepsWhatTheSocketDidNotTake) {
    Http2Output output;
    output.add("frame one, ");
    output.add("frame two");
    EXPECT_FALSE(output.full());
    EXPECT_EQ(output.rest(), "frame one, frame two");
    output.wait_with(output.rest().substr(11));
    EXPECT_TRUE(output.waiting());
    EXPECT_EQ(output.rest(), "frame two");
    output.clear();
    EXPECT_FALSE(output.waiting());
    EXPECT_EQ(output.rest(), "");
    output.add(std::string(Http2Output::kFull, 'x'));
    EXPECT_TRUE(output.full());
    output.drop();
    EXPECT_EQ(output.rest(), "");
}

}  // namespace
}  // namespace weir::net::test
