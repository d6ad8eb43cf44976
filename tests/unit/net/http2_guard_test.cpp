#include "net/http2_guard.h"

#include "unit/given.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

using std::chrono::seconds;

codec::Http2FrameHead frame(std::uint8_t type, std::int32_t stream, std::uint32_t length = 0,
                            std::uint8_t flags = 0) {
    return {length, type, flags, stream};
}
bool open(std::int32_t /*stream*/) {
    return true;
}
bool unknown(std::int32_t /*stream*/) {
    return false;
}

/// How often it may happen at one moment.
template <class Happens>
int how_often(Happens happens) {
    int times = 0;
    while (times < 100'000 && !happens()) {
        ++times;
    }
    return times;
}

TEST(Http2Guard, FramesThatAskForNothingAreLimited) {
    Http2Guard guard(kStart);
    const auto ping = [&](Instant now) { return guard.frame(frame(NGHTTP2_PING, 0), open, now); };
    EXPECT_EQ(how_often([&] { return ping(kStart); }), 2000);
    EXPECT_EQ(ping(kStart)->code, std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
    const Instant later = kStart + seconds(1);
    EXPECT_EQ(how_often([&] { return ping(later); }), 500);
    guard.answered();
    EXPECT_EQ(how_often([&] { return ping(later); }), 4) << "an answer's frame earns some";
}

TEST(Http2Guard, OfDataThatBringsNothingToo) {
    Http2Guard guard(kStart);
    const auto data = [&](std::uint32_t length, std::uint8_t flags) {
        return guard.frame(frame(NGHTTP2_DATA, 1, length, flags), open, kStart);
    };
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_HEADERS, 1), open, kStart));
    EXPECT_EQ(how_often([&] { return data(0, 0); }), 2000);
    EXPECT_FALSE(data(1, 0));
    EXPECT_FALSE(data(0, NGHTTP2_FLAG_END_STREAM));
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_HEADERS, 3), open, kStart));
}

TEST(Http2Guard, RequestsThatEndEarlyAreLimited) {
    Http2Guard guard(kStart);
    EXPECT_EQ(how_often([&] { return guard.early_end(kStart); }), 200);
    EXPECT_EQ(guard.early_end(kStart)->why, "too many requests given up");
    EXPECT_EQ(how_often([&] { return guard.early_end(kStart + seconds(1)); }), 33);
    EXPECT_FALSE(guard.refusal(kStart)) << "these are counted apart";
    EXPECT_EQ(how_often([&] { return guard.refusal(kStart); }), 1999);
    EXPECT_EQ(how_often([&] { return guard.refusal(kStart + seconds(1)); }), 200);
}

TEST(Http2Guard, AFrameOnAStreamThatIsOverHangsOnHowItEnded) {
    Http2Guard guard(kStart);
    for (const std::int32_t stream : {1, 3, 5}) {
        EXPECT_FALSE(guard.frame(frame(NGHTTP2_HEADERS, stream), unknown, kStart)) << "a new one";
    }
    guard.closed(1);  // by the client
    guard.reset(3);   // by us, which the client may not know yet
    guard.closed(3);
    for (const std::uint8_t type : {NGHTTP2_DATA, NGHTTP2_HEADERS}) {
        EXPECT_EQ(guard.frame(frame(type, 1, 1), unknown, kStart)->code,
                  std::uint32_t{NGHTTP2_STREAM_CLOSED});
        EXPECT_FALSE(guard.frame(frame(type, 3, 1), unknown, kStart));
        EXPECT_FALSE(guard.frame(frame(type, 5, 1), open, kStart));
    }
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_WINDOW_UPDATE, 1), unknown, kStart));
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_DATA, 7, 1), unknown, kStart)) << "nghttp2 refuses it";
}

TEST(Http2Guard, StreamNumbersRise) {
    Http2Guard guard(kStart);
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_HEADERS, 5), unknown, kStart));
    EXPECT_EQ(guard.frame(frame(NGHTTP2_HEADERS, 3), unknown, kStart)->code,
              std::uint32_t{NGHTTP2_PROTOCOL_ERROR});
}

TEST(Http2Guard, RemembersTheLastStreamsOnly) {
    Http2Guard guard(kStart);
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_HEADERS, 1001), unknown, kStart));
    for (std::int32_t stream = 1; stream <= 257; stream += 2) {
        guard.closed(stream);
    }
    EXPECT_FALSE(guard.frame(frame(NGHTTP2_DATA, 1, 1), unknown, kStart));
    EXPECT_TRUE(guard.frame(frame(NGHTTP2_DATA, 3, 1), unknown, kStart));
}

}  // namespace
}  // namespace weir::net::test
