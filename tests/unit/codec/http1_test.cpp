// What the codec takes, what it refuses and by which name. Every input is read whole, byte by byte
// and cut in two at each place, and must give the same.
#include "codec/http1.h"

#include "unit/codec/http1_session.h"

#include <gtest/gtest.h>

namespace {

using namespace weir::codec;
using weir::codec::testing::Message;
using weir::codec::testing::read_bytewise;
using weir::codec::testing::read_whole;
using weir::codec::testing::Session;
using weir::codec::testing::Transcript;
using Side = HeadReader::Side;

Transcript read(Side side, std::string_view bytes, bool to_head_request = false) {
    const Transcript whole = read_whole(side, bytes, to_head_request);
    EXPECT_EQ(whole, read_bytewise(side, bytes, to_head_request)) << bytes;
    for (std::size_t cut = 1; cut < bytes.size() && bytes.size() < 2000; ++cut) {
        Session session(side, to_head_request);
        session.feed(bytes.substr(0, cut));
        session.feed(bytes.substr(cut));
        EXPECT_EQ(whole, session.finish()) << "cut at " << cut << " of " << bytes;
    }
    return whole;
}
Transcript request(std::string_view bytes) {
    return read(Side::request, bytes);
}
Transcript response(std::string_view bytes) {
    return read(Side::response, bytes);
}

/// The error of a request whose fields, behind a sound Host, are these.
std::optional<Http1Error> field_error(std::string_view fields) {
    return request("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n\r\n").error;
}
std::optional<Http1Error> line_error(std::string_view line) {
    return request(std::string(line) + "\r\nHost: a\r\n\r\n").error;
}
/// The transcript of a chunked request with these bytes as its body.
Transcript chunked(std::string_view body) {
    return request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   std::string(body));
}

TEST(Http1Request, IsTakenApart) {
    const Transcript got = request(
        "POST /model/a%3A0/converse?x=1 HTTP/1.1\r\nHost: h:80\r\nX-Empty:\r\n"
        "X-Spaced: \t a b\tc \t\r\ncontent-LENGTH: 003\r\n\r\nabc");
    ASSERT_FALSE(got.error);
    ASSERT_EQ(got.messages.size(), 1U);
    const Message& message = got.messages[0];
    EXPECT_EQ(message.method, "POST");
    EXPECT_EQ(message.target, "/model/a%3A0/converse?x=1");
    EXPECT_EQ(message.body, "abc");
    EXPECT_EQ(message.framing, Framing::length);
    EXPECT_TRUE(message.complete);
    EXPECT_TRUE(message.keep_alive);
    const std::vector<std::pair<std::string, std::string>> fields{
        {"Host", "h:80"}, {"X-Empty", ""}, {"X-Spaced", "a b\tc"}, {"content-LENGTH", "003"}};
    EXPECT_EQ(message.fields, fields);
}

TEST(Http1Request, FindIgnoresCaseAndGivesTheFirst) {
    Head head;
    HeadReader reader(Side::request);
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
    ASSERT_EQ(reader.read(bytes, head), bytes.size());
    ASSERT_NE(head.find("x-A"), nullptr);
    EXPECT_EQ(*head.find("x-A"), "1");
    EXPECT_EQ(head.find("x-b"), nullptr);
}

TEST(Http1Request, PipelinedRequestsAreReadOneByOne) {
    const Transcript got = request(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n"
        "\r\n\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
        "2\r\nab\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\nrubbish");
    ASSERT_FALSE(got.error);
    ASSERT_EQ(got.messages.size(), 4U);
    EXPECT_EQ(got.messages[0].body, "hi");
    EXPECT_EQ(got.messages[2].body, "ab");
    EXPECT_FALSE(got.messages[3].keep_alive);
}

TEST(Http1Request, TargetForms) {
    EXPECT_FALSE(line_error("GET / HTTP/1.1"));
    EXPECT_FALSE(line_error("GET //../%2e%00?a|b HTTP/1.1"));  // for the gateway to judge
    EXPECT_FALSE(line_error("OPTIONS * HTTP/1.1"));
    EXPECT_FALSE(line_error("GET http://a/x HTTP/1.1"));
    EXPECT_FALSE(line_error("GET http://A?x HTTP/1.1"));
    EXPECT_FALSE(line_error("CONNECT a:443 HTTP/1.1"));
    EXPECT_EQ(line_error("GET http://b/x HTTP/1.1"), Http1Error::bad_host);
    for (const char* line :
         {"GET * HTTP/1.1", "GET a:443 HTTP/1.1", "GET x HTTP/1.1", "GET http:///x HTTP/1.1",
          "GET 1http://a/ HTTP/1.1", "CONNECT a HTTP/1.1", "CONNECT /x HTTP/1.1",
          "GET /a#b HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1",
          "GET /a\tb HTTP/1.1", "GET  / HTTP/1.1"})
        EXPECT_EQ(line_error(line), Http1Error::bad_target) << line;
}

TEST(Http1Request, LineIsStrict) {
    for (const char* line : {"GET", "GET /", "GET / ", "GET /  HTTP/1.1", "GET / HTTP/1.1 ",
                             "GET / http/1.1", "GET / HTTP/11", "GET / HTTP/1.10", "GET / HTTP/1",
                             "GET /a b HTTP/1.1", "GET / HTTP/1.1x"})
        EXPECT_EQ(line_error(line), Http1Error::bad_request_line) << line;
    for (const char* line :
         {"GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/2.0", "PRI * HTTP/2.0"})
        EXPECT_TRUE(line_error(line) == Http1Error::bad_version ||
                    line_error(line) == Http1Error::bad_target)
            << line;
    for (const char* line : {" GET / HTTP/1.1", "G(T / HTTP/1.1", "GET\t/ HTTP/1.1",
                             "G\x80T / HTTP/1.1", ":method / HTTP/1.1"})
        EXPECT_EQ(line_error(line), Http1Error::bad_method) << line;
    EXPECT_EQ(line_error("GET / HTTP/1.1\r"), Http1Error::bad_line_end);
}

TEST(Http1Request, RefusesATlsHelloAtItsFirstByte) {
    Head head;
    HeadReader reader(Side::request);
    const auto got = reader.read("\x16", head);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error(), Http1Error::bad_method);
}

TEST(Http1Request, EmptyLinesBeforeItAreSkippedWithinReason) {
    const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_FALSE(request("\r\n\r\n" + line).error);
    std::string many;
    for (int i = 0; i < 9; ++i)
        many += "\r\n";
    EXPECT_EQ(request(many + line).error, Http1Error::bad_request_line);
    EXPECT_EQ(request("\n" + line).error, Http1Error::bad_line_end);
    EXPECT_EQ(request("\r" + line).error, Http1Error::bad_line_end);
}

TEST(Http1Fields, LineEndsAndFolds) {
    EXPECT_EQ(request("GET / HTTP/1.1\nHost: a\n\n").error, Http1Error::bad_line_end);
    EXPECT_EQ(field_error("A: b\nC: d"), Http1Error::bad_line_end);
    EXPECT_EQ(field_error("A: b\rC: d"), Http1Error::bad_line_end);
    EXPECT_EQ(field_error("A: b\r\n c"), Http1Error::obs_fold);
    EXPECT_EQ(field_error("A: b\r\n\tc"), Http1Error::obs_fold);
    EXPECT_EQ(request("GET / HTTP/1.1\r\n Host: a\r\n\r\n").error, Http1Error::obs_fold);
}

TEST(Http1Fields, NamesAndValues) {
    for (std::string_view bad :
         {std::string_view("A : b"), std::string_view(": b"), std::string_view("A"),
          std::string_view("A b: c"), std::string_view("A\0: b", 5), std::string_view("A\x80: b"),
          std::string_view("(A): b"), std::string_view("A\t: b")})
        EXPECT_EQ(field_error(bad), Http1Error::bad_field_name) << bad;
    for (std::string_view bad : {std::string_view("A: \0", 4), std::string_view("A: 1234567\x7f"),
                                 std::string_view("A: 12345678\x01zzzzzzzzzzz"),
                                 std::string_view("A: \x0b"), std::string_view("A: \x1b[0m")})
        EXPECT_EQ(field_error(bad), Http1Error::bad_field_value) << bad;
    EXPECT_FALSE(field_error("A: \x80\xff \t !~"));
}

TEST(Http1Fields, EveryByteOfAValueIsJudgedRight) {
    for (int c = 0; c < 256; ++c)
        for (int at = 0; at < 20; ++at) {
            std::string value(20, 'v');
            value[at] = static_cast<char>(c);
            Head head;
            HeadReader reader(Side::request);
            const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nA:" + value + "\r\n\r\n";
            const bool good = c == '\t' || (c >= 0x20 && c != 0x7f);
            EXPECT_EQ(reader.read(bytes, head).has_value(), good) << c << " at " << at;
        }
}

TEST(Http1Fields, Host) {
    const auto hosts = [](std::string_view version, std::string_view fields) {
        return request("GET / HTTP/" + std::string(version) + "\r\n" + std::string(fields) + "\r\n")
            .error;
    };
    for (const char* good : {"a", "a.b-c_d:8080", "127.0.0.1", "[::1]:70", "[fe80::1%25eth0]"})
        EXPECT_FALSE(hosts("1.1", "Host: " + std::string(good) + "\r\n")) << good;
    for (const char* bad : {"", "a b", "a,b", "a:", "a:x", "a:123456", ":80", "a/b", "u@a", "[]",
                            "[::1", "[::1]x", "a:80:80", "\xc3\xa9"})
        EXPECT_EQ(hosts("1.1", "Host: " + std::string(bad) + "\r\n"), Http1Error::bad_host) << bad;
    EXPECT_EQ(hosts("1.1", ""), Http1Error::bad_host);
    EXPECT_EQ(hosts("1.1", "Host: a\r\nHost: a\r\n"), Http1Error::bad_host);
    EXPECT_EQ(hosts("1.0", "Host: a\r\nHost: b\r\n"), Http1Error::bad_host);
    EXPECT_FALSE(hosts("1.0", ""));
}

TEST(Http1Fields, Bounds) {
    const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
    const auto read_bounded = [](std::string_view bytes, std::size_t max_bytes,
                                 std::size_t max_fields) {
        Head head;
        HeadReader reader(Side::request, max_bytes, max_fields);
        std::expected<std::optional<std::size_t>, Http1Error> got;
        for (std::size_t size = 1; size <= bytes.size(); ++size)
            if (got = reader.read(bytes.substr(0, size), head); !got || *got)
                break;
        HeadReader at_once(Side::request, max_bytes, max_fields);
        EXPECT_EQ(got, at_once.read(bytes, head));
        return got;
    };
    const std::string three = start + "A: 1\r\nB: 2\r\n\r\n";
    EXPECT_EQ(read_bounded(three, three.size(), 3), three.size());
    EXPECT_EQ(read_bounded(three, three.size() - 1, 3),
              std::unexpected(Http1Error::head_too_large));
    EXPECT_EQ(read_bounded(three, 100, 2), std::unexpected(Http1Error::too_many_fields));
    EXPECT_EQ(read_bounded(start + "A: " + std::string(500, 'x'), 400, 3),
              std::unexpected(Http1Error::head_too_large));
    // No end in sight and no room left: said at once, not at the next byte.
    Head head;
    HeadReader full(Side::request, 10);
    EXPECT_EQ(full.read("GET /12345", head), std::unexpected(Http1Error::head_too_large));
}

TEST(Http1Framing, ContentLength) {
    for (const char* bad : {"+1", "-1", "0x1", "1 2", "1,1", "1, 1", "", "1.0", "a", "1a",
                            "9223372036854775808", "18446744073709551617", "\xb2"})
        EXPECT_EQ(field_error("Content-Length: " + std::string(bad)),
                  Http1Error::bad_content_length)
            << bad;
    EXPECT_EQ(field_error("Content-Length: 0\r\nContent-Length: 0"),
              Http1Error::bad_content_length);
    EXPECT_EQ(field_error("Content-Length: 9223372036854775807"), Http1Error::truncated);
    EXPECT_FALSE(field_error("Content-Length: 0"));
}

TEST(Http1Framing, TransferEncoding) {
    for (const char* bad :
         {"chunked, identity", "identity", "gzip, chunked", "chunked,", ",chunked", "xchunked",
          "chunked;q=1", "\"chunked\"", "", "chunked\tx", "chunked chunked"})
        EXPECT_EQ(field_error("Transfer-Encoding: " + std::string(bad)),
                  Http1Error::bad_transfer_encoding)
            << bad;
    EXPECT_EQ(field_error("Transfer-Encoding: \x0b"
                          "chunked"),
              Http1Error::bad_field_value);
    EXPECT_EQ(field_error("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
              Http1Error::bad_transfer_encoding);
    EXPECT_EQ(field_error("Transfer-Encoding: chunked\r\nContent-Length: 1"),
              Http1Error::both_lengths);
    EXPECT_EQ(field_error("Content-Length: 1\r\nTransfer-Encoding: CHUNKED"),
              Http1Error::both_lengths);
    EXPECT_EQ(request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").error,
              Http1Error::bad_transfer_encoding);
}

TEST(Http1Chunks, GoodOnes) {
    const Transcript got = chunked(
        "5\r\nhello\r\n0006;a;b=c; d = \"q;\\\"\r\n world\r\nA\r\n0123456789\r\n00;x\r\n"
        "X-Sum: 1\r\n\r\n");
    EXPECT_EQ(got.error, Http1Error::bad_chunk);  // the quoted string is not closed
    const Transcript good = chunked(
        "5\r\nhello\r\n0006;a;b=c; d = \"q;\\\"\"\r\n world\r\na\r\n0123456789\r\n00;x\r\n"
        "X-Sum: 1\r\n\r\n");
    ASSERT_FALSE(good.error);
    EXPECT_EQ(good.messages[0].body, "hello world0123456789");
    EXPECT_TRUE(good.messages[0].complete);
}

TEST(Http1Chunks, BadOnes) {
    for (const char* bad : {"\r\n",
                            "g\r\n",
                            "-1\r\n",
                            "+1\r\n",
                            "0x1\r\n",
                            " 1\r\na\r\n",
                            "1 \r\na\r\n",
                            "1\t;a\r\nb\r\n",
                            "1000000000000000\r\n",
                            "ffffffffffffffff1\r\n",
                            "1;\r\na\r\n",
                            "1;=a\r\na\r\n",
                            "1;a=\r\na\r\n",
                            "1;a=\"b\r\na\r\n",
                            "1;a b\r\na\r\n",
                            "1;a \r\nb\r\n",
                            "1;a=\"b\"\t\r\nc\r\n",
                            "1;\x01\r\na\r\n",
                            "1\r\nab\r\n",
                            "1\r\na\n0\r\n\r\n",
                            "1\r\na\r0\r\n\r\n",
                            "1\r0\r\n"})
        EXPECT_EQ(chunked(bad).error, Http1Error::bad_chunk) << bad;
    EXPECT_EQ(chunked("1\na\r\n").error, Http1Error::bad_line_end);
    EXPECT_EQ(chunked("1;" + std::string(1 << 20, 'x')).error, Http1Error::bad_chunk);
    EXPECT_EQ(chunked("1;" + std::string(252, 'x') + "\r\na\r\n0\r\n\r\n").error, std::nullopt);
    EXPECT_EQ(chunked("1;" + std::string(253, 'x') + "\r\na\r\n0\r\n\r\n").error,
              Http1Error::bad_chunk);
    for (const char* cut : {"", "5", "5\r\nhel", "5\r\nhello", "5\r\nhello\r", "0\r\n", "0\r\n\r"})
        EXPECT_EQ(chunked(cut).error, Http1Error::truncated) << cut;
}

TEST(Http1Chunks, Trailers) {
    EXPECT_FALSE(chunked("0\r\nA: b\r\nC:\r\n\r\n").error);
    for (const char* bad :
         {"Content-Length: 1", "transfer-encoding: chunked", "HOST: b", "Connection: close",
          "Trailer: x", "A : b", "A", " folded", "A: \x01", ": b"})
        EXPECT_EQ(chunked("0\r\n" + std::string(bad) + "\r\n\r\n").error, Http1Error::bad_trailer)
            << bad;
    EXPECT_EQ(chunked("0\r\nA: b\n\r\n").error, Http1Error::bad_line_end);
    std::string many = "0\r\n";
    for (int i = 0; i < 2000; ++i)
        many += "A: b\r\n";
    EXPECT_EQ(chunked(many + "\r\n").error, Http1Error::bad_trailer);
    EXPECT_EQ(chunked("0\r\nA: " + std::string(9000, 'x')).error, Http1Error::bad_trailer);
}

TEST(Http1Response, BodiesByStatus) {
    for (const char* line : {"HTTP/1.1 100 Continue", "HTTP/1.1 204 No Content",
                             "HTTP/1.1 304 Not Modified", "HTTP/1.1 101 Switching Protocols"}) {
        const Transcript got = response(std::string(line) + "\r\nContent-Length: 5\r\n\r\n");
        ASSERT_FALSE(got.error) << line;
        EXPECT_EQ(got.messages[0].framing, Framing::none) << line;
        EXPECT_TRUE(got.messages[0].complete) << line;
        EXPECT_TRUE(got.messages[0].keep_alive) << line;
    }
    const Transcript to_head =
        read(Side::response, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true);
    ASSERT_FALSE(to_head.error);
    EXPECT_EQ(to_head.messages[0].framing, Framing::none);
}

TEST(Http1Response, WithoutLengthLastsUntilClose) {
    const Transcript got = response("HTTP/1.1 200 OK\r\n\r\nall\r\n\r\nof it");
    ASSERT_FALSE(got.error);
    EXPECT_EQ(got.messages[0].framing, Framing::until_close);
    EXPECT_FALSE(got.messages[0].keep_alive);
    EXPECT_EQ(got.messages[0].body, "all\r\n\r\nof it");
    EXPECT_TRUE(got.messages[0].complete);
}

TEST(Http1Response, StatusLine) {
    for (const char* good : {"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 999 \xe2\x9c\x93 a\tb"})
        EXPECT_FALSE(response(std::string(good) + "\r\n\r\n").error) << good;
    for (const char* bad :
         {"HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK",
          "HTTP/1.1 -20 OK", "HTTP/1.1", "HTTP/1.1 2x0 OK", "http/1.1 200 OK", "ICY 200 OK",
          "HTTP/1.1 200 O\x01K", "HTTP/1.1\t200 OK", " HTTP/1.1 200 OK", "\r\nHTTP/1.1 200 OK"})
        EXPECT_EQ(response(std::string(bad) + "\r\n\r\n").error, Http1Error::bad_status_line)
            << bad;
    EXPECT_EQ(response("HTTP/2.0 200 OK\r\n\r\n").error, Http1Error::bad_version);
}

TEST(Http1Response, KeepAlive) {
    const auto stays = [](std::string_view start, std::string_view connection) {
        const Transcript got = response(std::string(start) + "\r\nContent-Length: 0\r\n" +
                                        std::string(connection) + "\r\n");
        EXPECT_FALSE(got.error);
        return got.messages.at(0).keep_alive;
    };
    EXPECT_TRUE(stays("HTTP/1.1 200 OK", ""));
    EXPECT_FALSE(stays("HTTP/1.1 200 OK", "Connection: close\r\n"));
    EXPECT_FALSE(stays("HTTP/1.1 200 OK", "Connection: keep-alive\r\nConnection: a ,CLOSE\r\n"));
    EXPECT_FALSE(stays("HTTP/1.0 200 OK", ""));
    EXPECT_TRUE(stays("HTTP/1.0 200 OK", "Connection: Keep-Alive\r\n"));
    EXPECT_FALSE(stays("HTTP/1.0 200 OK", "Connection: keep-alive, close\r\n"));
}

TEST(Http1Request, ExpectContinue) {
    const auto expects = [](std::string_view version, std::string_view fields) {
        Head head;
        HeadReader reader(Side::request);
        const std::string bytes = "POST / HTTP/" + std::string(version) + "\r\nHost: a\r\n" +
                                  std::string(fields) + "\r\n";
        EXPECT_TRUE(reader.read(bytes, head).has_value());
        return head.expect_continue;
    };
    EXPECT_TRUE(expects("1.1", "Expect: 100-Continue\r\n"));
    EXPECT_FALSE(expects("1.0", "Expect: 100-continue\r\n"));
    EXPECT_FALSE(expects("1.1", ""));
    EXPECT_FALSE(expects("1.1", "Expect: more\r\n"));
    EXPECT_FALSE(expects("1.1", "Expect: 100-continue\r\nExpect: more\r\n"));
}

TEST(Http1Body, WithoutBytesIsDoneOnEmptyInput) {
    for (BodyReader body : {BodyReader(Framing::none, 0), BodyReader(Framing::length, 0)}) {
        const auto step = body.next("");
        ASSERT_TRUE(step);
        EXPECT_TRUE(step->done);
        EXPECT_EQ(step->consumed, 0U);
        EXPECT_TRUE(body.finish());
    }
}

TEST(Http1Body, LeavesWhatFollowsAlone) {
    BodyReader body(Framing::length, 3);
    const auto step = body.next("abcGET /");
    ASSERT_TRUE(step);
    EXPECT_EQ(step->content, "abc");
    EXPECT_EQ(step->consumed, 3U);
    EXPECT_TRUE(step->done);
}

TEST(Http1Write, WritesWhatItReads) {
    std::string out;
    append_request_line(out, "POST", "/x");
    append_field(out, "Host", "a");
    append_field(out, "Transfer-Encoding", "chunked");
    out += "\r\n";
    append_chunk(out, "hello");
    append_chunk(out, "");  // nothing, or the body would end here
    append_chunk(out, std::string(300, 'x'));
    out += kLastChunk;
    const Transcript got = request(out);
    ASSERT_FALSE(got.error);
    EXPECT_EQ(got.messages.at(0).body, "hello" + std::string(300, 'x'));
    std::string line;
    append_status_line(line, 503);
    EXPECT_EQ(line, "HTTP/1.1 503 Service Unavailable\r\n");
}

#ifdef NDEBUG
TEST(Http1Write, NeverSplitsAHead) {
    const auto before = unclean_lines();
    std::string out;
    append_field(out, "A", "b\r\nC: d");
    append_field(out, "A\n", "b");
    append_field(out, "A", std::string(40, 'x') + '\0');
    append_request_line(out, "GET", std::string("/\0x", 3));
    EXPECT_EQ(out,
              "A: b__C: d\r\nA_: b\r\nA: " + std::string(40, 'x') + "_\r\nGET /_x HTTP/1.1\r\n");
    EXPECT_EQ(unclean_lines() - before, 4U);
}
#else
TEST(Http1WriteDeathTest, NeverSplitsAHead) {
    std::string out;
    EXPECT_DEATH(append_field(out, "A", "b\r\nC: d"), "line end");
    EXPECT_DEATH(append_field(out, "A\n", "b"), "line end");
    EXPECT_DEATH(append_request_line(out, "GET", std::string("/\0", 2)), "line end");
}
#endif

}  // namespace
