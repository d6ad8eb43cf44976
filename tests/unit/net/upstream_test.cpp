#include "net/upstream.h"

#include "net/resolver.h"
#include "unit/net/support.h"
#include "unit/net/upstream_support.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

TEST(Pool, AnswerAtAnyCutAndReuse) {
    const std::vector<std::string> answers = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"};
    for (const auto& answer : answers) {
        std::atomic<std::size_t> cut{0};
        ScriptedPeer peer([&](Client& client) {
            while (!client.receive_until("\r\n\r\n").empty()) {
                client.send(std::string_view(answer).substr(0, cut));
                std::this_thread::sleep_for(std::chrono::microseconds(300));
                client.send(std::string_view(answer).substr(cut));
            }
        });
        Caller caller(peer.endpoint());
        for (cut = 1; cut < answer.size(); ++cut) {
            const auto got = caller.exchange(kGet);
            ASSERT_EQ(got.body, "hello") << cut;
            ASSERT_EQ(got.reused, cut > 1);
        }
        EXPECT_EQ(peer.accepted(), 1);
        EXPECT_EQ(caller.counts.idle, 1);
        EXPECT_EQ(caller.counts.active, 0);
    }
}

TEST(Pool, WhatCannotBeReused) {
    for (const char* answer :
         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
          "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was promised"}) {
        ScriptedPeer peer([&](Client& client) {
            while (!client.receive_until("\r\n\r\n").empty()) {
                client.send(answer);
            }
        });
        Caller caller(peer.endpoint());
        EXPECT_EQ(caller.exchange(kGet).body, "ok");
        EXPECT_EQ(caller.exchange(kGet).body, "ok");
        EXPECT_EQ(peer.accepted(), 2) << answer;
        EXPECT_EQ(caller.counts.idle, 0);
    }
}

TEST(Pool, BodyUntilTheEndOfTheConnection) {
    ScriptedPeer peer([](Client& client) {
        client.receive_until("\r\n\r\n");
        client.send("HTTP/1.1 200 OK\r\n\r\nall of it");
    });
    Caller caller(peer.endpoint());
    const auto got = caller.exchange(kGet);
    EXPECT_EQ(got.body, "all of it");
    EXPECT_FALSE(got.failure);
}

TEST(Pool, WhatIsNoAnswer) {
    struct Case {
        std::string bytes;
        NetError error;
        bool any;
    };
    for (const auto& [bytes, error, any] : std::vector<Case>{
             {"garbage that is no head\r\n\r\n", NetError::protocol, true},
             {"HTTP/1.1 101 Switching Protocols\r\n\r\n", NetError::protocol, true},
             {"", NetError::closed, false},
             {"HTTP/1.1 200 OK\r\nContent-Le", NetError::closed, true},
             {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", NetError::closed, true},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", NetError::protocol,
              true},
             {"HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'a'), NetError::too_large, true},
         }) {
        ScriptedPeer peer([&](Client& client) {
            client.receive_until("\r\n\r\n");
            client.send(bytes);
            client.finish_writing();
            client.receive();
        });
        Caller caller(peer.endpoint());
        const auto got = caller.exchange(kGet);
        ASSERT_TRUE(got.failure) << bytes.substr(0, 50);
        EXPECT_EQ(got.failure->error, error) << bytes.substr(0, 50);
        EXPECT_EQ(got.any_bytes, any);
        EXPECT_EQ(caller.counts.active, 0);
    }
}

TEST(Pool, ConnectionThatDiedWhileIdleIsNotUsed) {
    ScriptedPeer peer([](Client& client) {
        client.receive_until("\r\n\r\n");
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    Caller caller(peer.endpoint());
    EXPECT_EQ(caller.exchange(kGet).body, "ok");
    // Its end is noticed without anybody asking for it.
    EXPECT_TRUE(eventually([&] { return caller.counts.idle == 0; }));
    const auto second = caller.exchange(kGet);
    EXPECT_EQ(second.body, "ok");
    EXPECT_FALSE(second.reused);
}

TEST(Pool, IdleAndOldConnectionsGo) {
    const auto serve = [](Client& client) {
        while (!client.receive_until("\r\n\r\n").empty()) {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    };
    ScriptedPeer peer(serve);
    PoolSettings settings;
    settings.idle = milliseconds(50);
    Caller idle(peer.endpoint(), settings);
    idle.exchange(kGet);
    EXPECT_EQ(idle.counts.idle, 1);
    EXPECT_TRUE(eventually([&] { return idle.counts.idle == 0; }));

    settings.idle = seconds(300);
    settings.retire = milliseconds(1);
    Caller old(peer.endpoint(), settings);
    old.exchange(kGet);
    std::this_thread::sleep_for(milliseconds(20));  // ages are known to a tick of the kernel
    EXPECT_FALSE(old.exchange(kGet).reused);
}

TEST(Pool, FreshIsNeverReused) {
    ScriptedPeer peer([](Client& client) {
        while (!client.receive_until("\r\n\r\n").empty()) {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    Caller caller(peer.endpoint());
    caller.exchange(kGet);
    EXPECT_FALSE(caller.exchange(kGet, true).reused);
    EXPECT_EQ(peer.accepted(), 2);
}

TEST(Pool, DeadlineAndInterruptEndAnExchange) {
    ScriptedPeer peer([](Client& client) { client.receive_until("never"); });
    Caller caller(peer.endpoint());
    caller.read_deadline = milliseconds(30);
    auto got = caller.exchange(kGet);
    ASSERT_TRUE(got.failure);
    EXPECT_EQ(got.failure->error, NetError::timeout);
    caller.read_deadline = {};
    caller.interrupt_after = milliseconds(30);
    got = caller.exchange(kGet);
    ASSERT_TRUE(got.failure);
    EXPECT_EQ(got.failure->error, NetError::interrupted);
}

TEST(Pool, NobodyThere) {
    std::uint16_t port = 0;
    {
        ScriptedPeer peer([](Client&) {});
        port = peer.endpoint().port;
    }
    Caller caller(*Endpoint::parse("http://127.0.0.1:" + std::to_string(port)));
    const auto got = caller.exchange(kGet);
    ASSERT_TRUE(got.failure);
    EXPECT_EQ(got.failure->error, NetError::connect);
    EXPECT_EQ(got.failure->code, std::errc::connection_refused);
}

TEST(Pool, TriesEveryAddressAndNeedsOne) {
    ScriptedPeer peer([](Client& client) {
        client.receive_until("\r\n\r\n");
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    auto endpoint = peer.endpoint();
    endpoint.host = "two.example";
    Resolver two([](const std::string&) {
        return Addresses{*Address::parse("127.0.0.2"), *Address::parse("127.0.0.1")};
    });
    Caller caller(endpoint, {}, &two);
    EXPECT_EQ(caller.exchange(kGet).body, "ok");

    Resolver none([](const std::string&) { return Addresses(); });
    Caller lost(endpoint, {}, &none);
    const auto got = lost.exchange(kGet);
    ASSERT_TRUE(got.failure);
    EXPECT_EQ(got.failure->error, NetError::dns);
}

TEST(Pool, SlowNameServerIsBoundedAndInterruptible) {
    std::atomic<bool> let_go{false};
    Resolver slow([&](const std::string&) {
        while (!let_go) {
            std::this_thread::sleep_for(milliseconds(1));
        }
        return Addresses();
    });
    PoolSettings settings;
    settings.connect_timeout = milliseconds(30);
    const auto endpoint = *Endpoint::parse("http://slow.example");
    {
        Caller caller(endpoint, settings, &slow);
        auto got = caller.exchange(kGet);
        ASSERT_TRUE(got.failure);
        EXPECT_EQ(got.failure->error, NetError::dns);
        settings.connect_timeout = seconds(10);
        Caller patient(endpoint, settings, &slow);
        patient.interrupt_after = milliseconds(30);
        got = patient.exchange(kGet);
        ASSERT_TRUE(got.failure);
        EXPECT_EQ(got.failure->error, NetError::interrupted);
    }
    let_go = true;  // its callers have gone, with their loops
}

TEST(Pool, ProxyTunnel) {
    std::string asked;
    ScriptedPeer proxy([&](Client& client) {
        asked = client.receive_until("\r\n\r\n");
        client.send("HTTP/1.1 200 Connection established\r\n\r\n");
        client.receive_until("\r\n\r\n");
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    const auto endpoint =
        *Endpoint::parse("http://far.example:8080", {},
                         "http://me:secret@127.0.0.1:" + std::to_string(proxy.endpoint().port));
    Caller caller(endpoint);
    EXPECT_EQ(caller.exchange(kGet).body, "ok");
    EXPECT_TRUE(asked.starts_with("CONNECT far.example:8080 HTTP/1.1\r\n")) << asked;
    EXPECT_NE(asked.find("Host: far.example:8080\r\n"), std::string::npos);
    EXPECT_NE(asked.find("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"), std::string::npos);
}

TEST(Pool, ProxyThatWillNot) {
    for (const auto& [answer, error] : std::vector<std::pair<std::string, NetError>>{
             {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
              NetError::connect},
             {"HTTP/1.1 200 OK\r\n\r\nunasked", NetError::protocol},
             {"what?\r\n\r\n", NetError::protocol},
         }) {
        ScriptedPeer proxy([&](Client& client) {
            client.receive_until("\r\n\r\n");
            client.send(answer);
            client.receive();
        });
        const auto endpoint = *Endpoint::parse(
            "http://far.example", {}, "http://127.0.0.1:" + std::to_string(proxy.endpoint().port));
        Caller caller(endpoint);
        const auto got = caller.exchange(kGet);
        ASSERT_TRUE(got.failure);
        EXPECT_EQ(got.failure->error, error) << answer;
    }
}

}  // namespace
}  // namespace weir::net::test
