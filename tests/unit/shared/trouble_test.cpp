// Servers that refuse, and ways to them that are bad.

#include "unit/net/certificates.h"
#include "unit/net/upstream_support.h"
#include "unit/shared/proxy.h"

namespace weir::shared::test {
namespace {

constexpr const char* kEcho = "return ARGV[1]";

std::string secure_url(const std::string& host, std::uint16_t port) {
    return "rediss://" + host + ":" + std::to_string(port);
}

TEST(StoreTls, TrustsWhatItIsToldTo) {
    const net::test::Certificates own("localhost", 5);
    const std::uint16_t port = free_port();
    const RedisServer server({"--port", "0", "--tls-port", std::to_string(port), "--tls-cert-file",
                              own.certificate(), "--tls-key-file", own.key(), "--tls-ca-cert-file",
                              own.authority(), "--tls-auth-clients", "no"},
                             port);
    SharedConfig config = Rig::of(secure_url("localhost", port));
    Rig stranger(config);
    EXPECT_TRUE(stranger.goes_down("certificate"));
    config.ca = own.authority();
    Rig rig(config);
    EXPECT_EQ(rig.must("n").integer, 1);
    // Large both ways: more than a TLS record, and than a read.
    Rig echo(config, kEcho);
    const std::string large(300'000, 'x');
    EXPECT_EQ(echo.must("n", {large}).text, large);
    config.url = secure_url("127.0.0.1", port);
    Rig misnamed(config);
    EXPECT_TRUE(misnamed.goes_down("no connection: "));
    Rig plain("redis://127.0.0.1:" + std::to_string(port));
    EXPECT_TRUE(plain.goes_down("the connection broke"));
}

TEST(StoreTls, AServerWithoutTlsIsNoServer) {
    const RedisServer server;
    Rig rig(secure_url("127.0.0.1", server.port()));
    EXPECT_TRUE(rig.goes_down("no connection: "));
}

TEST(StoreTrouble, AReplicaIsLeft) {
    const RedisServer primary;
    const RedisServer replica({"--replicaof", "127.0.0.1", std::to_string(primary.port())});
    Rig rig(replica.url());
    const auto failure = rig.must_fail(StoreError::read_only);
    EXPECT_FALSE(failure.may_have_run);
    EXPECT_TRUE(rig.goes_down("READONLY"));
    const auto before = rig.counters().connections.load();
    rig.must_fail(StoreError::read_only);
    EXPECT_GT(rig.counters().connections.load(), before);
    replica.command({"REPLICAOF", "NO", "ONE"});
    EXPECT_EQ(rig.must("n").kind, Reply::Kind::integer);
}

TEST(StoreTrouble, AFailoverIsFollowedByName) {
    const std::uint16_t port = free_port();
    const RedisServer old({}, port);
    const RedisServer other({}, port, "127.0.0.2");
    std::atomic<int> which{1};
    net::Resolver resolver([&](const std::string&) {
        return net::Addresses(1, *net::Address::parse("127.0.0." + std::to_string(which)));
    });
    Rig rig(Rig::of("redis://cache.test:" + std::to_string(port)), kAdd, &resolver);
    rig.must("n", {"5"});
    which = 2;
    old.command({"REPLICAOF", "127.0.0.2", std::to_string(port)});
    EXPECT_LT(rig.must("m", {"1"}).integer, 5);
    EXPECT_EQ(rig.must("n", {"100"}).integer % 100, 0) << "the new primary never had the key";
}

TEST(StoreTrouble, ThePrimaryIsFoundAmongTheAddressesOfAName) {
    const std::uint16_t port = free_port();
    const RedisServer replica({"--replicaof", "127.0.0.2", std::to_string(port)}, port);
    const RedisServer primary({}, port, "127.0.0.2");
    net::Resolver resolver([](const std::string&) {
        return net::Addresses{*net::Address::parse("127.0.0.1"), *net::Address::parse("127.0.0.2")};
    });
    Rig rig(Rig::of("redis://cache.test:" + std::to_string(port)), kAdd, &resolver);
    rig.must_fail(StoreError::read_only);
    EXPECT_EQ(rig.must("n").integer, 1);
}

TEST(StoreTrouble, AFullServer) {
    const RedisServer server({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
    Rig rig(server.url());
    rig.must_fail(StoreError::memory);
    EXPECT_TRUE(rig.goes_down("OOM"));
    server.command({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_EQ(rig.must("n").integer, 1);
}

TEST(StoreTrouble, OneKeysTroubleLeavesTheStoreUp) {
    const RedisServer server;
    server.command({"LPUSH", "list", "x"});
    Rig rig(server.url());
    rig.must("n");
    const auto failure = rig.must_fail(StoreError::wrong_type, "list");
    EXPECT_TRUE(failure.may_have_run);
    rig.must_fail(StoreError::script, "n", {"no number"});
    EXPECT_GE(rig.counters().failed[static_cast<std::size_t>(StoreError::wrong_type)].load(), 1U);
    EXPECT_TRUE(rig.on_loop([&] { return rig.store().up(); }));
    Rig broken(server.url(), "this is no Lua");
    broken.must_fail(StoreError::script);
}

TEST(StoreTrouble, AUserWhoMayNot) {
    const RedisServer server;
    server.command({"ACL", "SETUSER", "weir", "on", ">pw", "~*", "+@all", "-evalsha"});
    Rig rig(server.url("weir:pw@"));
    rig.must_fail(StoreError::permission);
    EXPECT_TRUE(rig.goes_down("NOPERM"));
}

TEST(StoreTrouble, NoRoomForAnotherClient) {
    const RedisServer server({"--maxclients", "1"});
    std::unique_ptr<Client> other;
    ASSERT_TRUE(eventually([&] {  // the one that found the server ready may still count
        other = std::make_unique<Client>(server.port());
        return other->send(as_command({"PING"})) && other->receive() == "+PONG\r\n";
    }));
    Rig rig(server.url());
    EXPECT_TRUE(rig.goes_down("max number of clients"));
    other.reset();
    EXPECT_EQ(rig.must("n").integer, 1);
}

/// Whatever a server says, the store says in one word what is wrong.
TEST(StoreTrouble, HostileServers) {
    const std::pair<std::string, std::string> odd[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "no reply of a Valkey or Redis"},
        {"*2147483647\r\n", "no reply of a Valkey or Redis"},
        {"+PONG\r\n+PONG\r\n+PONG\r\n", "a reply that nobody asked for"},
        {"-LOADING Redis is loading the dataset in memory\r\n", "LOADING"},
        {"-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN"},
        {"-ERR odd\x1b[0m\r\n", "ERR odd?[0m"},
        {"", "no answer to PING within 50 ms"},
        {"$5\r\nPO", "no answer to PING within 50 ms"},
    };
    for (const auto& [says, word] : odd) {
        SCOPED_TRACE(says);
        net::test::ScriptedPeer peer([&says = says](Client& client) {
            client.receive();
            client.send(says);
            client.receive_all();
        });
        Rig rig("redis://127.0.0.1:" + std::to_string(peer.endpoint().port));
        EXPECT_TRUE(rig.goes_down(word));
    }
}

/// Many calls at once; every answer that comes is the call's own.
class Crowd {
public:
    explicit Crowd(const std::string& url) : rig(url, kEcho) {}

    /// How many of `many` succeeded.
    int ask(int many) {
        std::vector<std::promise<Result>> done(static_cast<std::size_t>(many));
        const int first = next_;
        next_ += many;
        rig.on_loop([&] {
            for (int i = 0; i < many; ++i) {
                auto& one = done[static_cast<std::size_t>(i)];
                rig.store().call({"k", {std::to_string(first + i)}},
                                 [&one](const Result& result) { one.set_value(result); });
            }
        });
        int good = 0;
        for (int i = 0; i < many; ++i) {
            const Result result = done[static_cast<std::size_t>(i)].get_future().get();
            if (result) {
                EXPECT_EQ(result->text, std::to_string(first + i));
                ++good;
            }
        }
        return good;
    }
    bool answers() {
        return eventually([this] { return ask(10) == 10; });
    }

    Rig rig;

private:
    int next_ = 1'000'000;
};

TEST(StoreTrouble, LateRepliesAreNobodysElse) {
    const RedisServer server;
    Proxy proxy(server.port());
    Crowd crowd(proxy.url());
    ASSERT_TRUE(crowd.answers());
    for (const int ms : {30, 60, 100, 200, 55, 45, 70}) {
        proxy.delay_ms = ms;
        for (int i = 0; i < 5; ++i) {
            crowd.ask(20);
            std::this_thread::sleep_for(milliseconds(20));
        }
        if (ms >= 100) {
            EXPECT_TRUE(crowd.rig.goes_down("no answer"));
        }
        proxy.delay_ms = 0;
        ASSERT_TRUE(crowd.answers());
    }
}

TEST(StoreTrouble, CutConnectionsAreMadeAnew) {
    const RedisServer server;
    Proxy proxy(server.port());
    Crowd crowd(proxy.url());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(crowd.answers());
        if (i % 2 == 0) {
            proxy.bite = true;
        } else {
            proxy.cut();
        }
        crowd.ask(20);
    }
    EXPECT_TRUE(crowd.answers());
    EXPECT_GT(crowd.rig.counters().connections.load(), 3U);
}

TEST(StoreTrouble, GarbledRepliesAreSurvived) {
    const RedisServer server;
    Proxy proxy(server.port());
    Rig rig(proxy.url());
    rig.must("n");
    proxy.garble = true;
    for (int i = 0; i < 200; ++i) {
        rig.call("n");
    }
    proxy.garble = false;
    proxy.cut();
    EXPECT_EQ(rig.must("n").kind, Reply::Kind::integer);
}

}  // namespace
}  // namespace weir::shared::test
