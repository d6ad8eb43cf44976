#include "codec/http2_frames.h"
#include "codec/http2_head.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::codec {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields base() {
    return {{":method", "POST"}, {":scheme", "https"}, {":path", "/a?b=c"}, {":authority", "x:1"}};
}

Fields with(std::string name, std::string value) {
    Fields fields = base();
    fields.emplace_back(std::move(name), std::move(value));
    return fields;
}

Fields without(const std::string& name) {
    Fields fields = base();
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    return fields;
}

struct Read {
    Http2HeadReader reader;
    Head head;
    std::optional<Http2Error> error;

    explicit Read(const Fields& fields, bool has_body = true, std::size_t most = 64UL << 10,
                  std::size_t most_fields = 200)
        : reader(most, most_fields) {
        for (const auto& [name, value] : fields) {
            const auto added = reader.add(name, value);
            if (!added && !error) {
                error = added.error();
            }
        }
        const auto finished = reader.finish(has_body, head);
        if (!finished) {
            EXPECT_TRUE(!error || error == finished.error());
            error = finished.error();
        } else {
            EXPECT_FALSE(error);
        }
    }
};

TEST(Http2Head, BecomesAHeadLikeAnyOther) {
    Fields fields = with("content-length", "5");
    fields.emplace_back("a", "b");
    const Read read(fields);
    ASSERT_FALSE(read.error);
    EXPECT_EQ(read.head.method, "POST");
    EXPECT_EQ(read.head.target, "/a?b=c");
    EXPECT_EQ(*read.head.find("host"), "x:1");
    EXPECT_EQ(*read.head.find("a"), "b");
    EXPECT_EQ(read.head.framing, Framing::length);
    EXPECT_EQ(read.head.content_length, 5U);
    EXPECT_EQ(read.head.fields.size(), 3U);
}

TEST(Http2Head, FramingFollowsFromTheFrames) {
    EXPECT_EQ(Read(base(), true).head.framing, Framing::chunked);
    EXPECT_EQ(Read(base(), false).head.framing, Framing::none);
    EXPECT_EQ(Read(with("content-length", "0"), false).head.framing, Framing::length);
    EXPECT_EQ(Read(with("content-length", "1"), false).error, Http2Error::bad_content_length);
    EXPECT_TRUE(Read(with("expect", "100-Continue"), true).head.expect_continue);
    EXPECT_FALSE(Read(with("expect", "100-continue"), false).head.expect_continue);
    EXPECT_FALSE(Read(with("expect", "miracles"), true).head.expect_continue);
}

TEST(Http2Head, HostWithoutAuthorityAndBoth) {
    Fields fields = without(":authority");
    fields.emplace_back("host", "y");
    EXPECT_EQ(*Read(fields).head.find("host"), "y");
    EXPECT_EQ(Read(with("host", "X:1")).head.fields.size(), 1U);
    EXPECT_EQ(Read(with("host", "y")).error, Http2Error::bad_host);
}

TEST(Http2Head, WhatIsRefused) {
    const std::vector<std::pair<Fields, Http2Error>> cases = {
        {with(":path", "/"), Http2Error::bad_pseudo_field},
        {with(":status", "200"), Http2Error::bad_pseudo_field},
        {with(":protocol", "websocket"), Http2Error::bad_pseudo_field},
        {without(":method"), Http2Error::bad_pseudo_field},
        {without(":scheme"), Http2Error::bad_pseudo_field},
        {without(":path"), Http2Error::bad_pseudo_field},
        {without(":authority"), Http2Error::bad_host},
        {{{"a", "b"}, {":method", "GET"}}, Http2Error::bad_pseudo_field},
        {{{":method", "G T"}, {":scheme", "http"}, {":path", "/"}, {":authority", "x"}},
         Http2Error::bad_method},
        {{{":method", "GET"}, {":scheme", "h p"}, {":path", "/"}, {":authority", "x"}},
         Http2Error::bad_target},
        {{{":method", "GET"}, {":scheme", "http"}, {":path", ""}, {":authority", "x"}},
         Http2Error::bad_target},
        {{{":method", "GET"}, {":scheme", "http"}, {":path", "a"}, {":authority", "x"}},
         Http2Error::bad_target},
        {{{":method", "GET"}, {":scheme", "http"}, {":path", "*"}, {":authority", "x"}},
         Http2Error::bad_target},
        {{{":method", "GET"}, {":scheme", "http"}, {":path", "/\x80"}, {":authority", "x"}},
         Http2Error::bad_target},
        {{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "u@x"}},
         Http2Error::bad_host},
        {with("A", "b"), Http2Error::bad_field_name},
        {with("", "b"), Http2Error::bad_field_name},
        {with("a b", "b"), Http2Error::bad_field_name},
        {with("a", "b\r"), Http2Error::bad_field_value},
        {with("a", "b\n"), Http2Error::bad_field_value},
        {with("a", std::string("b\0", 2)), Http2Error::bad_field_value},
        {with("a", "\x7F"), Http2Error::bad_field_value},
        {with("a", " b"), Http2Error::bad_field_value},
        {with("a", "b "), Http2Error::bad_field_value},
        {with("connection", "x"), Http2Error::connection_field},
        {with("te", "gzip"), Http2Error::connection_field},
        {with("transfer-encoding", "chunked"), Http2Error::connection_field},
        {with("content-length", "-1"), Http2Error::bad_content_length},
        {with("content-length", ""), Http2Error::bad_content_length},
        {with("content-length", "1, 1"), Http2Error::bad_content_length},
        {with("content-length", "9223372036854775808"), Http2Error::bad_content_length},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const Read read(cases[i].first);
        ASSERT_TRUE(read.error) << i;
        EXPECT_EQ(to_string(*read.error), to_string(cases[i].second)) << i;
    }
}

TEST(Http2Head, ABombIsCountedAndNotKept) {
    Http2HeadReader reader(1000, 200);
    std::optional<Http2Error> error;
    for (int i = 0; i < 100'000; ++i) {
        const auto added = reader.add("name", std::string(100, 'x'));
        error = added ? error : added.error();
    }
    EXPECT_EQ(error, Http2Error::head_too_large);
    EXPECT_EQ(reader.bytes(), 100'000U * 136);
    EXPECT_EQ(Read(base(), true, 1000, 0).error, std::nullopt);
    EXPECT_EQ(Read(with("a", "b"), true, 1000, 0).error, Http2Error::too_many_fields);
}

TEST(Http2Head, Asterisk) {
    const Read read({{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}, {"host", "x"}});
    EXPECT_FALSE(read.error);
    EXPECT_EQ(read.head.target, "*");
}

TEST(Http2FrameWalk, FindsTheSameFramesWhereverTheBytesAreCut) {
    const char* given = std::getenv("WEIR_SEED");
    const auto seed = given != nullptr
                          ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                          : std::random_device()();
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        const std::size_t before = random() % 30;
        std::string bytes(before, 'p');
        std::vector<std::pair<std::size_t, Http2FrameHead>> frames;
        for (unsigned i = 0, count = random() % 8; i < count; ++i) {
            Http2FrameHead head;
            head.length = random() % (random() % 8 == 0 ? 70'000 : 20);
            head.type = static_cast<std::uint8_t>(random());
            head.flags = static_cast<std::uint8_t>(random());
            head.stream = static_cast<std::int32_t>(random() & 0x7FFFFFFF);
            const auto stream = static_cast<std::uint32_t>(head.stream) | (random() & 1) << 31;
            for (const int shift : {16, 8, 0}) {
                bytes += static_cast<char>(head.length >> shift);
            }
            bytes += static_cast<char>(head.type);
            bytes += static_cast<char>(head.flags);
            for (const int shift : {24, 16, 8, 0}) {
                bytes += static_cast<char>(stream >> shift);
            }
            frames.emplace_back(bytes.size() - 1, head);
            bytes += std::string(head.length, 'd');
        }
        Http2FrameWalk walk(before);
        std::vector<std::pair<std::size_t, Http2FrameHead>> found;
        std::size_t at = 0;
        while (at < bytes.size()) {
            const std::size_t size = 1 + random() % (random() % 4 == 0 ? 100'000 : 12);
            std::string_view piece = std::string_view(bytes).substr(at, size);
            while (!piece.empty()) {
                const auto step = walk.next(piece);
                piece.remove_prefix(step.bytes);
                at += step.bytes;
                if (step.head) {
                    found.emplace_back(at, *step.head);
                } else {
                    ASSERT_TRUE(piece.empty());
                }
            }
        }
        ASSERT_EQ(found, frames);
    }
}

}  // namespace
}  // namespace weir::codec
