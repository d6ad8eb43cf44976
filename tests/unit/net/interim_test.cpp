// Interim answers to clients of HTTP/1.1 that wait.
#include "net/server.h"

#include "unit/net/support.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

constexpr std::string_view kInterim = "HTTP/1.1 100 Continue\r\n\r\n";

/// Takes its time, and reassures meanwhile.
Server::Handler slow(Duration every, Duration takes, std::string_view content = "done") {
    return [every, takes, content](Downstream& request) -> Task<void> {
        co_await whole_body(request);
        request.reassure(every);
        co_await request.loop().sleep(takes);
        co_await request.begin(200, "", content.size());
        co_await request.loop().sleep(3 * every);  // the head waits for the first bytes
        co_await request.write(content);
        co_await request.loop().sleep(3 * every);
        co_await request.end();
    };
}

/// How many interim answers `bytes` begin with; they are cut off.
std::size_t cut_interims(std::string& bytes) {
    std::size_t count = 0;
    for (; bytes.starts_with(kInterim); ++count) {
        bytes.erase(0, kInterim.size());
    }
    return count;
}

TEST(Interim, ComesUntilTheHeadAndNeverAfter) {
    Running running(slow(milliseconds(20), milliseconds(300)));
    Client client(running.port());
    for (int i = 0; i < 2; ++i) {
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
        std::string answer = client.receive_until("done");
        const std::size_t count = cut_interims(answer);
        EXPECT_GE(count, 2U);
        EXPECT_LE(count, 16U);
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\ndone")) << answer;
    }
}

TEST(Interim, NotToHttp10) {
    Running running(slow(milliseconds(10), milliseconds(100)));
    Client client(running.port());
    client.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(client.receive_all().starts_with("HTTP/1.1 200 "));
}

TEST(Interim, EndsWithAHandlerThatThrows) {
    Running running([](Downstream& request) -> Task<void> {
        request.reassure(milliseconds(10));
        co_await request.loop().sleep(milliseconds(30));
        throw std::runtime_error("on purpose");
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.receive_all();
    Client next(running.port());
    next.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    std::string answer = next.receive_all();
    cut_interims(answer);
    EXPECT_EQ(answer, "");
}

TEST(Interim, AClientThatLeavesIsStillSeen) {
    std::atomic<bool> seen{false};
    Running running([&seen](Downstream& request) -> Task<void> {
        request.watch([](void* gone) { static_cast<std::atomic<bool>*>(gone)->store(true); },
                      &seen);
        request.reassure(milliseconds(10));
        for (int i = 0; i < 1000 && !seen; ++i) {
            co_await request.loop().sleep(milliseconds(10));
        }
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.receive_until(kInterim);
    client.close();
    EXPECT_TRUE(eventually([&] { return seen.load(); }));
}

/// The server's end of the client's connection, which is in this process too.
int other_end(const Client& client) {
    sockaddr_in ours{};
    socklen_t size = sizeof ours;
    ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&ours), &size);
    for (int fd = 3; fd < 1024; ++fd) {
        sockaddr_in peer{};
        size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
            peer.sin_port == ours.sin_port && peer.sin_addr.s_addr == ours.sin_addr.s_addr) {
            return fd;
        }
    }
    return -1;
}

TEST(Interim, OneThatIsCutIsFinishedBeforeTheAnswer) {
    Running running(slow(milliseconds(1), seconds(2)));
    Client client(running.port());
    const int small = 1;
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ASSERT_TRUE(eventually([&] { return running.server().connections() == 1; }));
    ASSERT_TRUE(eventually([&] { return other_end(client) >= 0; }));
    ::setsockopt(other_end(client), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(1800));  // both buffers are full by now
    std::string answer = client.receive_all();
    EXPECT_GE(cut_interims(answer), 20U);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer.substr(0, 200);
    EXPECT_TRUE(answer.ends_with("\r\n\r\ndone")) << answer;
}

}  // namespace
}  // namespace weir::net::test
