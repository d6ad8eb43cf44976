#include "net/tls.h"

#include "net/resolver.h"

#include "unit/net/certificates.h"
#include "unit/net/support.h"
#include "unit/net/tls_by_hand.h"
#include "unit/net/upstream_support.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <filesystem>

namespace weir::net::test {
namespace {

Task<void> tell_secure(Downstream& request) {
    const auto body = co_await whole_body(request);
    const std::string answer =
        std::string(request.secure() ? "secure " : "plain ") + (body ? *body : std::string("-"));
    co_await request.send(200, "", answer);
}

struct TlsServer {
    explicit TlsServer(const std::string& name = "localhost", long days = 1,
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

// A record that has come in part is no reason to look again and again: others have their turn.

void expect_others_are_served(std::string_view alpn, std::string_view request,
                              std::string_view answer) {
    TlsServer server;
    Client client(server.running->port());
    ByHand half(client, nullptr, alpn);
    const std::string bytes = half.seal(request);
    ASSERT_TRUE(client.send(std::string_view(bytes).substr(0, bytes.size() / 2)));
    std::this_thread::sleep_for(milliseconds(50));
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    Caller other(server.endpoint("localhost", server.files.authority()), {}, &local);
    other.read_deadline = seconds(5);
    EXPECT_EQ(other.exchange(kGet).body, "secure ");
    ASSERT_TRUE(client.send(std::string_view(bytes).substr(bytes.size() / 2)));
    std::string got;
    for (std::string more = "x"; !more.empty() && got.find(answer) == std::string::npos;) {
        got += more = half.receive();
    }
    EXPECT_NE(got.find(answer), std::string::npos);
}

TEST(Tls, HalfARecordOfARequestHoldsNobodyUp) {
    const std::string filler(12000, 'x');
    expect_others_are_served({}, "GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + filler + "\r\n\r\n",
                             "200 OK");
}

TEST(Tls, HalfARecordOfHttp2HoldsNobodyUp) {
    std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    bytes.append("\0\0\0\x04\0\0\0\0\0", 9);  // SETTINGS
    const std::string ping("\0\0\x08\x06\0\0\0\0\0weirweir", 17);
    expect_others_are_served("\x02h2", bytes + ping, "weirweir");
}

TEST(Tls, HalfARecordOfAnAnswerStillTimesOut) {
    const Certificates files("localhost", 1);
    ScriptedPeer peer([&files](Client& client) {
        ByHand half(client, &files);
        half.receive();
        const std::string bytes = half.seal("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Filler: " +
                                            std::string(12000, 'x') + "\r\n\r\nok");
        client.send(std::string_view(bytes).substr(0, bytes.size() / 2));
        client.receive();
    });
    auto endpoint = peer.endpoint();
    endpoint.tls = true;
    endpoint.host = "localhost";
    endpoint.ca = files.authority();
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    Caller caller(endpoint, {}, &local);
    caller.read_deadline = milliseconds(200);
    const auto got = caller.exchange(kGet);
    ASSERT_TRUE(got.failure);
    EXPECT_EQ(got.failure->error, NetError::timeout);
}

TEST(Tls, TrustedByItsAuthority) {
    TlsServer server;
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    Caller caller(server.endpoint("localhost", server.files.authority()), {}, &local);
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
    TlsServer good;
    EXPECT_NE(refused(good.endpoint("elsewhere.example", good.files.authority())).find("mismatch"),
              std::string::npos);
    EXPECT_NE(refused(good.endpoint("127.0.0.1", good.files.authority())).find("mismatch"),
              std::string::npos);
    Certificates stranger("localhost", 1);
    const auto untrusted = refused(good.endpoint("localhost", stranger.authority()));
    EXPECT_NE(untrusted.find("certificate"), std::string::npos) << untrusted;
    EXPECT_FALSE(refused(good.endpoint("localhost", "")).empty());  // the system's store
    TlsServer expired("localhost", -1);
    EXPECT_NE(refused(expired.endpoint("localhost", expired.files.authority())).find("expired"),
              std::string::npos);
    EXPECT_FALSE(TlsContext::client("/nowhere/ca.pem"));
}

/// What a client that offers these suites of TLS 1.2 agrees on; empty: nothing.
std::string agreed_suite(std::uint16_t port, const char* suites) {
    Client client(port);
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, suites);
    SSL* const ssl = SSL_new(context);
    SSL_set_fd(ssl, client.fd());
    const std::string agreed = SSL_connect(ssl) == 1 ? SSL_get_cipher_name(ssl) : "";
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return agreed;
}

TEST(Tls, ModernSuitesOnly) {
    TlsServer server;
    const std::uint16_t port = server.running->port();
    for (const std::string suite :
         {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
          "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
        EXPECT_EQ(agreed_suite(port, suite.c_str()), suite);
    }
    for (const char* suites : {"ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA",
                               "AES128-GCM-SHA256", "AES128-SHA"}) {
        EXPECT_EQ(agreed_suite(port, suites), "") << suites;
    }
}

TEST(Tls, ACorrectedTrustFileIsTakenUpByNewConnections) {
    TlsServer server;
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    const Certificates stranger("localhost", 1);
    Certificates place("localhost", 1);  // a file of our own to put authorities into
    const auto put = [&](const std::string& from) {
        std::filesystem::copy_file(from, place.authority(),
                                   std::filesystem::copy_options::overwrite_existing);
    };
    put(stranger.authority());
    const auto before = TlsContext::client(place.authority());
    ASSERT_TRUE(before);
    const auto answers = [&] {
        Caller caller(server.endpoint("localhost", place.authority()), {}, &local);
        return caller.exchange(kGet).body == "secure ";
    };
    EXPECT_FALSE(answers());
    put(server.files.authority());
    EXPECT_FALSE(answers());  // nobody has read it again
    auto prepared = TrustReload::prepare({place.authority()});
    ASSERT_TRUE(prepared);
    EXPECT_TRUE((*before)->trust_is_current());
    prepared->commit();
    EXPECT_FALSE((*before)->trust_is_current());
    EXPECT_TRUE(answers());
    // A file that cannot be used changes nothing.
    std::filesystem::resize_file(place.authority(), 10);
    EXPECT_FALSE(TrustReload::prepare({place.authority()}));
    EXPECT_TRUE(answers());
}

TEST(Tls, APoolRenewsWhatItTrusts) {
    TlsServer server;
    Loop loop(0);
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    const Certificates stranger("localhost", 1);
    Pool pool(loop, server.endpoint("localhost", server.files.authority()), {}, nullptr, &local);
    const auto connects = [&] {
        bool good = false;
        bool ended = false;
        loop.spawn([](Pool& from, bool& outcome, bool& done) -> Task<void> {
            Pool::Interrupt interrupt;
            auto connection = co_await from.acquire(true, interrupt);
            outcome = connection.has_value();
            done = true;
        }(pool, good, ended));
        while (!ended) {
            loop.poll();
        }
        return good;
    };
    EXPECT_TRUE(connects());
    std::filesystem::copy_file(stranger.authority(), server.files.authority(),
                               std::filesystem::copy_options::overwrite_existing);
    auto prepared = TrustReload::prepare({server.files.authority()});
    ASSERT_TRUE(prepared);
    prepared->commit();
    pool.renew({});
    EXPECT_FALSE(connects());
}

TEST(Tls, AServersNextHandshakesUseItsNewCertificate) {
    TlsServer server;
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    const Certificates next("localhost", 1);
    Caller old(server.endpoint("localhost", server.files.authority()), {}, &local);
    EXPECT_EQ(old.exchange(kGet).body, "secure ");
    auto made = TlsContext::server(next.certificate(), next.key());
    ASSERT_TRUE(made);
    server.running->server().set_tls(std::move(*made));
    Caller fresh(server.endpoint("localhost", next.authority()), {}, &local);
    EXPECT_EQ(fresh.exchange(kGet).body, "secure ");
    const auto kept = old.exchange(kGet);  // what is connected stays
    EXPECT_EQ(kept.body, "secure ");
    EXPECT_TRUE(kept.reused);
    EXPECT_TRUE(old.exchange(kGet, true).failure);
}

TEST(Tls, SessionsAreTakenUpAgain) {
    TlsServer server;
    Loop loop(0);
    auto context = TlsContext::client(server.files.authority());
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
    loop.spawn(visit(loop, **context, server.running->port(), reused));
    loop.run();
    EXPECT_EQ(reused, (std::vector<bool>{false, true, true}));
}

TEST(Tls, WatchSeesCloseNotify) {
    std::atomic<int> gone{0};
    TlsServer server("localhost", 1, [&gone](Downstream& request) -> Task<void> {
        request.watch([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &gone);
        while (gone == 0) {
            co_await request.loop().sleep(milliseconds(5));
        }
        request.unwatch();
    });
    Resolver local([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); });
    Caller caller(server.endpoint("localhost", server.files.authority()), {}, &local);
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
    TlsServer server;
    Client client(server.running->port());
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
