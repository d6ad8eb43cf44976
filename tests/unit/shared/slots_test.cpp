#include "shared/slots.h"

#include <gtest/gtest.h>

namespace weir::shared {
namespace {

Reply of(std::string_view bytes) {
    ReplyReader reader;
    reader.feed(bytes);
    auto next = reader.next();
    return next && *next ? **next : Reply();
}

const Place kAsked{"seed", 6379};

// CLUSTER KEYSLOT of a Redis 7 says the same.
TEST(Slots, OfKeysAndTheirTags) {
    EXPECT_EQ(slot_of("123456789"), 0x31C3U);
    EXPECT_EQ(slot_of(""), 0U);
    EXPECT_EQ(slot_of("foo"), 12182U);
    EXPECT_EQ(slot_of("{foo}bar"), 12182U);
    EXPECT_EQ(slot_of("weir:{foo}:x{y}"), 12182U);
    EXPECT_EQ(slot_of("{}foo"), slot_of("{}foo"));
    EXPECT_NE(slot_of("{}foo"), 12182U);
    EXPECT_NE(slot_of("{foo"), 12182U);
    EXPECT_EQ(slot_of("a{{foo}}"), slot_of("{foo"));
}

TEST(Slots, TheMapOfTheServers) {
    const auto map = SlotMap::from(
        of("*3\r\n"
           "*4\r\n:0\r\n:5460\r\n*4\r\n$8\r\n10.0.0.1\r\n:7000\r\n$1\r\na\r\n*2\r\n$8\r\nhostname"
           "\r\n$2\r\nn1\r\n*3\r\n$8\r\n10.0.0.9\r\n:7009\r\n$1\r\nr\r\n"
           "*3\r\n:5461\r\n:10922\r\n*3\r\n$-1\r\n:7001\r\n$1\r\nb\r\n"
           "*3\r\n:10923\r\n:16382\r\n*3\r\n$8\r\n10.0.0.1\r\n:7000\r\n$1\r\na\r\n"),
        kAsked, false);
    ASSERT_TRUE(map);
    ASSERT_EQ(map->places.size(), 2U);
    EXPECT_EQ(map->places[map->owner[0]], (Place{"10.0.0.1", 7000}));
    EXPECT_EQ(map->places[map->owner[5460]], (Place{"10.0.0.1", 7000}));
    EXPECT_EQ(map->places[map->owner[5461]], (Place{"seed", 7001}));
    EXPECT_EQ(map->places[map->owner[16382]], (Place{"10.0.0.1", 7000}));
    EXPECT_EQ(map->owner[16383], SlotMap::kNobody);
}

TEST(Slots, NamesArePreferredForCertificates) {
    const Reply reply =
        of("*1\r\n*3\r\n:0\r\n:1\r\n*4\r\n$8\r\n10.0.0.1\r\n:7000\r\n$1\r\na\r\n*2\r\n$8\r\n"
           "hostname\r\n$2\r\nn1\r\n");
    EXPECT_EQ(SlotMap::from(reply, kAsked, false)->places.at(0).host, "10.0.0.1");
    EXPECT_EQ(SlotMap::from(reply, kAsked, true)->places.at(0).host, "n1");
}

TEST(Slots, OddMapsAreNone) {
    for (const std::string_view bytes :
         {"-ERR This instance has cluster support disabled\r\n", "+OK\r\n", "*1\r\n:1\r\n",
          "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n+h\r\n:1\r\n",
          "*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n+h\r\n:1\r\n",
          "*1\r\n*3\r\n:6\r\n:5\r\n*2\r\n+h\r\n:1\r\n",
          "*1\r\n*3\r\n+a\r\n:5\r\n*2\r\n+h\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:5\r\n"}) {
        EXPECT_FALSE(SlotMap::from(of(bytes), kAsked, false)) << bytes;
    }
    // A server that is unknown leaves its slots without one.
    for (const std::string_view server :
         {"*2\r\n$1\r\n?\r\n:1\r\n", "*2\r\n+h\r\n:0\r\n", "*1\r\n+h\r\n", ":1\r\n"}) {
        const auto map =
            SlotMap::from(of("*1\r\n*3\r\n:0\r\n:5\r\n" + std::string(server)), kAsked, false);
        ASSERT_TRUE(map) << server;
        EXPECT_EQ(map->owner[0], SlotMap::kNobody) << server;
    }
}

TEST(Slots, Redirects) {
    const auto moved = redirect_of("MOVED 3999 127.0.0.1:6381", kAsked);
    ASSERT_TRUE(moved);
    EXPECT_FALSE(moved->ask);
    EXPECT_EQ(moved->slot, 3999U);
    EXPECT_EQ(moved->to, (Place{"127.0.0.1", 6381}));
    const auto ask = redirect_of("ASK 1 ::1:6381", kAsked);
    ASSERT_TRUE(ask);
    EXPECT_TRUE(ask->ask);
    EXPECT_EQ(ask->to, (Place{"::1", 6381}));
    EXPECT_EQ(redirect_of("MOVED 1 :6381", kAsked)->to, (Place{"seed", 6381}));
    for (const std::string_view odd :
         {"MOVED", "MOVED 1", "MOVED x 127.0.0.1:1", "MOVED 16384 127.0.0.1:1", "MOVED 1 host",
          "MOVED 1 host:0", "MOVED 1 host:65536", "MOVED 1:2 ", "ASKING", "ERR no"}) {
        EXPECT_FALSE(redirect_of(odd, kAsked)) << odd;
    }
}

}  // namespace
}  // namespace weir::shared
