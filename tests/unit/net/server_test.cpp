#include "net/server.h"

#include "unit/net/log_lines.h"
#include "unit/net/support.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

TEST(Server, AnswersAndKeepsTheConnection) {
    Running running(echo);
    Client client(running.port());
    for (int i = 0; i < 3; ++i) {
        client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        const std::string answer = client.receive_answer();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
        EXPECT_NE(answer.find("\r\nX-Test: yes\r\n"), std::string::npos);
        EXPECT_EQ(answer.find("Connection:"), std::string::npos);
        EXPECT_EQ(body_of(answer), "POST /a abc");
    }
    EXPECT_EQ(running.server().connections(), 1U);
}

TEST(Server, TheSameWhereverTheBytesAreCut) {
    Running running(echo);
    const std::vector<std::string> requests = {
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n"};
    Client client(running.port());
    for (const auto& request : requests) {
        for (std::size_t cut = 1; cut < request.size(); ++cut) {
            ASSERT_TRUE(client.send(std::string_view(request).substr(0, cut)));
            std::this_thread::sleep_for(std::chrono::microseconds(300));
            ASSERT_TRUE(client.send(std::string_view(request).substr(cut)));
            ASSERT_EQ(body_of(client.receive_answer()), "POST /a hello") << cut;
        }
    }
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
    Running running(echo);
    Client client(running.port());
    client.send(
        "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
        "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
        "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
        "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string all = client.receive_all();
    const auto one = all.find("POST /1 a");
    const auto two = all.find("GET /2 ");
    const auto three = all.find("POST /3 b");
    const auto four = all.find("GET /4 ");
    ASSERT_NE(four, std::string::npos) << all;
    EXPECT_LT(one, two);
    EXPECT_LT(two, three);
    EXPECT_LT(three, four);
    EXPECT_NE(all.find("Connection: close"), std::string::npos);
}

TEST(Server, LargeBodiesComeWhole) {
    Running running([](Downstream& request) -> Task<void> {
        const auto body = co_await whole_body(request);
        const std::string answer = body ? *body : std::string("failed");
        co_await request.send(200, "", answer);
    });
    std::string body;
    for (int i = 0; body.size() < 3'000'000; ++i) {
        body += std::to_string(i);
    }
    Client client(running.port());
    std::thread sender([&] {
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
    });
    const std::string answer = client.receive_answer();
    sender.join();
    EXPECT_TRUE(body_of(answer) == body);
}

TEST(Server, ChunkedAnswer) {
    Running running([](Downstream& request) -> Task<void> {
        co_await request.begin(200, "A: b\r\n", std::nullopt);
        co_await request.write("hello ");
        co_await request.write("");
        co_await request.write("world, sixteen b");
        co_await request.end();
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = client.receive_until("0\r\n\r\n");
    EXPECT_NE(answer.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_EQ(body_of(answer), "6\r\nhello \r\n10\r\nworld, sixteen b\r\n0\r\n\r\n");
    client.send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    const std::string old = client.receive_all();
    EXPECT_EQ(old.find("chunked"), std::string::npos);
    EXPECT_NE(old.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(body_of(old), "hello world, sixteen b");
}

TEST(Server, AnswerOfKnownLengthMustBeThatLong) {
    Running running([](Downstream& request) -> Task<void> {
        co_await request.begin(200, "", 10);
        const auto too_much = co_await request.write("more than ten bytes");
        EXPECT_FALSE(too_much);
        co_await request.write("five.");
        const auto ended = co_await request.end();
        EXPECT_FALSE(ended);
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = client.receive_all();
    EXPECT_NE(errno, 0) << "the end must not look clean";
}

TEST(Server, HeadHasNoBody) {
    Running running(echo);
    Client client(running.port());
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string first = client.receive_until("GET /b ");
    EXPECT_NE(first.find("Content-Length: 7\r\n"), std::string::npos);  // of "HEAD / "
    EXPECT_EQ(first.find("HEAD / "), std::string::npos);
}

TEST(Server, Http10ClientMayKeepTheConnection) {
    Running running(echo);
    Client client(running.port());
    client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(client.receive_answer().find("Connection: keep-alive\r\n"), std::string::npos);
    client.send("GET /2 HTTP/1.0\r\n\r\n");
    EXPECT_NE(client.receive_all().find("GET /2"), std::string::npos);
}

TEST(Server, ExpectIsAnsweredWhenTheBodyIsWanted) {
    Running running([](Downstream& request) -> Task<void> {
        if (request.head().target == "/refuse") {
            co_await request.send(417, "", "no");
            co_return;
        }
        co_await echo(request);
    });
    Client client(running.port());
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab");
    EXPECT_EQ(body_of(client.receive_answer()), "POST /a ab");
    client.send(
        "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    const std::string refused = client.receive_until("no");
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 417 ")) << refused;
    EXPECT_NE(refused.find("Connection: close\r\n"), std::string::npos);
}

TEST(Server, MalformedRequestsGetAnAnswerAndAreLogged) {
    Lines lines;
    ServerSettings settings = logging_to(lines);
    settings.max_head = 2048;
    Running running(echo, settings);
    const std::vector<std::pair<std::string, int>> cases = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"GET /" + std::string(4000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(4000, 'a') + "\r\n\r\n", 431},
    };
    for (const auto& [request, status] : cases) {
        Client client(running.port());
        client.send(request);
        client.send(std::string(100'000, 'x'));  // unread bytes must not eat the answer
        client.finish_writing();
        const std::string answer = client.receive_all();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(status))) << answer << request;
        EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
        EXPECT_EQ(body_of(answer), std::to_string(status));
    }
    // The first is logged; of the others, which a client may send as fast as it likes, one a
    // second.
    EXPECT_TRUE(lines.has("answered 400"));
    const auto count_of = [&lines] { return lines.count("answered "); };
    EXPECT_LT(count_of(), cases.size());
    EXPECT_TRUE(eventually([&] {
        Client client(running.port());
        client.send("GET / HTTP/1.1\r\n\r\n");
        client.receive_all();
        return lines.has("more warnings about clients since the last one)");
    }));
}

TEST(Server, MalformedBodyIs400) {
    Running running(echo);
    Client client(running.port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    EXPECT_TRUE(client.receive_until("\r\n").starts_with("HTTP/1.1 400 "));
}

TEST(Server, SlowHeadAndSlowBodyGet408) {
    Lines lines;
    ServerSettings settings = logging_to(lines);
    settings.head_timeout = milliseconds(50);
    Running running(echo, settings);
    for (const char* part :
         {"GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"}) {
        Client client(running.port());
        client.send(part);
        EXPECT_TRUE(client.receive_until("\r\n").starts_with("HTTP/1.1 408 ")) << part;
    }
}

TEST(Server, IdleConnectionIsClosedWithoutAWord) {
    ServerSettings settings;
    settings.idle_timeout = milliseconds(50);
    Running running(echo, settings);
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_FALSE(client.receive_answer().empty());
    EXPECT_EQ(client.receive(), "");
    EXPECT_EQ(errno, 0);
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

TEST(Server, UnreadBodyIsDrainedOrTheConnectionEnds) {
    Running running(
        [](Downstream& request) -> Task<void> { co_await request.send(200, "", "unread"); });
    Client client(running.port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" +
                std::string(50'000, 'x') + "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(body_of(client.receive_answer()), "unread");
    EXPECT_EQ(body_of(client.receive_answer()), "unread");
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" +
                std::string(200'000, 'x'));
    client.finish_writing();
    EXPECT_EQ(body_of(client.receive_all()), "unread");
    EXPECT_EQ(errno, 0);
}

TEST(Server, HandlerThatThrowsCostsItsConnectionOnly) {
    Lines lines;
    Running running(
        [](Downstream& request) -> Task<void> {
            if (request.head().target == "/throw") {
                throw std::runtime_error("no good");
            }
            co_await echo(request);
        },
        logging_to(lines));
    Client bad(running.port());
    bad.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(bad.receive_all(), "");
    EXPECT_TRUE(lines.has("no good"));
    Client good(running.port());
    good.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(body_of(good.receive_answer()), "GET / ");
}

TEST(Server, HandlerWithoutAnAnswerIs500) {
    Running running([](Downstream&) -> Task<void> { co_return; });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.receive_all().starts_with("HTTP/1.1 500 "));
}

TEST(Server, AbortIsSeenAsBroken) {
    Running running([](Downstream& request) -> Task<void> {
        co_await request.begin(200, "", std::nullopt);
        co_await request.write("some");
        request.abort();
        const auto after = co_await request.write("more");
        EXPECT_FALSE(after);
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string got = client.receive_all();
    EXPECT_EQ(got.find("0\r\n\r\n"), std::string::npos);
    EXPECT_EQ(errno, ECONNRESET);
}

TEST(Server, AnswerLeftOpenIsSeenAsBroken) {
    Running running([](Downstream& request) -> Task<void> {
        co_await request.begin(200, "", std::nullopt);
        co_await request.write("some");
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.receive_all();
    EXPECT_EQ(errno, ECONNRESET);
}

TEST(Server, WatchTellsOfALeavingClient) {
    std::atomic<int> gone{0};
    Running running([&gone](Downstream& request) -> Task<void> {
        std::string target(request.head().target);
        request.watch([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &gone);
        co_await request.loop().sleep(milliseconds(200));
        request.unwatch();
        co_await request.send(200, "", target);
    });
    for (const bool reset : {false, true}) {
        gone = 0;
        Client client(running.port());
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_TRUE(eventually([&] { return running.server().active() == 1; }));
        reset ? client.reset() : client.close();
        EXPECT_TRUE(eventually([&] { return running.server().active() == 0; }));
        EXPECT_EQ(gone, 1);
    }
    // One that stays is not reported, one that pipelines neither, and both are served.
    gone = 0;
    Client client(running.port());
    client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(20));
    client.send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(body_of(client.receive_answer()), "/1");
    EXPECT_EQ(body_of(client.receive_answer()), "/2");
    EXPECT_EQ(gone, 0);
}

TEST(Server, SlowReaderIsCutAfterTheWriteTimeout) {
    ServerSettings settings;
    settings.write_timeout = milliseconds(100);
    std::atomic<bool> timed_out{false};
    Running running(
        [&timed_out](Downstream& request) -> Task<void> {
            co_await request.begin(200, "", std::nullopt);
            const std::string block(1 << 20, 'x');
            for (int i = 0; i < 100; ++i) {
                const auto written = co_await request.write(block);
                if (!written) {
                    timed_out = written.error().error == NetError::timeout;
                    co_return;
                }
            }
        },
        settings);
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return timed_out.load(); }));
}

}  // namespace
}  // namespace weir::net::test
