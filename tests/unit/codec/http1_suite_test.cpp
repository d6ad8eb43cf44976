// llhttp's cases, from its Markdown. That parser serves many protocols and can be told to be
// lenient; weir is a strict proxy, so it must take no more than llhttp does by default, and what it
// takes it must read the same. Where weir refuses what llhttp takes, the case is listed with why.
#include "unit/codec/http1_session.h"
#include "unit/codec/suites.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <sstream>

namespace {

using namespace weir::codec;
using weir::codec::testing::Message;
using weir::codec::testing::read_bytewise;
using weir::codec::testing::read_stream;
using weir::codec::testing::read_whole;
using weir::codec::testing::Transcript;
using Side = HeadReader::Side;

struct Case {
    std::string name;  // "request/method.md: REPORT request"
    std::string type;  // "request", "response-lenient-headers", ...
    bool skip_body = false;
    std::string input;
    std::string log;
};

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

/// The bytes a block stands for: its line ends are CR LF, a backslash joins lines and escapes.
std::string unescape(std::string block) {
    if (block.ends_with('\n'))
        block.pop_back();
    block = replace_all(block, "\\\n", "");
    block = replace_all(block, "\n", "\r\n");
    block = replace_all(block, "\\r", "\r");
    block = replace_all(block, "\\n", "\n");
    block = replace_all(block, "\\t", "\t");
    block = replace_all(block, "\\f", "\f");
    std::string out;
    for (std::size_t i = 0; i < block.size(); ++i) {
        if (block.compare(i, 2, "\\x") == 0) {
            const int c = std::stoi(block.substr(i + 2, 2), nullptr, 16);
            if (c >= 0x80)  // a character of Latin-1, written as UTF-8
                out += static_cast<char>(0xC0 | (c >> 6));
            out += static_cast<char>(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
            i += 3;
        } else {
            out += block[i];
        }
    }
    return out;
}

void read_cases(const std::filesystem::path& folder, std::vector<Case>& cases) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.path().extension() == ".md")
            files.push_back(entry.path());
    std::ranges::sort(files);
    for (const auto& file : files) {
        std::istringstream lines(weir::testing::read_file(file));
        Case current;
        std::string title;
        std::string* block = nullptr;
        for (std::string line; std::getline(lines, line);) {
            if (block != nullptr && line == "```") {
                if (block == &current.log) {
                    current.input = unescape(current.input);
                    cases.push_back(current);
                }
                block = nullptr;
            } else if (block != nullptr) {
                *block += line + "\n";
            } else if (line.starts_with("#")) {
                title = line.substr(line.find_first_not_of("# "));
            } else if (line.starts_with("<!-- meta=")) {
                current = Case{};
                const std::size_t key = line.find("\"type\":");
                ASSERT_NE(key, std::string::npos) << line;
                const std::size_t start = line.find('"', key + 7) + 1;
                current.type = line.substr(start, line.find('"', start) - start);
                current.skip_body = line.contains("skipBody");
                current.name = file.lexically_relative(folder).string() + ": " + title;
            } else if (line.starts_with("```http")) {
                block = &current.input;
            } else if (line.starts_with("```log")) {
                block = &current.log;
            }
        }
    }
}

struct Expected {
    std::vector<Message> messages;
    bool error = false;
    bool may_end_here = true;
};

/// What the log says was found, its spans taken from the input by offset and length.
Expected read_log(const Case& test) {
    Expected out;
    Message message;
    std::pair<std::string, std::string> field;
    bool head = true;
    std::istringstream lines(test.log);
    for (std::string line; std::getline(lines, line);) {
        std::size_t offset = 0;
        std::size_t length = 0;
        std::array<char, 32> kind_text{};
        if (std::sscanf(line.c_str(), "off=%zu len=%zu span[%31[a-z_]]=", &offset, &length,
                        kind_text.data()) == 3) {
            const std::string text = test.input.substr(offset, length);
            const std::string_view kind = kind_text.data();
            if (kind == "method")
                message.method += text;
            else if (kind == "url")
                message.target += text;
            else if (kind == "status")
                message.reason += text;
            else if (kind == "header_field")
                field.first += text;
            else if (kind == "header_value")
                field.second += text;
            else if (kind == "body")
                message.body += text;
        } else if (line.contains("message begin")) {
            if (!head)
                out.messages.push_back(message);
            message = Message{};
            head = true;
        } else if (line.contains("header_value complete")) {
            while (!field.second.empty() &&
                   (field.second.back() == ' ' || field.second.back() == '\t'))
                field.second.pop_back();
            if (head)
                message.fields.push_back(field);
            field = {};
        } else if (line.contains("headers complete")) {
            head = false;
            if (const auto at = line.find("status="); at != std::string::npos)
                message.status = std::stoi(line.substr(at + 7));
            message.minor_version = line.contains("v=1/0") ? 0 : 1;
        } else if (line.contains("message complete")) {
            message.complete = true;
            out.messages.push_back(message);
            message = Message{};
            head = true;
        } else if (line.contains("finish=2")) {
            out.may_end_here = false;
        } else if (line.contains(" error code=")) {
            // A tunnel begins, or the connection was to close: weir reads no further either.
            out.error = out.error || (!line.contains("Pause on CONNECT/Upgrade") &&
                                      !line.contains("Data after `Connection: close`"));
        }
    }
    if (!head)
        out.messages.push_back(message);
    return out;
}

/// llhttp asks for no Host. Where a request of HTTP/1.1 has none, it gets one, in the input and in
/// what is expected.
void give_host(std::string& input, std::vector<Message>& expected) {
    for (std::string_view name : {"\r\nHost:", "\r\nHOST:", "\r\nhost:"})
        if (input.contains(name))
            return;
    // In absolute form the target names the host already.
    std::string host = "suite";
    if (const auto at = input.find("://"); at < input.find('\r'))
        host = input.substr(at + 3, input.find_first_of("/? ", at + 3) - at - 3);
    input = replace_all(std::move(input), " HTTP/1.1\r\n", " HTTP/1.1 \r\nHost: " + host + "\r\n");
    input = replace_all(std::move(input), " HTTP/1.1 \r\n", " HTTP/1.1\r\n");
    for (Message& message : expected)
        if (message.minor_version == 1)
            message.fields.insert(message.fields.begin(), {"Host", host});
}

/// Cases that llhttp takes and weir refuses, and with what.
const std::map<std::string, Http1Error> kStricter{
    // An extension of HTTP/1.1 that only discovery protocols use: "*" is for OPTIONS.
    {"request/method.md: M-SEARCH request", Http1Error::bad_target},
    // Other protocols and versions.
    {"request/method.md: SOURCE request with ICE", Http1Error::bad_request_line},
    {"request/method.md: OPTIONS request with RTSP", Http1Error::bad_request_line},
    {"request/method.md: ANNOUNCE request with RTSP", Http1Error::bad_request_line},
    {"request/sample.md: No HTTP version", Http1Error::bad_request_line},
    {"response/sample.md: RTSP response", Http1Error::bad_status_line},
    {"response/sample.md: ICE response", Http1Error::bad_status_line},
    {"response/sample.md: HTTP version 0.9", Http1Error::bad_version},
    // A fragment is for the client alone; a password has no place in a request's target.
    {"request/uri.md: Fragment in URI", Http1Error::bad_target},
    {"request/uri.md: `host:port` and basic auth", Http1Error::bad_target},
    {"request/transfer-encoding.md: POST with `chunked` as last transfer-encoding",
     Http1Error::bad_target},
    {"request/transfer-encoding.md: POST with `chunked` as last transfer-encoding (multiple "
     "headers)",
     Http1Error::bad_target},
    // Only "chunked" alone is an encoding that both neighbours are sure to read the same.
    {"response/transfer-encoding.md: `chunked` before other transfer-encoding",
     Http1Error::bad_transfer_encoding},
    {"response/transfer-encoding.md: multiple transfer-encoding where chunked is not the last one",
     Http1Error::bad_transfer_encoding},
    {"response/transfer-encoding.md: `chunkedchunked` transfer-encoding does not enable chunked "
     "enconding",
     Http1Error::bad_transfer_encoding},
    // No host and no port.
    {"request/sample.md: curl GET", Http1Error::bad_host},
    {"request/sample.md: Firefox GET", Http1Error::bad_host},
    // An empty line before a response belongs to no message.
    {"response/connection.md: HTTP 304 with Content-Length", Http1Error::bad_status_line},
    {"response/connection.md: HTTP 100 first, then 400", Http1Error::bad_status_line},
    {"response/pipelining.md: Should parse multiple events", Http1Error::bad_status_line},
    {"response/sample.md: Response starting with CRLF", Http1Error::bad_status_line},
};

/// Cases that llhttp refuses, or takes only when lenient, and that weir takes: none of them makes
/// two readers differ on where a message ends.
const std::set<std::string> kTaken{
    // Any token is a method here; which ones are served, the gateway says by path.
    "request/invalid.md: HTTP protocol and ANNOUNCE method",
    "request/invalid.md: Invalid method",
    // Lenient reading goes on behind "Connection: close"; weir stops there, without an error.
    "request/connection.md: Resetting flags when keep-alive is off (1.0, lenient)",
    "request/connection.md: CRLF between requests, explicit `close` (lenient)",
    "response/connection.md: HTTP/1.1 with keep-alive disabled, content-length (lenient)",
    "response/connection.md: HTTP/1.1 with keep-alive disabled and 204 status (lenient)",
};

/// llhttp told to skip a request's body; weir cannot be.
const std::string_view kSkippedBody =
    "request/content-length.md: Content-Length reset when no body is received";

/// A CONNECT with a body: llhttp takes what follows for the tunnel's, weir for the body it is
/// declared to be. The gateway serves no CONNECT.
const std::string_view kConnectBody = "request/method.md: CONNECT with body";

void compare(const Message& got, const Message& expected) {
    EXPECT_EQ(got.method, expected.method);
    EXPECT_EQ(got.target, expected.target);
    EXPECT_EQ(got.status, expected.status);
    EXPECT_EQ(got.minor_version, expected.minor_version);
    EXPECT_EQ(got.reason, expected.reason);
    EXPECT_EQ(got.body, expected.body);
    EXPECT_EQ(got.fields, expected.fields);
    if (got.framing != Framing::until_close) {
        EXPECT_EQ(got.complete, expected.complete);
    }
}

Transcript read_every_way(Side side, std::string_view input, bool to_head, std::mt19937& random) {
    const Transcript got = read_whole(side, input, to_head);
    EXPECT_EQ(got, read_bytewise(side, input, to_head));
    for (int i = 0; i < 20; ++i) {
        const auto next_length = [&] { return std::size_t{1} + random() % 30; };
        EXPECT_EQ(got, read_stream(side, input, next_length, to_head));
    }
    return got;
}

void run(const Case& test, std::mt19937& random) {
    const Side side = test.type.starts_with("request") ? Side::request : Side::response;
    const bool to_head = test.skip_body && side == Side::response;
    Expected expected = read_log(test);
    std::string input = test.input;
    if (side == Side::request)
        give_host(input, expected.messages);

    const Transcript got = read_every_way(side, input, to_head, random);
    if (const auto stricter = kStricter.find(test.name); stricter != kStricter.end()) {
        EXPECT_EQ(got.error, stricter->second);
        return;
    }
    if (kTaken.contains(test.name)) {
        EXPECT_FALSE(got.error);
        return;
    }
    if (expected.error || test.type.contains("lenient")) {
        EXPECT_TRUE(got.error);
        return;
    }
    // llhttp's log of an input that stops short ends without a word.
    if (got.error) {
        EXPECT_EQ(to_string(*got.error), to_string(Http1Error::truncated));
    }
    if (!expected.may_end_here) {
        EXPECT_EQ(got.error, Http1Error::truncated);
    }
    if (test.name == kConnectBody || test.name == kSkippedBody)
        return;
    ASSERT_EQ(got.messages.size(), expected.messages.size());
    for (std::size_t i = 0; i < got.messages.size(); ++i)
        compare(got.messages[i], expected.messages[i]);
}

TEST(Http1Suite, OfOthers) {
    const auto folder = weir::testing::suite("http1");
    WEIR_REQUIRE_SUITE(folder);
    const char* given = std::getenv("WEIR_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                           : std::random_device()();
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<Case> cases;
    ASSERT_NO_FATAL_FAILURE(read_cases(folder, cases));
    EXPECT_EQ(cases.size(), 251U);
    for (const Case& test : cases) {
        SCOPED_TRACE(test.name + " (" + test.type + ")\n" + test.input);
        run(test, random);
    }
}

}  // namespace
