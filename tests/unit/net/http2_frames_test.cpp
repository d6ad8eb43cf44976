// What RFC 9113 and RFC 7541 say about a server's frames, one row a case. The rows cover what
// h2spec looks at, and more.
#include "unit/net/http2_client.h"

#include <gtest/gtest.h>

namespace weir::net::test::http2 {
namespace {

/// Says what it was asked. "/slow" takes its time, "/unread" leaves the body where it is.
Task<void> tell(Downstream& request) {
    if (request.head().target == "/unread") {
        co_await request.loop().sleep(milliseconds(150));
        co_return;
    }
    const auto body = co_await whole_body(request);
    if (!body) {
        co_return;
    }
    if (request.head().target == "/slow") {
        co_await request.loop().sleep(milliseconds(150));
    }
    std::string answer(request.head().method);
    answer += ' ';
    answer += request.head().target;
    answer += ' ';
    answer += *body;
    for (const auto& field : request.head().fields) {
        answer += '\n';
        answer += field.name;
        answer += ": ";
        answer += field.value;
    }
    co_await request.send(200, "", answer);
}

enum class Is : std::uint8_t {
    served,  // stream 1 is answered 200, and so is a request after it
    lives,   // whatever became of stream 1, a request after it is answered
    reset,   // a stream error `code` on stream 1; the connection lives on
    over,    // a connection error `code`
};

struct Row {
    const char* section;
    const char* what;
    std::string bytes;
    Is want;
    std::uint32_t code = 0;
    std::string then = {};       // goes out when stream 1 is over
    std::string in_answer = {};  // must be in stream 1's
};

constexpr std::uint32_t kTop = 0x7FFFFFFF;

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

std::string without(std::string_view name) {
    std::string out;
    for (const auto& [one, value] :
         std::vector<std::pair<std::string, std::string>>{{":method", "GET"},
                                                          {":scheme", "http"},
                                                          {":path", "/"},
                                                          {":authority", "localhost"}}) {
        out += one == name ? "" : field(one, value);
    }
    return out;
}

std::vector<Row> rows_of_messages() {
    const auto with = [](std::string_view name, std::string_view value) {
        return headers(1, block("/", "GET", field(name, value)));
    };
    const auto malformed = [](const char* section, const char* what, std::string bytes) {
        return Row{section, what, std::move(bytes), Is::reset, NGHTTP2_PROTOCOL_ERROR};
    };
    const std::string length3 = field("content-length", "3");
    return {
        {"8.1", "GET", get(1), Is::served, 0, "", "GET / \nhost: localhost"},
        {"8.1", "HEAD", headers(1, block("/", "HEAD")), Is::served},
        {"8.1", "POST with trailers",
         post(1) + data(1, "body", 0) + headers(1, field("x-sum", "1")), Is::served, 0, "",
         "POST / body\n"},
        {"8.1", "content-length that agrees", post(1, "/", length3) + data(1, "abc"), Is::served},
        malformed("8.1", "a second HEADERS without END_STREAM",
                  post(1) + data(1, "x", 0) + headers(1, field("a", "b"), kEndHeaders)),
        malformed("8.1", "a pseudo-field in trailers",
                  post(1) + data(1, "x", 0) + headers(1, field(":method", "GET"))),
        malformed("8.1.1", "content-length, more DATA", post(1, "/", length3) + data(1, "abcd")),
        malformed("8.1.1", "content-length, less DATA", post(1, "/", length3) + data(1, "ab")),
        malformed("8.1.1", "content-length, several DATA frames",
                  post(1, "/", length3) + data(1, "ab", 0) + data(1, "cd")),
        malformed("8.1.1", "content-length, no DATA", headers(1, block("/", "POST", length3))),
        malformed("8.1.1", "two content-lengths",
                  post(1, "/", length3 + field("content-length", "4")) + data(1, "abc")),
        malformed("8.1.1", "content-length that is no number",
                  post(1, "/", field("content-length", "+3")) + data(1, "abc")),
        malformed("8.2.1", "an upper-case name", with("X-TEST", "ok")),
        malformed("8.2.1", "a name with a space", with("x test", "ok")),
        malformed("8.2.1", "a name with a colon", with("x:test", "ok")),
        malformed("8.2.1", "an empty name", with("", "ok")),
        malformed("8.2.1", "CR and LF in a value", with("a", "b\r\nx-weir-client: root")),
        malformed("8.2.1", "LF in a value", with("a", "b\nc")),
        malformed("8.2.1", "NUL in a value", with("a", std::string_view("b\0c", 3))),
        malformed("8.2.1", "a space before a value", with("a", " b")),
        malformed("8.2.1", "a tab behind a value", with("a", "b\t")),
        malformed("8.2.2", "connection", with("connection", "keep-alive")),
        malformed("8.2.2", "keep-alive", with("keep-alive", "5")),
        malformed("8.2.2", "proxy-connection", with("proxy-connection", "close")),
        malformed("8.2.2", "transfer-encoding", with("transfer-encoding", "chunked")),
        malformed("8.2.2", "upgrade", with("upgrade", "websocket")),
        malformed("8.2.2", "te other than trailers", with("te", "trailers, deflate")),
        {"8.2.2", "te: trailers", with("te", "trailers"), Is::served},
        malformed("8.3", "an unknown pseudo-field", with(":test", "ok")),
        malformed("8.3", "a response's pseudo-field", with(":status", "200")),
        malformed("8.3", "a pseudo-field behind a field",
                  headers(1, without(":path") + field("a", "b") + field(":path", "/"))),
        malformed("8.3.1", "an empty :path", headers(1, block(""))),
        malformed("8.3.1", "no :method", headers(1, without(":method"))),
        malformed("8.3.1", "no :scheme", headers(1, without(":scheme"))),
        malformed("8.3.1", "no :path", headers(1, without(":path"))),
        malformed("8.3.1", "two :method", headers(1, field(":method", "GET") + block())),
        malformed("8.3.1", "two :scheme", headers(1, field(":scheme", "http") + block())),
        malformed("8.3.1", "two :path", headers(1, field(":path", "/") + block())),
        malformed("8.3.1", "two :authority", headers(1, field(":authority", "a") + block())),
        malformed("8.3.1", "neither :authority nor host", headers(1, without(":authority"))),
        {"8.3.1", "host without :authority",
         headers(1, without(":authority") + field("host", "there")), Is::served, 0, "",
         "host: there"},
        {"8.3.1", "host that is the :authority", with("host", "LOCALHOST"), Is::served},
        malformed("8.3.1", "host that is not the :authority", with("host", "elsewhere")),
        malformed("8.3.1", "a space in :path", headers(1, block("/a b"))),
        malformed("8.3.1", "HTTP/1.1 in :path",
                  headers(1, block("/ HTTP/1.1\r\nhost: x\r\n\r\nGET /b"))),
        malformed("8.3.1", "a fragment in :path", headers(1, block("/a#b"))),
        malformed("8.3.1", "a :path that is a URL", headers(1, block("http://a/b"))),
        malformed("8.3.1", "a space in :method", headers(1, block("/", "GET /b"))),
        malformed("8.3.1", "user and password in :authority",
                  headers(1, without(":authority") + field("host", "a@b"))),
        malformed("8.5", "CONNECT with a :path", headers(1, block("/", "CONNECT"))),
    };
}

std::vector<Row> rows_of_hpack() {
    // Static entries: 2 is GET, 4 is "/", 6 is http; 1 is the name :authority.
    const std::string base = "\x82\x84\x86";
    const std::string authority = "\x01" + text("localhost");
    const std::string huffman_host("\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 13);
    const std::string huffman_name("\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", 9);
    const std::string huffman_value("\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", 10);
    const auto served = [&](const char* section, const char* what, const std::string& more,
                            const char* shows) {
        return Row{section, what, headers(1, base + more), Is::served, 0, "", shows};
    };
    const auto wrong = [&](const char* section, const char* what, const std::string& more) {
        return Row{section, what, headers(1, base + authority + more), Is::over,
                   NGHTTP2_COMPRESSION_ERROR};
    };
    const std::string custom = text("custom-key") + text("custom-value");
    const char* const shown = "custom-key: custom-value";
    std::vector<Row> rows = {
        served("6.1", "indexed fields", authority, "GET / \nhost: localhost"),
        served("6.2.1", "with indexing, a known name", '\x41' + text("localhost"),
               "host: localhost"),
        served("6.2.1", "with indexing, a known name, Huffman", '\x41' + huffman_host,
               "host: www.example.com"),
        served("6.2.1", "with indexing, a new name, and its index",
               authority + '\x40' + custom + '\xBE', shown),
        served("6.2.1", "with indexing, a new name, Huffman",
               authority + '\x40' + huffman_name + huffman_value, shown),
        served("6.2.2", "without indexing, a known name, Huffman", '\x01' + huffman_host,
               "host: www.example.com"),
        served("6.2.2", "without indexing, a new name", authority + std::string(1, '\0') + custom,
               shown),
        served("6.2.2", "without indexing, a new name, Huffman",
               authority + std::string(1, '\0') + huffman_name + huffman_value, shown),
        served("6.2.3", "never indexed, a known name", '\x11' + text("localhost"),
               "host: localhost"),
        served("6.2.3", "never indexed, a known name, Huffman", '\x11' + huffman_host,
               "host: www.example.com"),
        served("6.2.3", "never indexed, a new name", authority + '\x10' + custom, shown),
        served("6.2.3", "never indexed, a new name, Huffman",
               authority + '\x10' + huffman_name + huffman_value, shown),
        {"6.3", "a table size update", headers(1, "\x20" + base + authority), Is::served},
        {"6.3", "two table size updates", headers(1, "\x20\x3F\xE1\x1F" + base + authority),
         Is::served},
        wrong("2.3.3", "an index beyond both tables", "\xFF\x80\x01"),
        wrong("2.3.3", "a name's index beyond both tables", "\x7F\x80\x01" + text("x")),
        wrong("4.2", "a table size update behind a field", "\x20"),
        wrong("5.1", "an integer without end", "\xFF" + std::string(10, '\x80') + '\x01'),
        wrong("5.2", "a string that is longer than the block",
              "\x40"
              "\x7F\x80\x7F"
              "x"),
        wrong("5.2", "Huffman padding of more than seven bits",
              std::string(1, '\0') + text("x-test") + "\x84\x49\x50\x9f\xff"),
        wrong("5.2", "Huffman padding with zeros",
              std::string(1, '\0') + text("x-test") + "\x83\x49\x50\x90"),
        wrong("5.2", "Huffman with the end-of-string symbol",
              std::string(1, '\0') + text("x-test") + "\x84\xff\xff\xff\xff"),
        wrong("6.1", "index 0", "\x80"),
    };
    rows.push_back({"6.3", "a table size beyond SETTINGS_HEADER_TABLE_SIZE",
                    headers(1, "\x3F\xE2\x1F" + base + authority), Is::over,
                    NGHTTP2_COMPRESSION_ERROR});
    return rows;
}

void expect_row(std::uint16_t port, const Row& row) {
    SCOPED_TRACE(std::string(row.section) + ": " + row.what);
    Http2Client client(port);
    client.send(row.bytes);
    if (!row.then.empty()) {
        EXPECT_TRUE(client.answer(1).ended);
        client.send(row.then);
    }
    if (row.want == Is::over) {
        const auto code = client.farewell();
        ASSERT_TRUE(code) << "ended without GOAWAY";
        EXPECT_EQ(*code, row.code);
        return;
    }
    client.send(get(101));
    EXPECT_EQ(client.answer(101).status(), 200);
    const Answer& answer = client.answers[1];
    if (row.want == Is::reset) {
        ASSERT_TRUE(answer.reset);
        EXPECT_EQ(*answer.reset, row.code);
    } else if (row.want == Is::served) {
        EXPECT_TRUE(client.until([&] { return answer.ended; }));
        EXPECT_EQ(answer.status(), 200);
        EXPECT_NE(answer.body.find(row.in_answer), std::string::npos) << answer.body;
    }
}

void expect_all(const std::vector<Row>& rows) {
    Running running(tell);
    for (const Row& row : rows) {
        expect_row(running.port(), row);
    }
}

TEST(Http2Frames, Streams) {
    expect_all(rows_of_streams());
}
TEST(Http2Frames, Frames) {
    expect_all(rows_of_frames());
}
TEST(Http2Frames, Messages) {
    expect_all(rows_of_messages());
}
TEST(Http2Frames, Hpack) {
    expect_all(rows_of_hpack());
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
