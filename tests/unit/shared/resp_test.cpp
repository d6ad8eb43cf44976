#include "shared/resp.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace weir::shared {
namespace {

using Kind = Reply::Kind;

Reply text(std::string bytes) {
    return {.kind = Kind::text, .integer = 0, .text = std::move(bytes), .items = {}};
}

std::vector<Reply> all_of(ReplyReader& reader) {
    std::vector<Reply> replies;
    for (;;) {
        auto next = reader.next();
        EXPECT_TRUE(next) << next.error();
        if (!next || !*next) {
            return replies;
        }
        replies.push_back(std::move(**next));
    }
}

/// The complaint about these bytes; empty: they are good so far.
std::string complaint(std::string_view bytes) {
    ReplyReader reader;
    reader.feed(bytes);
    for (;;) {
        auto next = reader.next();
        if (!next) {
            EXPECT_FALSE(reader.next()) << "an error is for good";
            return next.error();
        }
        if (!*next) {
            return "";
        }
    }
}

TEST(Resp, CommandsAreBinarySafe) {
    std::string out = "before";
    const std::string odd("\0\r\n", 3);
    append_command(out, std::array<std::string_view, 3>{"SET", "", odd});
    EXPECT_EQ(out, "before*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\n" + odd + "\r\n");
}

TEST(Resp, EveryKindInPiecesOfAnySize) {
    const std::string bytes =
        "+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n*-1\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n*0\r\n"
        "*3\r\n:1\r\n*2\r\n+a\r\n*1\r\n$1\r\nb\r\n-ERR in\r\n:7\r\n";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        SCOPED_TRACE(piece);
        ReplyReader reader;
        std::vector<Reply> got;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            reader.feed(std::string_view(bytes).substr(at, piece));
            for (Reply& one : all_of(reader)) {
                got.push_back(std::move(one));
            }
        }
        ASSERT_EQ(got.size(), 10U);
        EXPECT_EQ(got[0], text("OK"));
        EXPECT_EQ(got[1].kind, Kind::error);
        EXPECT_EQ(got[1].text, "ERR no");
        EXPECT_EQ(got[2].integer, -42);
        EXPECT_EQ(got[3], Reply());
        EXPECT_EQ(got[4], Reply());
        EXPECT_EQ(got[5], text("a\r\nbc"));
        EXPECT_EQ(got[6], text(""));
        EXPECT_EQ(got[7].kind, Kind::array);
        ASSERT_EQ(got[8].items.size(), 3U);
        EXPECT_EQ(got[8].items[0].integer, 1);
        EXPECT_EQ(got[8].items[1].items[0], text("a"));
        EXPECT_EQ(got[8].items[1].items[1].items[0], text("b"));
        EXPECT_EQ(got[8].items[2].text, "ERR in");
        EXPECT_EQ(got[9].integer, 7);
    }
}

TEST(Resp, HostileBytesAreBounded) {
    EXPECT_NE(complaint("HTTP/1.1 200 OK\r\n"), "");
    EXPECT_NE(complaint("\x16\x03\x01\x02"), "");
    EXPECT_NE(complaint("$nonsense\r\n"), "");
    EXPECT_NE(complaint("$-2\r\n"), "");
    EXPECT_NE(complaint(":1x\r\n"), "");
    EXPECT_NE(complaint("*2147483647\r\n"), "");
    EXPECT_NE(complaint("*99999999999999999999\r\n"), "");
    EXPECT_EQ(complaint("$9000000000\r\nx"), "");  // waits, within the bound below

    std::string nested;
    for (std::size_t i = 0; i < ReplyReader::kMostDepth + 1; ++i) {
        nested += "*1\r\n";
    }
    EXPECT_EQ(complaint(nested), "");
    EXPECT_NE(complaint(nested + "*1\r\n"), "");

    std::string wide = "*60000\r\n";  // many arrays of many items, one within the other
    EXPECT_NE(complaint(wide + wide +
                        [] {
                            std::string items;
                            for (int i = 0; i < 70000; ++i) {
                                items += ":1\r\n";
                            }
                            return items;
                        }()),
              "");
}

TEST(Resp, AReplyOfTooManyBytesEndsTheReader) {
    ReplyReader reader;
    reader.feed("$1000000000\r\n");
    const std::string block(1UL << 20, 'x');
    for (std::size_t fed = 0; fed < ReplyReader::kMostBytes; fed += block.size()) {
        const auto next = reader.next();
        ASSERT_TRUE(next);
        EXPECT_FALSE(*next);
        reader.feed(block);
    }
    EXPECT_FALSE(reader.next());
}

TEST(Resp, TheBoundIsForEachReply) {
    ReplyReader reader;
    const std::string half(ReplyReader::kMostBytes / 2, 'x');
    for (int i = 0; i < 4; ++i) {
        reader.feed("$" + std::to_string(half.size()) + "\r\n" + half + "\r\n");
        EXPECT_EQ(all_of(reader).size(), 1U);
    }
}

TEST(Resp, RandomBytesDoNoHarm) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    constexpr std::string_view kLetters = "*$:+-0123456789\r\n\r\n\r\nab";
    for (int round = 0; round < 20000; ++round) {
        std::string bytes;
        for (unsigned i = 0; i < 40; ++i) {
            bytes += kLetters[random() % kLetters.size()];
        }
        complaint(bytes);
    }
}

}  // namespace
}  // namespace weir::shared
