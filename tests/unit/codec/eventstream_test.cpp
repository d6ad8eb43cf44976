#include "codec/eventstream.h"

#include "codec/crc32.h"

#include "fuzz/eventstream_fuzz.h"
#include "unit/codec/suites.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

namespace {

using namespace weir::codec;
using namespace std::string_literals;
using Result = std::expected<std::optional<std::size_t>, EventStreamError>;

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}

/// Reads with ever more of the bytes there. The first answer must stay the answer.
Result read(std::string_view bytes, EventMessage& message) {
    Result first;
    std::size_t size = 0;
    for (; size <= bytes.size(); ++size)
        if (first = read_event(bytes.substr(0, size), message); !first || *first)
            break;
    const Result whole = read_event(bytes, message);
    EXPECT_EQ(first, whole);
    if (whole && *whole) {
        EXPECT_EQ(**whole, size);
    }
    return whole;
}

TEST(EventStream, PublishedVectors) {
    EventMessage message;
    EXPECT_EQ(read(from_hex("000000100000000005c248eb7d98c8ff"), message), 16U);
    EXPECT_TRUE(message.headers.empty());
    EXPECT_EQ(message.payload, "");
    const std::string payload =
        from_hex("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936");
    EXPECT_EQ(read(payload, message), payload.size());
    EXPECT_EQ(message.payload, "{'foo':'bar'}");
    std::string written;
    append_event(written, {}, "{'foo':'bar'}");
    EXPECT_EQ(written, payload);
}

TEST(EventStream, SuiteOfOthers) {
    const auto folder = weir::testing::suite("eventstream");
    WEIR_REQUIRE_SUITE(folder);
    int seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename();
        SCOPED_TRACE(name);
        std::string bytes = weir::testing::read_file(entry.path());
        weir::fuzz::eventstream(bytes);
        EventMessage message;
        ++seen;
        if (name.starts_with("valid_")) {
            EXPECT_EQ(read(bytes, message), bytes.size());
            continue;
        }
        EXPECT_FALSE(read(bytes, message));
        if (name == "invalid_prelude_checksum" || name == "invalid_headers_length")
            continue;
        // These were damaged without a new sum, so the sum alone gives them away. With it mended
        // the damage itself must be found, unless the sum was all of it.
        const std::size_t total = static_cast<unsigned char>(bytes[3]);  // all are under 256 bytes
        weir::fuzz::put_sum(bytes, total - 4, crc32(std::string_view(bytes).substr(0, total - 4)));
        if (name == "invalid_message_checksum")
            EXPECT_EQ(read(bytes, message), bytes.size());
        else
            EXPECT_EQ(read(bytes, message), std::unexpected(EventStreamError::bad_header));
    }
    EXPECT_EQ(seen, 11);
}

TEST(EventStream, EveryHeaderTypeComesBack) {
    const Uuid uuid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};
    const std::vector<EventHeader> headers{{"true", true},
                                           {"false", false},
                                           {"i8", std::int8_t{-5}},
                                           {"i16", std::int16_t{-20000}},
                                           {"i32", std::int32_t{500000}},
                                           {"i64", std::int64_t{-42}},
                                           {"bytes", Bytes{std::string_view("\x00\xff", 2)}},
                                           {"string", std::string_view("text")},
                                           {"time", Timestamp{1447971784000}},
                                           {"uuid", uuid}};
    std::string bytes;
    append_event(bytes, headers, "payload");
    EventMessage message;
    ASSERT_EQ(read(bytes, message), bytes.size());
    EXPECT_EQ(message.headers, headers);
    EXPECT_EQ(message.payload, "payload");
    EXPECT_EQ(message.text("string"), "text");
    EXPECT_EQ(message.text("i8"), "");
    EXPECT_EQ(message.text("none"), "");
}

TEST(EventStream, BedrocksOwnHeaders) {
    const std::vector<EventHeader> headers{
        {":message-type", std::string_view("exception")},
        {":exception-type", std::string_view("throttlingException")},
        {":content-type", std::string_view("application/json")}};
    std::string bytes;
    append_event(bytes, headers, R"({"message":"slow down"})");
    EventMessage message;
    ASSERT_EQ(read(bytes, message), bytes.size());
    EXPECT_EQ(message.message_type(), "exception");
    EXPECT_EQ(message.exception_type(), "throttlingException");
    EXPECT_EQ(message.event_type(), "");
}

TEST(EventStream, AnyDamagedByteIsNoticed) {
    std::string bytes;
    const std::vector<EventHeader> headers{{"a", std::string_view("b")}};
    append_event(bytes, headers, "payload");
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        EventMessage message;
        EXPECT_FALSE(read(damaged, message)) << at;
    }
}

TEST(EventStream, LengthsAreJudgedBeforeTheRestIsThere) {
    EventMessage message;
    const auto prelude = [](std::uint32_t total, std::uint32_t header_bytes) {
        std::string bytes(8, '\0');
        weir::fuzz::put_sum(bytes, 0, total);
        weir::fuzz::put_sum(bytes, 4, header_bytes);
        std::string sum(4, '\0');
        weir::fuzz::put_sum(sum, 0, crc32(bytes));
        return bytes + sum;
    };
    EXPECT_EQ(read(prelude(15, 0), message), std::unexpected(EventStreamError::bad_length));
    EXPECT_EQ(read(prelude(20, 5), message), std::unexpected(EventStreamError::bad_length));
    EXPECT_EQ(read(prelude(20, 0xFFFFFFFF), message),
              std::unexpected(EventStreamError::bad_length));
    EXPECT_EQ(read(prelude(kMaxEventMessage, 0), message), std::nullopt);
    EXPECT_EQ(read(prelude(kMaxEventMessage + 1, 0), message),
              std::unexpected(EventStreamError::too_large));
    EXPECT_EQ(read_event(prelude(101, 0), message, 100),
              std::unexpected(EventStreamError::too_large));
    EXPECT_EQ(read(prelude(1 << 20, 200 << 10), message),
              std::unexpected(EventStreamError::too_large));
}

TEST(EventStream, BadHeaders) {
    const auto error = [](std::string_view headers) {
        EventMessage message;
        return read(weir::fuzz::mended(headers, headers.size()), message);
    };
    const Result bad = std::unexpected(EventStreamError::bad_header);
    EXPECT_EQ(error("\0\0"s), bad);        // no name
    EXPECT_EQ(error("\1"), bad);           // cut off
    EXPECT_EQ(error("\1a"), bad);          // no type
    EXPECT_EQ(error("\1a\x0a"), bad);      // unknown type
    EXPECT_EQ(error("\1a\2"), bad);        // no value
    EXPECT_EQ(error("\1a\7\0"s), bad);     // half a length
    EXPECT_EQ(error("\1a\7\0\2x"s), bad);  // too short a value
    EXPECT_EQ(error("\1a\0\1a\1"s), bad);  // one name twice
    std::string many;
    for (char first = 'a'; first <= 'z'; ++first)
        many += "\2"s + first + "x\0"s;
    EXPECT_TRUE(error(many));
    EXPECT_EQ(error(many + "\2cx\1"), bad);
}

TEST(EventStream, MessagesComeOneByOne) {
    std::string bytes;
    for (const char* payload : {"one", "", "three"})
        append_event(bytes, {}, payload);
    std::string_view rest = bytes;
    for (const char* payload : {"one", "", "three"}) {
        EventMessage message;
        const Result got = read_event(rest, message);
        ASSERT_TRUE(got && *got);
        EXPECT_EQ(message.payload, payload);
        rest.remove_prefix(**got);
    }
    EXPECT_TRUE(rest.empty());
}

#ifdef NDEBUG
TEST(EventStream, NeverWritesALengthThatDoesNotFit) {
    const std::string long_text(70000, 'x');
    const std::string half(60000, 'x');
    const std::vector<EventHeader> headers{
        {"long", std::string_view(long_text)}, {"", true},
        {"a", std::string_view(half)},         {"b", std::string_view(half)},
        {"c", std::string_view(half)},         {"d", true}};
    std::string out;
    append_event(out, headers, std::string(kMaxEventPayload + 1, 'x'));
    EventMessage message;
    const Result got = read_event(out, message);
    ASSERT_TRUE(got && *got);
    EXPECT_TRUE(message.payload.empty());
    std::string names;
    for (const EventHeader& header : message.headers)
        names += header.name;
    EXPECT_EQ(names, "abd");  // three of 60,000 bytes are more than a message's headers may have
}
#else
TEST(EventStreamDeathTest, NeverWritesALengthThatDoesNotFit) {
    std::string out;
    const std::string long_text(70000, 'x');
    const std::vector<EventHeader> headers{{"a", std::string_view(long_text)}};
    EXPECT_DEATH(append_event(out, headers, ""), "too long");
    const std::vector<EventHeader> nameless{{"", true}};
    EXPECT_DEATH(append_event(out, nameless, ""), "too long");
}
#endif

TEST(EventStream, SumIsTheSameAByteAtATime) {
    const bool held = rc::check([](const std::string& bytes) {
        std::uint32_t sum = 0xFFFFFFFFU;
        for (char c : bytes) {
            sum ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit)
                sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xEDB88320U : 0);
        }
        RC_ASSERT(crc32(bytes) == ~sum);
    });
    EXPECT_TRUE(held);
}

TEST(EventStream, RoundTrip) {
    const bool held =
        rc::check([](const std::map<std::string, std::string>& strings,
                     const std::vector<std::int64_t>& times, const std::string& payload) {
            std::vector<EventHeader> headers;
            for (const auto& [name, value] : strings)
                if (!name.empty() && name.size() < 200)
                    headers.push_back({name, std::string_view(value)});
            std::vector<std::string> names;
            for (std::size_t i = 0; i < times.size(); ++i)
                names.push_back("::" + std::to_string(i));
            for (std::size_t i = 0; i < times.size(); ++i)
                if (!strings.contains(names[i]))
                    headers.push_back({names[i], Timestamp{times[i]}});
            std::string bytes;
            append_event(bytes, headers, payload);
            EventMessage message;
            const std::size_t size = bytes.size();
            bytes += "more";
            const Result got = read_event(bytes, message);
            RC_ASSERT(got.has_value());
            RC_ASSERT(*got == size);
            RC_ASSERT(message.headers == headers);
            RC_ASSERT(message.payload == payload);
        });
    EXPECT_TRUE(held);
}

}  // namespace
