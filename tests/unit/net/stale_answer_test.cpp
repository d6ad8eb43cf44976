// What an upstream says before it is asked is nobody's answer.
#include "net/resolver.h"

#include "unit/net/tls_by_hand.h"
#include "unit/net/upstream_support.h"

#include <sys/ioctl.h>

#include <gtest/gtest.h>

#include <atomic>

namespace weir::net::test {
namespace {

constexpr std::string_view kMine = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine";
constexpr std::string_view kStale = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nSTALE";

void wait_for(const std::atomic<int>& step, int value) {
    while (step < value) {
        std::this_thread::sleep_for(milliseconds(1));
    }
}

TEST(StaleAnswer, AConnectionThatSpeaksUnaskedIsClosed) {
    std::atomic<int> step{0};
    std::atomic<bool> first{true};
    ScriptedPeer peer([&](Client& client) {
        while (!client.receive_until("\r\n\r\n").empty()) {
            client.send(kMine);
            if (first.exchange(false)) {
                wait_for(step, 1);
                client.send(kStale);
            }
        }
    });
    Caller caller(peer.endpoint());
    EXPECT_EQ(caller.exchange(kGet).body, "mine");
    EXPECT_EQ(caller.counts.idle, 1);
    step = 1;
    EXPECT_TRUE(eventually([&] { return caller.counts.idle == 0; }));
    const auto next = caller.exchange(kGet);
    EXPECT_EQ(next.body, "mine");
    EXPECT_FALSE(next.reused);
}

TEST(StaleAnswer, TheSameUnderTls) {
    std::atomic<int> step{0};
    std::atomic<bool> first{true};
    const Certificates files("localhost", 1);
    ScriptedPeer peer([&](Client& client) {
        ByHand tls(client, &files);
        while (!tls.receive().empty()) {
            client.send(tls.seal(kMine));
            if (first.exchange(false)) {
                wait_for(step, 1);
                client.send(tls.seal(kStale));
            }
        }
    });
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    auto endpoint = peer.endpoint();
    endpoint.tls = true;
    endpoint.host = "localhost";
    endpoint.ca = files.authority();
    Caller caller(endpoint, {}, &local);
    EXPECT_EQ(caller.exchange(kGet).body, "mine");
    step = 1;
    EXPECT_TRUE(eventually([&] { return caller.counts.idle == 0; }));
    const auto next = caller.exchange(kGet);
    EXPECT_EQ(next.body, "mine");
    EXPECT_FALSE(next.reused);
}

TEST(StaleAnswer, BytesInTheSameRecordAsTheAnswer) {
    const Certificates files("localhost", 1);
    ScriptedPeer peer([&](Client& client) {
        ByHand tls(client, &files);
        while (!tls.receive().empty()) {
            client.send(tls.seal(kMine) + tls.seal(kStale));
        }
    });
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    auto endpoint = peer.endpoint();
    endpoint.tls = true;
    endpoint.host = "localhost";
    endpoint.ca = files.authority();
    Caller caller(endpoint, {}, &local);
    for (int i = 0; i < 3; ++i) {
        const auto got = caller.exchange(kGet);
        if (got.failure) {  // it was leased before the loop had looked: refused at the first byte
            EXPECT_FALSE(got.any_bytes);
            continue;
        }
        EXPECT_EQ(got.body, "mine");
    }
}

/// The bytes come when the connection is leased already: the request is not written.
TEST(StaleAnswer, BytesBetweenTheLeaseAndTheRequest) {
    std::atomic<int> step{0};
    std::atomic<int> requests{0};
    ScriptedPeer peer([&](Client& client) {
        while (!client.receive_until("\r\n\r\n").empty()) {
            ++requests;
            client.send(kMine);
            wait_for(step, 1);
            client.send(kStale);
        }
    });
    Caller caller(peer.endpoint());
    EXPECT_EQ(caller.exchange(kGet).body, "mine");
    std::promise<NetResult<void>> promise;
    const auto ask = [](Caller& with, std::atomic<int>& go_on,
                        std::promise<NetResult<void>>& told) -> Task<void> {
        auto leased = with.pool().take_idle();
        const int descriptor =
            static_cast<UpstreamConnection&>(*leased).stream().socket().descriptor();
        go_on = 1;
        for (int there = 0; there == 0;) {  // on the loop's own thread: it cannot see them first
            ::ioctl(descriptor, FIONREAD, &there);
        }
        const auto written = co_await leased->write(kGet, std::string_view());
        const auto head = co_await leased->read_head();
        EXPECT_FALSE(head);  // and they are not read either
        with.pool().release(std::move(leased), false);
        told.set_value(written);
    };
    caller.loop().post([&] { caller.loop().spawn(ask(caller, step, promise)); });
    const auto written = promise.get_future().get();
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error, NetError::closed);
    EXPECT_EQ(caller.counts.idle, 0);
    EXPECT_EQ(requests, 1);
}

}  // namespace
}  // namespace weir::net::test
