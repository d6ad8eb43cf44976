// Clients that mean no good: what they do must cost them, and not us.
#include "unit/net/http2_client.h"

#include <gtest/gtest.h>

#include <fstream>

namespace weir::net::test::http2 {
namespace {

std::string times(std::size_t count, const std::function<std::string(std::uint32_t)>& make) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += make(static_cast<std::uint32_t>(2 * i + 1));
    }
    return all;
}

/// Under a sanitizer 0, always: it keeps what was freed for a while.
std::size_t resident_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return resident * 4096;
#endif
}

/// Echoes, and counts how many handlers were started and how many are at work.
struct Counted {
    std::atomic<int> started{0};
    std::atomic<int> at_work{0};
    Server::Handler handler() {
        return [this](Downstream& request) -> Task<void> {
            ++started;
            ++at_work;
            co_await echo(request);
            --at_work;
        };
    }
};

TEST(Http2Abuse, RapidResetStartsNothing) {
    Counted counted;
    Running running(counted.handler());
    Http2Client client(running.port());
    ASSERT_TRUE(client.round_trip());
    client.send(times(2000, [](std::uint32_t i) { return get(i) + reset(i); }));
    EXPECT_EQ(client.farewell(), NGHTTP2_ENHANCE_YOUR_CALM);
    client.socket().close();
    // A pair whose halves came with different reads may have started.
    EXPECT_LE(counted.started, 10);
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
    EXPECT_EQ(counted.at_work, 0);
}

TEST(Http2Abuse, StreamsThatTheClientHasUsReset) {
    // The same by the back door: each stream ends by an error of the client's making.
    const std::vector<std::pair<const char*, std::function<std::string(std::uint32_t)>>> ways = {
        {"a window of 2^31", [](std::uint32_t i) { return post(i) + window(i, 0x7FFFFFFF); }},
        {"a malformed head", [](std::uint32_t i) { return headers(i, block("")); }},
        {"a body longer than it says",
         [](std::uint32_t i) {
             return post(i, "/", field("content-length", "1")) + data(i, "ab");
         }},
        {"a field of HTTP/1.1",
         [](std::uint32_t i) {
             return headers(i, block("/", "GET", field("connection", "close")));
         }},
    };
    for (const auto& [what, make] : ways) {
        Counted counted;
        Running running(counted.handler());
        Http2Client client(running.port());
        ASSERT_TRUE(client.round_trip());
        // Never more at once than it may have open: that would be another offence.
        for (std::uint32_t i = 0; i < 10 && !client.goaway_code; ++i) {
            std::string all;
            for (std::uint32_t j = 0; j < 100; ++j) {
                all += make(2 * (100 * i + j) + 1);
            }
            client.send(all);
            client.round_trip();
        }
        EXPECT_EQ(client.farewell(), NGHTTP2_ENHANCE_YOUR_CALM) << what;
        EXPECT_LE(counted.started, 300) << what;
        EXPECT_TRUE(eventually([&] { return counted.at_work == 0; })) << what;
    }
}

TEST(Http2Abuse, GivingUpNowAndThenIsFine) {
    Counted counted;
    Running running(counted.handler());
    Http2Client client(running.port());
    client.send(times(100, [](std::uint32_t i) { return post(i) + reset(i); }) + get(1001));
    EXPECT_EQ(client.answer(1001).body, "GET / ");
}

/// Answers nothing until it is told to.
struct Closed {
    std::atomic<bool> open{false};
    Server::Handler handler() {
        return [this](Downstream& request) -> Task<void> {
            while (!open) {
                co_await request.loop().sleep(milliseconds(2));
            }
            co_await request.send(200, "", "ok");
        };
    }
};

TEST(Http2Abuse, WhatWeRefuseIsNotTheClientsReset) {
    // More than it may have open, before it can know how many that are.
    Closed early;
    Running running(early.handler());
    Http2Client client(running.port());
    client.send(times(600, [](std::uint32_t i) { return get(i); }));
    EXPECT_EQ(client.answer(1199).reset, NGHTTP2_REFUSED_STREAM);
    EXPECT_FALSE(client.goaway_code);
    early.open = true;
    EXPECT_EQ(client.answer(1).body, "ok");
    client.send(get(1201));
    EXPECT_EQ(client.answer(1201).body, "ok");

    // More than all clients together may have at work.
    Closed full;
    ServerSettings settings;
    settings.max_connections = 4;
    Running small(full.handler(), settings);
    Http2Client other(small.port());
    ASSERT_TRUE(other.round_trip());
    for (std::uint32_t i = 0; i < 300; ++i) {
        other.send(get(2 * i + 1));
        if (i % 50 == 49) {  // never more than it may have open
            ASSERT_TRUE(other.round_trip());
        }
    }
    EXPECT_EQ(other.answer(599).reset, NGHTTP2_REFUSED_STREAM);
    EXPECT_FALSE(other.goaway_code);
    full.open = true;
    EXPECT_EQ(other.answer(1).body, "ok");
}

TEST(Http2Abuse, RefusalsWithoutEndEndTheConnection) {
    Closed full;
    ServerSettings settings;
    settings.max_connections = 1;
    Running running(full.handler(), settings);
    Http2Client client(running.port());
    ASSERT_TRUE(client.round_trip());
    for (std::uint32_t i = 0; i < 10'000 && !client.goaway_code; i += 100) {
        std::string all;
        for (std::uint32_t j = i; j < i + 100; ++j) {
            all += get(2 * j + 1);
        }
        if (!client.send(all) || !client.round_trip()) {
            break;
        }
    }
    full.open = true;  // a connection ends with its last handler
    EXPECT_EQ(client.farewell(), NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST(Http2Abuse, AFloodBehindTheGoawayIsNotReadToItsEnd) {
    Running running(echo);
    Http2Client client(running.port());
    ASSERT_TRUE(client.round_trip());
    client.send(times(2000, [](std::uint32_t i) { return get(i) + reset(i); }));
    const std::string flood(64UL << 10, 'x');
    std::size_t sent = 0;
    while (sent < (128UL << 20) && client.send(flood)) {
        sent += flood.size();
    }
    EXPECT_LT(sent, 32UL << 20);  // what we read, and what the kernel holds
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

TEST(Http2Abuse, FramesThatAskForNothing) {
    const std::string half = block().substr(0, 10);
    const std::vector<std::tuple<const char*, std::string, std::string>> floods = {
        {"PING", "", ping()},
        {"SETTINGS", "", settings()},
        {"SETTINGS with values", "", settings(setting(4, 65535))},
        {"PRIORITY", "", priority(1, 0)},
        {"WINDOW_UPDATE", "", window(0, 1)},
        {"empty DATA", post(1), data(1, "", 0)},
        {"unknown frames", "", frame(0x20, 0, 0, "x")},
        {"RST_STREAM of what is over", post(1) + reset(1), reset(1)},
        {"empty CONTINUATION", headers(1, half, kEndStream), continuation(1, "")},
    };
    for (const auto& [what, before, one] : floods) {
        Counted counted;
        Running running(counted.handler());
        Http2Client client(running.port());
        ASSERT_TRUE(client.round_trip());
        client.mute = true;
        std::string all = before;
        for (int i = 0; i < 8000; ++i) {
            all += one;
        }
        client.send(all);
        EXPECT_EQ(client.farewell(), NGHTTP2_ENHANCE_YOUR_CALM) << what;
        client.socket().close();
        EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; })) << what;
    }
}

TEST(Http2Abuse, PingsWhoseAnswersAreNotRead) {
    Running running(echo);
    Client client(running.port());
    const int small = 4096;
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client.send(std::string(kPreface) + settings());
    std::string pings;
    for (int i = 0; i < 4000; ++i) {
        pings += ping();
    }
    const auto before = resident_bytes();
    for (int i = 0; i < 50 && client.send(pings); ++i) {
    }
    EXPECT_LT(resident_bytes(), before + (std::size_t{16} << 20));
    client.close();
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

TEST(Http2Abuse, ContinuationFlood) {
    Counted counted;
    Running running(counted.handler());
    Http2Client client(running.port());
    client.mute = true;
    const auto before = resident_bytes();
    client.send(headers(1, block(), kEndStream));
    std::string fields;
    while (fields.size() < 16000) {
        fields += field("a", "0123456789012345678901234567890123456789");
    }
    for (int i = 0; i < 1000 && client.send(continuation(1, fields)); ++i) {
    }
    const auto code = client.farewell();
    // Where the client is slow to hear it, the kernel may have cut it off already.
    EXPECT_EQ(code.value_or(NGHTTP2_ENHANCE_YOUR_CALM), NGHTTP2_ENHANCE_YOUR_CALM);
    client.socket().close();
    EXPECT_EQ(counted.started, 0);
    EXPECT_LT(resident_bytes(), before + (std::size_t{16} << 20));
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

/// One field of 4,000 bytes goes into the table, and one byte names it again.
std::string bomb(std::size_t repeats) {
    return block("/", "GET", '\x40' + text("x-bomb") + text(std::string(3900, 'b'))) +
           std::string(repeats, '\xBE');
}

TEST(Http2Abuse, HeaderListTooLarge) {
    Counted counted;
    ServerSettings settings;
    settings.error_body = [](int status, std::string_view) { return std::to_string(status); };
    Running running(counted.handler(), settings);
    Http2Client client(running.port());
    // Up to a point it is refused like any other, and the connection serves on.
    client.send(headers(1, bomb(20)) + get(3));
    EXPECT_EQ(client.answer(1).status(), 431);
    EXPECT_EQ(client.answers[1].body, "431");
    EXPECT_EQ(client.answer(3).status(), 200);
    std::string many;
    for (int i = 0; i < 300; ++i) {
        many += field("a", "b");
    }
    client.send(headers(5, block("/", "GET", many)));
    EXPECT_EQ(client.answer(5).status(), 431);
    EXPECT_EQ(counted.started, 1);
    // Beyond it, the connection ends.
    const auto before = resident_bytes();
    client.send(headers(7, bomb(10'000)));
    EXPECT_EQ(client.farewell(), NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_LT(resident_bytes(), before + (std::size_t{16} << 20));
    EXPECT_EQ(counted.started, 1);
}

TEST(Http2Abuse, TrailersWithoutEnd) {
    Counted counted;
    Running running(counted.handler());
    Http2Client client(running.port());
    client.send(post(1) + headers(1, '\x40' + text("x-bomb") + text(std::string(3900, 'b')) +
                                         std::string(100, '\xBE')));
    EXPECT_EQ(client.answer(1).reset, NGHTTP2_PROTOCOL_ERROR);
    client.send(get(3));
    EXPECT_EQ(client.answer(3).status(), 200);
}

/// Writes without end; says how far it came.
struct Pouring {
    std::atomic<std::size_t> written{0};
    std::atomic<int> timed_out{0};
    std::atomic<int> ended{0};
    Server::Handler handler() {
        return [this](Downstream& request) -> Task<void> {
            const std::string block(64UL << 10, 'x');
            co_await request.begin(200, "", std::nullopt);
            for (int i = 0; i < 10'000; ++i) {
                const auto done = co_await request.write(block);
                if (!done) {
                    timed_out += done.error().error == NetError::timeout ? 1 : 0;
                    break;
                }
                written += block.size();
            }
            ++ended;
        };
    }
};

TEST(Http2Abuse, WindowsOfZero) {
    Pouring pouring;
    ServerSettings settings;
    settings.write_timeout = milliseconds(150);
    Running running(pouring.handler(), settings);
    Http2Client client(running.port(), setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
    const auto before = resident_bytes();
    client.send(times(200, [](std::uint32_t i) { return get(i); }));
    ASSERT_TRUE(eventually([&] { return running.server().active() == 1; }));
    EXPECT_TRUE(eventually([&] { return pouring.ended == 200; }));
    EXPECT_EQ(pouring.timed_out, 200);
    EXPECT_EQ(pouring.written, 0U);
    EXPECT_LT(resident_bytes(), before + (std::size_t{32} << 20));
    EXPECT_EQ(client.answer(1).reset, NGHTTP2_INTERNAL_ERROR);
    EXPECT_EQ(client.answers[1].status(), 200);
}

TEST(Http2Abuse, AReaderThatStopsReading) {
    Pouring pouring;
    ServerSettings settings;
    settings.write_timeout = milliseconds(150);
    Running running(pouring.handler(), settings);
    // All windows are wide open; the socket is what is full.
    Http2Client client(running.port(), setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7FFFFFFF));
    const auto before = resident_bytes();
    client.send(window(0, 0x7FFFFFFF - 65535) + times(100, [](std::uint32_t i) { return get(i); }));
    EXPECT_TRUE(eventually([&] { return pouring.ended == 100; }));
    EXPECT_LT(pouring.written, std::size_t{64} << 20);  // the kernel's buffers, mostly
    EXPECT_LT(resident_bytes(), before + (std::size_t{64} << 20));
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

TEST(Http2Abuse, ASlowReaderStaysWithinItsWindow) {
    Pouring pouring;
    Running running(pouring.handler());
    Http2Client client(running.port());
    client.stingy = true;
    client.send(get(1));
    ASSERT_TRUE(client.until([&] { return client.answers[1].body.size() == 65535; }));
    ASSERT_TRUE(client.round_trip());
    EXPECT_EQ(client.answers[1].body.size(), 65535U);
    EXPECT_LE(pouring.written, 65536U);
    client.send(window(0, 1000) + window(1, 1000));
    ASSERT_TRUE(client.until([&] { return client.answers[1].body.size() == 66535; }));
    client.send(reset(1));
    EXPECT_TRUE(eventually([&] { return pouring.ended == 1; }));
    EXPECT_EQ(pouring.timed_out, 0);
}

}  // namespace
}  // namespace weir::net::test::http2
