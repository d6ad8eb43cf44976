// What RFC 9113 says about requests, and RFC 7541 about compressed fields, one row a case.
#include "unit/net/http2_rows.h"

#include <gtest/gtest.h>

namespace weir::net::test::http2 {
namespace {

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

TEST(Http2Messages, Requests) {
    expect_all(rows_of_messages());
}
TEST(Http2Messages, Hpack) {
    expect_all(rows_of_hpack());
}

}  // namespace
}  // namespace weir::net::test::http2
