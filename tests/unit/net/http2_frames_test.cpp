// What RFC 9113 says about streams and frames of a server, one row a case. The rows cover what
// h2spec looks at, and more.
#include "unit/net/http2_rows.h"

#include <gtest/gtest.h>

namespace weir::net::test::http2 {
namespace {

std::vector<Row> rows_of_streams() {
    const auto split = block();
    const std::string half = split.substr(0, 20);
    const std::string rest = split.substr(20);
    return {
        {"4.1", "an unknown frame type is ignored", frame(0x16, 0, 0, "12345678") + get(1),
         Is::served},
        {"4.1", "an undefined flag is ignored", ping("12345678", 0x16) + get(1), Is::served},
        {"4.1", "the reserved bit is ignored",
         frame(NGHTTP2_PING, 0, 0x80000000U, "12345678") + get(1), Is::served},
        {"4.2", "DATA of 2^14 bytes", post(1) + data(1, std::string(16384, 'd')), Is::served},
        {"4.2", "DATA beyond SETTINGS_MAX_FRAME_SIZE", post(1) + data(1, std::string(16385, 'd')),
         Is::over, NGHTTP2_FRAME_SIZE_ERROR},
        {"4.2", "HEADERS beyond SETTINGS_MAX_FRAME_SIZE",
         headers(1, block("/", "GET", field("a", std::string(16384, 'a')))), Is::over,
         NGHTTP2_FRAME_SIZE_ERROR},
        {"4.3", "a header block that cannot be decoded", headers(1, "\xFF\xFF\xFF\xFF\xFF\xFF"),
         Is::over, NGHTTP2_COMPRESSION_ERROR},
        {"4.3", "PRIORITY inside a header block",
         headers(1, half, kEndStream) + priority(1, 0) + continuation(1, rest, kEndHeaders),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"4.3", "another stream's HEADERS inside a header block",
         headers(1, half, kEndStream) + get(3), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "idle: DATA", data(1, "x"), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "idle: RST_STREAM", reset(1), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "idle: WINDOW_UPDATE", window(1, 1), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "idle: CONTINUATION", continuation(1, split, kEndHeaders), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "idle: PRIORITY", priority(1, 0) + get(1), Is::served},
        {"5.1", "half-closed (remote): DATA", get(1, "/slow") + data(1, "x"), Is::over,
         NGHTTP2_STREAM_CLOSED},
        {"5.1", "half-closed (remote): HEADERS", get(1, "/slow") + get(1), Is::over,
         NGHTTP2_STREAM_CLOSED},
        {"5.1", "half-closed (remote): CONTINUATION",
         get(1, "/slow") + continuation(1, split, kEndHeaders), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "half-closed (remote): WINDOW_UPDATE", get(1, "/slow") + window(1, 100),
         Is::served},
        {"5.1", "half-closed (remote): PRIORITY", get(1, "/slow") + priority(1, 0), Is::served},
        {"5.1", "closed by RST_STREAM: DATA", post(1) + reset(1) + data(1, "x"), Is::over,
         NGHTTP2_STREAM_CLOSED},
        {"5.1", "closed by RST_STREAM: HEADERS", post(1) + reset(1) + get(1), Is::over,
         NGHTTP2_STREAM_CLOSED},
        {"5.1", "closed by RST_STREAM: CONTINUATION",
         post(1) + reset(1) + continuation(1, split, kEndHeaders), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"5.1", "closed: DATA", get(1), Is::over, NGHTTP2_STREAM_CLOSED, data(1, "x")},
        {"5.1", "closed: HEADERS", get(1), Is::over, NGHTTP2_STREAM_CLOSED, get(1)},
        {"5.1", "closed: CONTINUATION", get(1), Is::over, NGHTTP2_PROTOCOL_ERROR,
         continuation(1, split, kEndHeaders)},
        {"5.1", "closed: PRIORITY", get(1), Is::served, 0, priority(1, 0)},
        {"5.1", "closed: WINDOW_UPDATE", get(1), Is::served, 0, window(1, 1)},
        {"5.1", "closed: RST_STREAM", get(1), Is::served, 0, reset(1)},
        {"5.1.1", "an even stream number", get(2), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.1.1", "a stream number lower than one before", get(5) + get(1), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"5.3", "a stream that depends on itself",
         frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders | NGHTTP2_FLAG_PRIORITY, 1,
               bytes_of(1, 4) + '\x0F' + split),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"5.3", "PRIORITY that has a stream depend on itself", post(1) + priority(1, 1), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"5.3", "PRIORITY, then HEADERS of a lower stream", priority(3, 0) + get(1), Is::served},
        {"5.3", "HEADERS with a priority",
         frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders | NGHTTP2_FLAG_PRIORITY, 1,
               bytes_of(0x80000000U, 4) + '\xFF' + split),
         Is::served},
        {"5.5", "an unknown frame inside a header block",
         headers(1, half, kEndStream) + frame(0x16, 0, 0, "x") + continuation(1, rest, kEndHeaders),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
    };
}

std::vector<Row> rows_of_frames() {
    const auto split = block();
    const std::string half = split.substr(0, 20);
    const std::string rest = split.substr(20);
    const std::string pad(1, '\x05');
    return {
        {"6.1", "several DATA frames", post(1) + data(1, "ab", 0) + data(1, "cd"), Is::served, 0,
         "", "POST / abcd\n"},
        {"6.1", "padded DATA",
         post(1) + frame(NGHTTP2_DATA, kEndStream | NGHTTP2_FLAG_PADDED, 1,
                         pad + "body" + std::string(5, '\0')),
         Is::served, 0, "", "POST / body\n"},
        {"6.1", "DATA on stream 0", data(0, "x"), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.1", "DATA with more padding than payload",
         post(1) + frame(NGHTTP2_DATA, kEndStream | NGHTTP2_FLAG_PADDED, 1,
                         "\x06"
                         "Test"),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.2", "padded HEADERS",
         frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders | NGHTTP2_FLAG_PADDED, 1,
               pad + split + std::string(5, '\0')),
         Is::served},
        {"6.2", "HEADERS on stream 0", get(0), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.2", "HEADERS with more padding than payload",
         frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders | NGHTTP2_FLAG_PADDED, 1,
               "\xFF" + std::string(20, '\0')),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.3", "PRIORITY on stream 0", priority(0, 1), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.3", "PRIORITY of four bytes", frame(NGHTTP2_PRIORITY, 0, 1, "1234"), Is::over,
         NGHTTP2_FRAME_SIZE_ERROR},
        {"6.3", "PRIORITY of every kind",
         priority(1, 0, 0) + priority(3, 1, 255) + priority(5, 0x80000001U) + get(1), Is::served},
        {"6.4", "RST_STREAM on stream 0", reset(0), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.4", "RST_STREAM of three bytes", post(1) + frame(NGHTTP2_RST_STREAM, 0, 1, "123"),
         Is::over, NGHTTP2_FRAME_SIZE_ERROR},
        {"6.5", "acknowledged SETTINGS with entries", settings(setting(4, 100), NGHTTP2_FLAG_ACK),
         Is::over, NGHTTP2_FRAME_SIZE_ERROR},
        {"6.5", "SETTINGS on a stream", frame(NGHTTP2_SETTINGS, 0, 1, setting(3, 100)), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.5", "SETTINGS of three bytes", settings("123"), Is::over, NGHTTP2_FRAME_SIZE_ERROR},
        {"6.5.2", "ENABLE_PUSH of 2", settings(setting(2, 2)), Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.5.2", "INITIAL_WINDOW_SIZE beyond 2^31-1", settings(setting(4, 1U << 31)), Is::over,
         NGHTTP2_FLOW_CONTROL_ERROR},
        {"6.5.2", "MAX_FRAME_SIZE below 2^14", settings(setting(5, 16383)), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.5.2", "MAX_FRAME_SIZE beyond 2^24-1", settings(setting(5, 1U << 24)), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.5.2", "an unknown setting", settings(setting(0xFF, 1)) + get(1), Is::served},
        {"6.5.3", "the last of several values counts",
         settings(setting(4, 0) + setting(4, 65535)) + get(1), Is::served},
        {"6.6", "PUSH_PROMISE from a client",
         frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, bytes_of(3, 4) + split), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.7", "PING on a stream", frame(NGHTTP2_PING, 0, 1, "12345678"), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.7", "PING of six bytes", frame(NGHTTP2_PING, 0, 0, "123456"), Is::over,
         NGHTTP2_FRAME_SIZE_ERROR},
        {"6.7", "an acknowledged PING that was never sent",
         ping("12345678", NGHTTP2_FLAG_ACK) + get(1), Is::served},
        {"6.8", "GOAWAY on a stream", frame(NGHTTP2_GOAWAY, 0, 1, std::string(8, '\0')), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.9", "WINDOW_UPDATE of 0 on the connection", window(0, 0), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.9", "WINDOW_UPDATE of 0 on a stream", post(1) + window(1, 0), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.9", "WINDOW_UPDATE of three bytes", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "123"), Is::over,
         NGHTTP2_FRAME_SIZE_ERROR},
        {"6.9", "WINDOW_UPDATE of both kinds", window(0, 1) + post(1) + window(1, 1) + data(1, "x"),
         Is::served},
        {"6.9.1", "the connection's window beyond 2^31-1", window(0, kTop) + window(0, kTop),
         Is::over, NGHTTP2_FLOW_CONTROL_ERROR},
        {"6.9.1", "a stream's window beyond 2^31-1", post(1) + window(1, kTop) + window(1, kTop),
         Is::reset, NGHTTP2_FLOW_CONTROL_ERROR},
        {"6.9.1", "more DATA than the stream's window",
         post(1, "/unread") +
             [] {
                 std::string all;
                 for (int i = 0; i < 17; ++i) {
                     all += data(1, std::string(16384, 'd'), 0);
                 }
                 return all;
             }(),
         Is::reset, NGHTTP2_FLOW_CONTROL_ERROR},
        {"6.9.2", "a window that grows late",
         settings(setting(4, 0)) + get(1) + settings(setting(4, 100)), Is::served},
        {"6.9.2", "a window below zero",
         settings(setting(4, 3)) + get(1) + settings(setting(4, 2)) + window(1, 1000), Is::served,
         0, "", "GET / "},
        {"6.9.2", "INITIAL_WINDOW_SIZE that carries a stream's window beyond 2^31-1",
         post(1) + window(1, kTop - 65535) + settings(setting(4, 65536)), Is::reset,
         NGHTTP2_FLOW_CONTROL_ERROR},
        {"6.10", "CONTINUATION", headers(1, half, kEndStream) + continuation(1, rest, kEndHeaders),
         Is::served},
        {"6.10", "several CONTINUATION frames",
         headers(1, half.substr(0, 10), kEndStream) + continuation(1, half.substr(10)) +
             continuation(1, "") + continuation(1, rest, kEndHeaders),
         Is::served},
        {"6.10", "CONTINUATION, then DATA",
         headers(1, half, 0) + continuation(1, "") + data(1, "x"), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.10", "CONTINUATION on stream 0",
         headers(1, half, kEndStream) + continuation(0, rest, kEndHeaders), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"6.10", "CONTINUATION after END_HEADERS", post(1) + continuation(1, "", kEndHeaders),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.10", "CONTINUATION after CONTINUATION with END_HEADERS",
         headers(1, half, 0) + continuation(1, rest, kEndHeaders) +
             continuation(1, "", kEndHeaders),
         Is::over, NGHTTP2_PROTOCOL_ERROR},
        {"6.10", "CONTINUATION after DATA",
         post(1) + data(1, "x", 0) + continuation(1, "", kEndHeaders), Is::over,
         NGHTTP2_PROTOCOL_ERROR},
        {"7", "RST_STREAM with an unknown code", post(1) + reset(1, 0xFF), Is::lives},
    };
}

TEST(Http2Frames, Streams) {
    expect_all(rows_of_streams());
}
TEST(Http2Frames, Frames) {
    expect_all(rows_of_frames());
}

TEST(Http2Frames, Preface) {
    Running running(tell);
    {
        Http2Client client(running.port());  // RFC 9113 3.4
        ASSERT_TRUE(client.round_trip());
        EXPECT_EQ(client.settings_seen.at(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), 256U);
        EXPECT_EQ(client.settings_seen.at(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), 65536U);
        EXPECT_EQ(client.settings_acks, 1);
    }
    {
        Http2Client client(running.port(), nullptr);  // SETTINGS must come first
        client.send(std::string(kPreface) + ping());
        EXPECT_EQ(client.farewell(), NGHTTP2_PROTOCOL_ERROR);
    }
    {
        Http2Client client(running.port(), nullptr);  // it says PRI, and goes on otherwise
        client.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings());
        EXPECT_EQ(client.farewell(), NGHTTP2_PROTOCOL_ERROR);
    }
    Client foreign(running.port());
    foreign.send("INVALID CONNECTION PREFACE\r\n\r\n");
    EXPECT_EQ(foreign.receive_all(), "");
}

TEST(Http2Frames, TheSameWhereverTheBytesAreCut) {
    Running running(tell);
    const std::string bytes = std::string(kPreface) + settings() + post(1) + data(1, "body") +
                              headers(3, block().substr(0, 9), kEndStream) +
                              continuation(3, block().substr(9), kEndHeaders);
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        Http2Client client(running.port(), nullptr);
        client.send(std::string_view(bytes).substr(0, cut));
        std::this_thread::sleep_for(std::chrono::microseconds(300));
        client.send(std::string_view(bytes).substr(cut));
        ASSERT_TRUE(client.answer(1).body.starts_with("POST / body")) << cut;
        ASSERT_EQ(client.answer(3).status(), 200) << cut;
    }
}

TEST(Http2Frames, MoreStreamsThanAllowed) {
    Running running(tell);
    Http2Client client(running.port());
    ASSERT_TRUE(client.round_trip());
    std::string all;
    for (std::uint32_t i = 0; i < 257; ++i) {
        all += post(2 * i + 1);
    }
    client.send(all);  // RFC 9113 5.1.2
    EXPECT_EQ(client.farewell(), NGHTTP2_PROTOCOL_ERROR);
}

}  // namespace
}  // namespace weir::net::test::http2
