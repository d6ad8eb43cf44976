// Whatever weir writes it reads back, and random bytes change no verdict with the split.
#include "fuzz/http1_fuzz.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace {

using namespace weir::codec;
using Side = HeadReader::Side;

std::string from(std::string_view alphabet, const std::vector<unsigned char>& picks) {
    std::string out;
    for (unsigned char pick : picks)
        out += alphabet[pick % alphabet.size()];
    return out;
}

TEST(Http1RoundTrip, Requests) {
    using Picks = std::vector<unsigned char>;
    const bool held =
        rc::check([](const Picks& target, const std::vector<std::pair<Picks, Picks>>& fields,
                     const std::vector<std::string>& pieces, bool in_chunks,
                     const std::vector<unsigned char>& cuts) {
            std::string body;
            std::string chunks;
            for (const std::string& piece : pieces) {
                body += piece;
                append_chunk(chunks, piece);
            }
            chunks += kLastChunk;

            std::vector<std::pair<std::string, std::string>> written{{"Host", "h"}};
            for (const auto& [name, value] : fields)
                written.emplace_back("x" + from("abcXYZ019-_!~", name),
                                     "<" + from("az AZ\t09\x80\xff,;=\"", value) + ">");
            if (in_chunks)
                written.emplace_back("Transfer-Encoding", "chunked");
            else
                written.emplace_back("Content-Length", std::to_string(body.size()));

            const std::string path = "/" + from("az09/%.:?&=|~", target);
            std::string bytes;
            append_request_line(bytes, "POST", path);
            for (const auto& [name, value] : written)
                append_field(bytes, name, value);
            bytes += "\r\n";
            bytes += in_chunks ? chunks : body;
            bytes += bytes;  // two in a row

            std::size_t turn = 0;
            const auto got = weir::codec::testing::read_stream(Side::request, bytes, [&] {
                return cuts.empty() ? bytes.size() : std::size_t{1} + cuts[turn++ % cuts.size()];
            });
            RC_ASSERT(!got.error);
            RC_ASSERT(got.messages.size() == 2U);
            for (const weir::codec::testing::Message& message : got.messages) {
                RC_ASSERT(message.method == "POST");
                RC_ASSERT(message.target == path);
                RC_ASSERT(message.fields == written);
                RC_ASSERT(message.body == body);
                RC_ASSERT(message.complete);
            }
        });
    EXPECT_TRUE(held);
}

TEST(Http1RoundTrip, DamagedMessagesGetOneVerdict) {
    const bool held = rc::check([](bool response, unsigned at, char byte, unsigned char choice) {
        std::string bytes(1, static_cast<char>((choice & ~1U) | (response ? 1U : 0U)));
        bytes += response ? "HTTP/1.1 200 OK\r\n" : "POST /x HTTP/1.1\r\nHost: a\r\n";
        bytes += "Transfer-Encoding: chunked\r\nA: b\r\n\r\n3;e=\"f\"\r\nabc\r\n0\r\nT: u\r\n\r\n";
        bytes[1 + at % (bytes.size() - 1)] = byte;
        weir::fuzz::http1(bytes);
    });
    EXPECT_TRUE(held);
}

}  // namespace
