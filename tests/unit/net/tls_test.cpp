#include "net/tls.h"

#include "net/resolver.h"

#include "unit/net/certificates.h"
#include "unit/net/support.h"
#include "unit/net/upstream_support.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

Task<void> tell_secure(Downstream& request) {
    const auto body = co_await whole_body(request);
    const std::string answer =
        std::string(request.secure() ? "secure " : "plain ") + (body ? *body : std::string("-"));
    co_await request.send(200, "", answer);
}

struct Fixture {
    explicit Fixture(const std::string& name = "localhost", long days = 1,
                     Server::Handler handler = tell_secure)
        : files(name, days) {
        ServerSettings settings;
        settings.tls = ServerTls{.certificate = files.certificate(), .key = files.key()};
        running = std::make_unique<Running>(std::move(handler), settings);
    }
    Endpoint endpoint(const std::string& host, const std::string& ca) const {
        return *Endpoint::parse("https://" + host + ":" + std::to_string(running->port()), ca);
    }

    Certificates files;
    std::unique_ptr<Running> running;
};

TEST(Tls, TrustedByItsAuthority) {
    Fixture fixture;
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    Caller caller(fixture.endpoint("localhost", fixture.files.authority()), {}, &local);
    EXPECT_EQ(caller.exchange(kGet).body, "secure ");
    EXPECT_TRUE(caller.exchange(kGet).reused);
    // A second connection takes up the first one's session; what it says is whole all the same.
    EXPECT_EQ(caller.exchange(kGet, true).body, "secure ");
    const std::string large(1'000'000, 'x');
    const auto got =
        caller.exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + large);
    EXPECT_TRUE(got.body == "secure " + large);
}

TEST(Tls, RefusedCertificatesSayWhy) {
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    const auto refused = [&](const Endpoint& endpoint) {
        Caller caller(endpoint, {}, &local);
        const auto got = caller.exchange(kGet);
        EXPECT_TRUE(got.failure);
        EXPECT_EQ(got.failure->error, NetError::tls);
        return got.failure->code.message();
    };
    Fixture good;
    EXPECT_NE(refused(good.endpoint("elsewhere.example", good.files.authority())).find("mismatch"),
              std::string::npos);
    EXPECT_NE(refused(good.endpoint("127.0.0.1", good.files.authority())).find("mismatch"),
              std::string::npos);
    Certificates stranger("localhost", 1);
    const auto untrusted = refused(good.endpoint("localhost", stranger.authority()));
    EXPECT_NE(untrusted.find("certificate"), std::string::npos) << untrusted;
    EXPECT_FALSE(refused(good.endpoint("localhost", "")).empty());  // the system's store
    Fixture expired("localhost", -1);
    EXPECT_NE(refused(expired.endpoint("localhost", expired.files.authority())).find("expired"),
              std::string::npos);
    EXPECT_FALSE(TlsContext::client("/nowhere/ca.pem"));
}

TEST(Tls, SessionsAreTakenUpAgain) {
    Fixture fixture;
    Loop loop(0);
    auto context = TlsContext::client(fixture.files.authority());
    ASSERT_TRUE(context);
    std::vector<bool> reused;
    const auto visit = [](Loop& on, TlsContext& tls, std::uint16_t port,
                          std::vector<bool>& seen) -> Task<void> {
        for (int i = 0; i < 3; ++i) {
            Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
            const Address to = *Address::parse("127.0.0.1", port);
            EXPECT_EQ(::connect(socket.descriptor(), to.data(), to.size()), 0);
            Stream stream(on, std::move(socket));
            auto state = tls.connect_to("localhost");
            const TlsState* const kept = state.get();
            const auto secured = co_await stream.start_tls(std::move(state));
            EXPECT_TRUE(secured);
            seen.push_back(kept->session_reused());
            // Its ticket comes with the first bytes.
            co_await stream.write(kGet);
            std::string answer(1000, '\0');
            const auto got = co_await stream.read_some(answer);
            EXPECT_TRUE(got);
            stream.close();
        }
        on.stop();
    };
    loop.spawn(visit(loop, **context, fixture.running->port(), reused));
    loop.run();
    EXPECT_EQ(reused, (std::vector<bool>{false, true, true}));
}

TEST(Tls, WatchSeesCloseNotify) {
    std::atomic<int> gone{0};
    Fixture fixture("localhost", 1, [&gone](Downstream& request) -> Task<void> {
        request.watch([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &gone);
        while (gone == 0) {
            co_await request.loop().sleep(milliseconds(5));
        }
        request.unwatch();
    });
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    Caller caller(fixture.endpoint("localhost", fixture.files.authority()), {}, &local);
    caller.read_deadline = milliseconds(50);
    EXPECT_TRUE(caller.exchange(kGet).failure);
    EXPECT_TRUE(eventually([&] { return gone == 1; }));
}

TEST(Tls, HandshakeThatHangsIsBounded) {
    ScriptedPeer silent([](Client& client) { client.receive_until("never"); });
    PoolSettings settings;
    settings.connect_timeout = milliseconds(50);
    auto endpoint = silent.endpoint();
    endpoint.tls = true;
    Caller caller(endpoint, settings);
    const auto got = caller.exchange(kGet);
    ASSERT_TRUE(got.failure);
    EXPECT_EQ(got.failure->error, NetError::timeout);
}

TEST(Tls, PlainTalkToATlsPortEndsIt) {
    Fixture fixture;
    Client client(fixture.running->port());
    client.send(kGet);
    EXPECT_EQ(client.receive_all().find("HTTP/1.1 200"), std::string::npos);
}

TEST(Tls, UnusableFilesAreNamed) {
    Certificates one("localhost", 1);
    Certificates other("localhost", 1);
    const auto mixed = TlsContext::server(one.certificate(), other.key());
    ASSERT_FALSE(mixed);
    EXPECT_NE(mixed.error().message.find(other.key()), std::string::npos);
    EXPECT_FALSE(TlsContext::server("/nowhere.pem", one.key()));
}

}  // namespace
}  // namespace weir::net::test
