// The server's promises to its handlers, over HTTP/2: what server_test.cpp says of HTTP/1.1.
#include "unit/net/http2_client.h"

#include <gtest/gtest.h>

#include <mutex>

namespace weir::net::test::http2 {
namespace {

constexpr std::uint32_t kOpen = 0x7FFFFFFF - 65535;  // makes the connection's window endless

std::string large(std::size_t size) {
    std::string text;
    for (int i = 0; text.size() < size; ++i) {
        text += std::to_string(i);
    }
    return text;
}

std::string pieces(std::uint32_t stream, std::string_view body) {
    std::string out;
    while (body.size() > 16384) {
        out += data(stream, body.substr(0, 16384), 0);
        body.remove_prefix(16384);
    }
    return out + data(stream, body);
}

TEST(Http2, AnswersWithTheSameFields) {
    Running running(echo);
    Http2Client client(running.port());
    for (std::uint32_t stream = 1; stream < 7; stream += 2) {
        client.send(post(stream, "/a") + data(stream, "abc"));
        const Answer& answer = client.answer(stream);
        EXPECT_EQ(answer.status(), 200);
        EXPECT_EQ(answer.body, "POST /a abc");
        EXPECT_EQ(answer.fields.at("x-test"), "yes");
        EXPECT_EQ(answer.fields.at("content-length"), "11");
        EXPECT_EQ(answer.fields.count("date"), 1U);
        EXPECT_EQ(answer.fields.count("connection"), 0U);
    }
    EXPECT_EQ(running.server().connections(), 1U);
}

TEST(Http2, FieldsOfHttp1AreLeftOut) {
    Running running([](Downstream& request) -> Task<void> {
        EXPECT_EQ(request.http_version(), 20);
        co_await request.begin(200, "Connection: close\r\nKeep-Alive: 5\r\nX-A:b\r\nX-Empty:\r\n",
                               std::nullopt);
        co_await request.write("x");
        co_await request.end();
    });
    Http2Client client(running.port());
    client.send(get(1));
    const Answer& answer = client.answer(1);
    EXPECT_EQ(answer.fields.count("connection") + answer.fields.count("keep-alive"), 0U);
    EXPECT_EQ(answer.fields.at("x-a"), "b");
    EXPECT_EQ(answer.fields.at("x-empty"), "");
    EXPECT_EQ(answer.fields.count("content-length"), 0U);
}

TEST(Http2, RequestsRunSideBySide) {
    Running running([](Downstream& request) -> Task<void> {
        if (request.head().target == "/slow") {
            co_await request.loop().sleep(milliseconds(100));
        }
        co_await request.send(200, "", "done");
    });
    Http2Client client(running.port());
    client.send(get(1, "/slow") + get(3));
    EXPECT_EQ(client.answer(3).body, "done");
    EXPECT_FALSE(client.answers[1].ended);
    EXPECT_EQ(client.answer(1).body, "done");
}

TEST(Http2, LargeBodiesComeWholeBothWays) {
    Running running([](Downstream& request) -> Task<void> {
        const auto body = co_await whole_body(request);
        const std::string answer = body ? *body : std::string("failed");
        co_await request.send(200, "", answer);
    });
    const std::string body = large(3'000'000);
    Http2Client client(running.port());
    client.send(post(1));
    // The client's side of flow control: at most a window's worth is on its way.
    std::size_t sent = 0;
    ASSERT_TRUE(client.round_trip());
    std::size_t allowed = client.settings_seen.at(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    while (sent < body.size()) {
        const std::size_t piece = std::min({body.size() - sent, allowed, std::size_t{16384}});
        if (piece == 0) {
            const std::size_t before = client.window_bytes[1];
            ASSERT_TRUE(client.until([&] { return client.window_bytes[1] > before; }));
            allowed += client.window_bytes[1] - before;
            continue;
        }
        ASSERT_TRUE(client.send(data(1, std::string_view(body).substr(sent, piece),
                                     sent + piece == body.size() ? kEndStream : 0)));
        sent += piece;
        allowed -= piece;
    }
    EXPECT_TRUE(client.answer(1).body == body);
}

TEST(Http2, TheClientMaySendAWindowAndNoMore) {
    std::atomic<bool> read{false};
    Running running([&read](Downstream& request) -> Task<void> {
        while (!read) {
            co_await request.loop().sleep(milliseconds(2));
        }
        co_await echo(request);
    });
    Http2Client client(running.port());
    const std::string body = large(256 << 10).substr(0, 256 << 10);
    ASSERT_TRUE(client.round_trip());  // the window counts once the server's SETTINGS are known
    client.send(post(1) + pieces(1, body));
    ASSERT_TRUE(client.round_trip());
    EXPECT_EQ(client.window_bytes[1], 0U) << "nobody has read yet";
    read = true;
    EXPECT_EQ(client.answer(1).body.size(), body.size() + 7);
}

TEST(Http2, AnswersInPieces) {
    Running running([](Downstream& request) -> Task<void> {
        co_await request.begin(200, "A: b\r\n", std::nullopt);
        co_await request.write("hello ");
        co_await request.write("");
        co_await request.loop().sleep(milliseconds(10));
        co_await request.write("world");
        co_await request.end();
    });
    Http2Client client(running.port());
    client.send(get(1));
    const Answer& answer = client.answer(1);
    EXPECT_EQ(answer.body, "hello world");
    EXPECT_TRUE(answer.ended);
    EXPECT_EQ(answer.fields.at("a"), "b");
}

TEST(Http2, AnAnswerMustBeAsLongAsItSays) {
    Running running([](Downstream& request) -> Task<void> {
        co_await request.begin(200, "", 10);
        const auto too_much = co_await request.write("more than ten bytes");
        EXPECT_FALSE(too_much);
        co_await request.write("five.");
        const auto ended = co_await request.end();
        EXPECT_FALSE(ended);
    });
    Http2Client client(running.port());
    client.send(get(1));
    EXPECT_EQ(client.answer(1).reset, NGHTTP2_INTERNAL_ERROR);
}

TEST(Http2, WithoutABody) {
    Running running([](Downstream& request) -> Task<void> {
        const std::string target(request.head().target);
        if (target == "/204") {
            co_await request.send(204, "", "");
        } else if (target == "/begun") {
            co_await request.begin(200, "", std::nullopt);
            co_await request.end();
        } else {
            co_await request.send(200, "", "seven b");
        }
    });
    Http2Client client(running.port());
    client.send(headers(1, block("/", "HEAD")) + get(3, "/204") + get(5, "/begun"));
    EXPECT_EQ(client.answer(1).fields.at("content-length"), "7");
    EXPECT_EQ(client.answers[1].body, "");
    EXPECT_EQ(client.answer(3).status(), 204);
    EXPECT_EQ(client.answers[3].fields.count("content-length"), 0U);
    EXPECT_TRUE(client.answer(5).ended);
}

TEST(Http2, ExpectIsAnsweredWhenTheBodyIsWanted) {
    Running running([](Downstream& request) -> Task<void> {
        if (request.head().target == "/refuse") {
            co_await request.send(417, "", "no");
            co_return;
        }
        co_await echo(request);
    });
    Http2Client client(running.port());
    const std::string expect = field("expect", "100-continue");
    client.send(post(1, "/a", expect) + post(3, "/refuse", expect));
    EXPECT_TRUE(client.until([&] { return client.answers[1].status() == 100; }));
    client.send(data(1, "ab"));
    EXPECT_EQ(client.answer(1).body, "POST /a ab");
    EXPECT_EQ(client.answers[1].statuses, (std::vector<int>{100, 200}));
    EXPECT_EQ(client.answer(3).statuses, (std::vector<int>{417}));
}

TEST(Http2, ABodyThatIsNotWantedIsToldSo) {
    Running running(
        [](Downstream& request) -> Task<void> { co_await request.send(200, "", "unread"); });
    Http2Client client(running.port());
    client.send(post(1) + data(1, "some", 0));
    EXPECT_EQ(client.answer(1).body, "unread");
    EXPECT_TRUE(client.until([&] { return client.answers[1].reset.has_value(); }));
    EXPECT_EQ(client.answers[1].reset, NGHTTP2_NO_ERROR);  // RFC 9113 8.1
    client.send(data(1, "more on its way", 0) + get(3));
    EXPECT_EQ(client.answer(3).body, "unread");
}

TEST(Http2, WhatAHandlerLeavesUndone) {
    Running running([](Downstream& request) -> Task<void> {
        const std::string target(request.head().target);
        if (target == "/throw") {
            throw std::runtime_error("no good");
        }
        if (target == "/open" || target == "/abort") {
            co_await request.begin(200, "", std::nullopt);
            co_await request.write("some");
        }
        if (target == "/abort") {
            request.abort();
            const auto after = co_await request.write("more");
            EXPECT_FALSE(after);
        }
        if (target == "/") {
            co_await request.send(200, "", "well");
        }
    });
    Http2Client client(running.port());
    client.send(get(1, "/throw") + get(3, "/open") + get(5, "/abort") + get(7, "/none") + get(9));
    EXPECT_EQ(client.answer(1).reset, NGHTTP2_INTERNAL_ERROR);
    EXPECT_EQ(client.answer(3).reset, NGHTTP2_INTERNAL_ERROR);
    EXPECT_FALSE(client.answers[3].ended);
    EXPECT_EQ(client.answer(5).reset, NGHTTP2_INTERNAL_ERROR);
    EXPECT_EQ(client.answer(7).status(), 500);
    EXPECT_EQ(client.answer(9).body, "well");
}

TEST(Http2, AClientThatLeavesIsToldOfAtOnce) {
    std::atomic<int> gone{0};
    Running running([&gone](Downstream& request) -> Task<void> {
        request.watch([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &gone);
        while (gone == 0 && request.head().target != "/stay") {
            co_await request.loop().sleep(milliseconds(2));
        }
        co_await request.loop().sleep(milliseconds(20));
        request.unwatch();
        co_await request.send(200, "", "stayed");
    });
    const auto active = [&] { return running.server().active(); };
    for (int how = 0; how < 4; ++how) {
        gone = 0;
        Http2Client client(running.port());
        client.send(get(1, "/leave"));
        ASSERT_TRUE(eventually([&] { return active() == 1; }));
        switch (how) {
            case 0:
                client.send(reset(1));
                break;
            case 1:
                client.socket().close();
                break;
            case 2:
                client.socket().reset();
                break;
            default:
                client.send(frame(NGHTTP2_GOAWAY, 0, 0, std::string(7, '\0') + '\x02'));
                break;
        }
        EXPECT_TRUE(eventually([&] { return active() == 0; })) << how;
        EXPECT_EQ(gone, 1) << how;
    }
    // Who stays is not reported, whatever else is asked on the connection.
    gone = 0;
    Http2Client client(running.port());
    client.send(get(1, "/stay"));
    client.send(get(3, "/stay"));
    EXPECT_EQ(client.answer(1).body, "stayed");
    EXPECT_EQ(client.answer(3).body, "stayed");
    // Nor is who says that no more will be asked.
    client.send(get(5, "/stay") + frame(NGHTTP2_GOAWAY, 0, 0, std::string(8, '\0')));
    client.until([&] { return client.answers[5].ended; });
    EXPECT_EQ(client.answers[5].body, "stayed");
    EXPECT_EQ(gone, 0);
}

TEST(Http2, DrainLetsRequestsFinish) {
    std::atomic<int> started{0};
    Running running([&started](Downstream& request) -> Task<void> {
        ++started;
        if (request.head().target == "/slow") {
            co_await request.loop().sleep(milliseconds(200));
        }
        co_await request.send(200, "", "done");
    });
    Http2Client idle(running.port());
    idle.send(get(1));
    EXPECT_EQ(idle.answer(1).body, "done");
    Http2Client busy(running.port());
    busy.send(get(1, "/slow"));
    ASSERT_TRUE(eventually([&] { return started == 2; }));
    running.server().drain();
    EXPECT_EQ(idle.farewell(), NGHTTP2_NO_ERROR);
    EXPECT_EQ(idle.goaway_last, 1U);
    // First "soon": what the client has sent by then is still served.
    ASSERT_TRUE(busy.until([&] { return busy.goaway_last.has_value(); }));
    EXPECT_EQ(busy.goaway_last, 0x7FFFFFFFU);
    ASSERT_TRUE(busy.until([&] { return busy.goaway_last == 1U; }));
    EXPECT_FALSE(busy.answers[1].ended);
    busy.send(get(3));  // beyond what was promised: passed over
    EXPECT_EQ(busy.farewell(), NGHTTP2_NO_ERROR);
    EXPECT_EQ(busy.answers[1].body, "done");
    EXPECT_EQ(started, 2);
    idle.socket().close();
    busy.socket().close();
    EXPECT_TRUE(eventually([&] { return running.server().drained(); }));
}

TEST(Http2, CloseAllCutsWhatIsLeft) {
    std::atomic<int> gone{0};
    Running running([&gone](Downstream& request) -> Task<void> {
        request.watch([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &gone);
        while (gone < 2) {
            co_await request.loop().sleep(milliseconds(5));
        }
        request.unwatch();
    });
    Http2Client client(running.port());
    client.send(get(1) + get(3));
    ASSERT_TRUE(eventually([&] { return running.server().active() == 1; }));
    running.server().close_all();
    EXPECT_FALSE(client.farewell());
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
    EXPECT_EQ(gone, 2);
}

TEST(Http2, WhatNeverComesIsNotWaitedFor) {
    ServerSettings settings;
    settings.head_timeout = milliseconds(60);
    settings.idle_timeout = milliseconds(90);
    Running running(echo, settings);
    Http2Client silent(running.port(), nullptr);
    silent.mute = true;
    silent.send(kPreface);
    EXPECT_EQ(silent.farewell(), NGHTTP2_SETTINGS_TIMEOUT);
    Http2Client half(running.port());
    half.mute = true;
    half.send(headers(1, block().substr(0, 10), kEndStream));
    EXPECT_EQ(half.farewell(), NGHTTP2_ENHANCE_YOUR_CALM);
    Http2Client slow(running.port());
    slow.send(post(1) + data(1, "ab", 0));
    EXPECT_EQ(slow.answer(1).status(), 408);
    EXPECT_EQ(slow.farewell(), NGHTTP2_NO_ERROR);  // idle from then on
    silent.socket().close();
    half.socket().close();
    slow.socket().close();
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

TEST(Http2, ManyStreamsAreFair) {
    std::atomic<bool> enough{false};
    Running running([&enough](Downstream& request) -> Task<void> {
        if (request.head().target != "/endless") {
            co_await request.send(200, "", std::string(20'000, 's'));
            co_return;
        }
        const std::string block(1 << 20, 'x');
        co_await request.begin(200, "", std::nullopt);
        while (!enough) {
            const auto written = co_await request.write(block);
            if (!written) {
                co_return;
            }
        }
        co_await request.end();
    });
    Http2Client client(running.port());
    client.send(window(0, kOpen) + get(1, "/endless"));
    ASSERT_TRUE(client.until([&] { return client.answers[1].body.size() > 1'000'000; }));
    const std::size_t before = client.answers[1].body.size();
    std::string all;
    for (std::uint32_t i = 1; i <= 50; ++i) {
        all += get(2 * i + 1);
    }
    client.send(all);
    for (std::uint32_t i = 1; i <= 50; ++i) {
        EXPECT_EQ(client.answer(2 * i + 1).body.size(), 20'000U);
    }
    // While fifty had two frames each, the long one had its turns, and no more than its turns:
    // what stood in the socket's buffers before comes on top.
    EXPECT_LT(client.answers[1].body.size() - before, std::size_t{16} << 20);
    enough = true;
    EXPECT_TRUE(client.answer(1).ended);
}

TEST(Http2, ManyRequestsOnOneConnection) {
    // Stream numbers, the lists of recent streams and the allowances all turn over.
    Running running(echo);
    Http2Client client(running.port());
    std::uint32_t stream = 1;
    for (int round = 0; round < 60; ++round) {
        std::string all;
        const std::uint32_t first = stream;
        for (; stream < first + 200; stream += 2) {
            all += get(stream);
        }
        ASSERT_TRUE(client.send(all));
        for (std::uint32_t one = first; one < stream; one += 2) {
            ASSERT_EQ(client.answer(one).body, "GET / ") << one;
        }
    }
    EXPECT_FALSE(client.goaway_code);
}

}  // namespace
}  // namespace weir::net::test::http2
