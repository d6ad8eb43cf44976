// A connection on which nothing moves costs nothing, whatever it was doing when it stopped.
#include "net/resolver.h"

#include "unit/net/http2_client.h"
#include "unit/net/tls_by_hand.h"
#include "unit/net/upstream_support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <ctime>
#include <future>

namespace weir::net::test {
namespace {

struct Work {
    std::uint64_t turns = 0;
    double cpu = 0;  // of the loop's thread, in seconds
};

Work work_of(Loop& loop) {
    std::promise<Work> promise;
    loop.post([&] {
        timespec used{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        promise.set_value({loop.turn(), static_cast<double>(used.tv_sec) +
                                            static_cast<double>(used.tv_nsec) * 1e-9});
    });
    return promise.get_future().get();
}

/// What is resumed to find nothing is resumed in each turn, some hundred thousand times a second:
/// the count says so on a busy machine as well.
void expect_rest(Loop& loop, std::string_view state) {
    int quiet = 0;  // windows in a row; the first ones deal with what has come
    Work before = work_of(loop);
    for (int i = 0; i < 150 && quiet < 3; ++i) {
        std::this_thread::sleep_for(milliseconds(40));
        const Work now = work_of(loop);
        const Work last = std::exchange(before, now);
        quiet = now.turns - last.turns <= 8 && now.cpu - last.cpu <= 0.02 ? quiet + 1 : 0;
    }
    EXPECT_EQ(quiet, 3) << state << ": the loop finds no rest";
}

// ---- the client's side

/// Answers only when it is told to: "/large" gets more than any socket holds, at once.
struct Held {
    static constexpr std::size_t kLarge = 24UL << 20;
    std::atomic<bool> go_on{false};
    Server::Handler handler() {
        return [this](Downstream& request) -> Task<void> {
            const auto body = co_await whole_body(request);
            if (!body) {
                co_return;
            }
            if (request.head().target == "/large") {
                const std::string large(kLarge, 'x');
                co_await request.send(200, "", large);
                co_return;
            }
            request.watch([](void*) {}, nullptr);
            while (!go_on) {
                co_await request.loop().sleep(seconds(1));
            }
            request.unwatch();
        };
    }
};

struct Front {
    explicit Front(bool tls) : files("localhost", 1) {
        ServerSettings settings;
        if (tls) {
            settings.tls = ServerTls{.certificate = files.certificate(), .key = files.key()};
        }
        running = std::make_unique<Running>(held.handler(), settings);
    }
    ~Front() { held.go_on = true; }

    Certificates files;
    Held held;
    std::unique_ptr<Running> running;
};

TEST(Stall, AHandshakeThatAClientBegan) {
    Front front(true);
    const std::string hello = client_hello();
    Client eleven(front.running->port());
    ASSERT_TRUE(eleven.send(std::string_view(hello).substr(0, 11)));
    expect_rest(front.running->loop(), "11 bytes of a ClientHello");
    Client most(front.running->port());
    ASSERT_TRUE(most.send(std::string_view(hello).substr(0, hello.size() - 1)));
    expect_rest(front.running->loop(), "a ClientHello but for a byte");
    Client whole(front.running->port());
    ASSERT_TRUE(whole.send(hello));
    expect_rest(front.running->loop(), "a ClientHello and no more");
    whole.finish_writing();
    EXPECT_TRUE(eventually([&] { return front.running->server().connections() == 2; }));
}

TEST(Stall, RequestsThatStop) {
    const std::vector<std::pair<std::string_view, std::string_view>> states = {
        {"nothing", ""},
        {"a part of a head", "GET / HT"},
        {"a part of a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"},
        {"a part of a chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5"},
        {"an answer that takes its time", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"the same with the next request behind", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"},
        {"an answer that is not read", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"an answer that closes, to a client that stays", "GET nothing\r\n\r\n"},
    };
    for (const auto& [state, bytes] : states) {
        Front front(false);
        Client client(front.running->port());
        ASSERT_TRUE(client.send(bytes));
        expect_rest(front.running->loop(), state);
        client.finish_writing();
        expect_rest(front.running->loop(), std::string(state) + ", half closed");
    }
}

TEST(Stall, RequestsThatStopUnderTls) {
    const std::vector<std::pair<std::string_view, std::string_view>> states = {
        {"nothing", ""},
        {"a part of a head", "GET / HT"},
        {"a part of a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"},
        {"an answer that takes its time", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"an answer that is not read", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"an answer that closes, to a client that stays", "GET nothing\r\n\r\n"},
    };
    for (const auto& [state, bytes] : states) {
        Front front(true);
        Client client(front.running->port());
        ByHand tls(client);
        ASSERT_TRUE(bytes.empty() || client.send(tls.seal(bytes)));
        expect_rest(front.running->loop(), state);
        ASSERT_TRUE(client.send(tls.update_keys()));
        expect_rest(front.running->loop(), std::string(state) + ", with a KeyUpdate");
        const std::string half = tls.seal("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        ASSERT_TRUE(client.send(std::string_view(half).substr(0, half.size() / 2)));
        expect_rest(front.running->loop(), std::string(state) + ", with half a record");
        client.finish_writing();
        expect_rest(front.running->loop(), std::string(state) + ", half closed");
    }
}

/// The answer to a KeyUpdate finds no room: reading has to wait for that, and goes on after it.
TEST(Stall, KeyUpdatesBehindAnAnswerThatIsNotRead) {
    Front front(true);
    Client client(front.running->port());
    ByHand tls(client);
    ASSERT_TRUE(client.send(tls.seal("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")));
    expect_rest(front.running->loop(), "an answer that is not read");
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.send(tls.update_keys()));
        expect_rest(front.running->loop(), "KeyUpdate with a full send buffer");
    }
    std::string got;
    while (got.size() < Held::kLarge || got.size() < got.find("\r\n\r\n") + 4 + Held::kLarge) {
        const std::string more = tls.receive();
        ASSERT_FALSE(more.empty()) << got.size();
        got += more;
    }
    ASSERT_TRUE(client.send(tls.seal("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT_TRUE(tls.receive().starts_with("HTTP/1.1 200"));
    expect_rest(front.running->loop(), "the next answer");
}

TEST(Stall, Http2StreamsThatStop) {
    using namespace http2;
    Front front(false);
    Http2Client client(front.running->port(), setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
    ASSERT_TRUE(client.round_trip());
    expect_rest(front.running->loop(), "no stream");
    ASSERT_TRUE(client.send(get(1, "/large")));
    ASSERT_TRUE(client.round_trip());
    expect_rest(front.running->loop(), "a window of zero");
    ASSERT_TRUE(client.send(post(3) + data(3, "ab", 0)));
    ASSERT_TRUE(client.round_trip());
    expect_rest(front.running->loop(), "a part of a body");
    ASSERT_TRUE(client.send(get(5)));
    ASSERT_TRUE(client.round_trip());
    expect_rest(front.running->loop(), "an answer that takes its time");
    ASSERT_TRUE(client.send(std::string_view(get(7)).substr(0, 12)));
    expect_rest(front.running->loop(), "a part of a head");
}

TEST(Stall, Http2AnswersThatAreNotRead) {
    using namespace http2;
    Front front(false);
    Http2Client client(front.running->port(),
                       setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7FFFFFFF));
    ASSERT_TRUE(client.round_trip());
    ASSERT_TRUE(client.send(window(0, 0x7FFF0000) + get(1, "/large")));
    expect_rest(front.running->loop(), "a full send buffer");
    ASSERT_TRUE(client.send(ping()));
    expect_rest(front.running->loop(), "a PING behind it");
}

// ---- the upstream's side

struct Back {
    Back(bool tls, std::function<void(Client&)> script)
        : files("localhost", 1),
          peer(std::move(script)),
          resolver([](const std::string&) { return Addresses(1, *Address::parse("127.0.0.1")); }) {
        Endpoint endpoint = peer.endpoint();
        if (tls) {
            endpoint.tls = true;
            endpoint.host = "localhost";
            endpoint.ca = files.authority();
        }
        PoolSettings settings;
        settings.connect_timeout = milliseconds(800);
        caller = std::make_unique<Caller>(endpoint, settings, &resolver);
        caller->read_deadline = milliseconds(800);
    }
    /// Asks, and looks at the loop while no answer comes.
    void expect_rest_while_asking(std::string_view state, std::string request = std::string(kGet)) {
        auto asked =
            std::async(std::launch::async, [this, &request] { return caller->exchange(request); });
        expect_rest(caller->loop(), state);
        asked.wait();
    }

    Certificates files;
    ScriptedPeer peer;
    Resolver resolver;
    std::unique_ptr<Caller> caller;
};

void stay(Client& client) {
    while (!client.receive().empty()) {
    }
}

TEST(Stall, ConnectionsThatAreOneTooMany) {
    ServerSettings settings;
    settings.max_connections = 1;
    Running running(echo, settings);
    Client first(running.port());
    ASSERT_TRUE(eventually([&] { return running.server().connections() == 1; }));
    const Client second(running.port());
    expect_rest(running.loop(), "accepting pauses");
}

TEST(Stall, AHandshakeThatAnUpstreamDoesNotFinish) {
    Back silent(true, stay);
    silent.expect_rest_while_asking("no answer to the ClientHello");
    Back partly(true, [](Client& client) {
        client.receive();
        client.send(std::string_view("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", 11));
        stay(client);
    });
    partly.expect_rest_while_asking("11 bytes of a ServerHello");
}

TEST(Stall, AnswersThatStop) {
    const std::vector<std::pair<std::string_view, std::string_view>> states = {
        {"no answer", ""},
        {"a part of a head", "HTTP/1.1 20"},
        {"a part of a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"},
        {"a part of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
    };
    for (const auto& [state, bytes] : states) {
        const std::string_view say = bytes;
        Back plain(false, [say](Client& client) {
            client.receive_until("\r\n\r\n");
            client.send(say);
            stay(client);
        });
        plain.expect_rest_while_asking(state);
        const Certificates* files = nullptr;
        Back secure(true, [say, &files](Client& client) {
            ByHand tls(client, files);
            tls.receive();
            if (!say.empty()) {
                client.send(tls.seal(say));
            }
            client.send(tls.update_keys());
            const std::string half = tls.seal("more");
            client.send(std::string_view(half).substr(0, half.size() / 2));
            stay(client);
        });
        files = &secure.files;
        secure.expect_rest_while_asking(std::string(state) + ", KeyUpdate and half a record");
    }
}

TEST(Stall, ARequestThatIsNotRead) {
    const std::string request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 25165824\r\n\r\n" +
                                std::string(25165824, 'x');
    std::atomic<bool> over{false};
    const auto wait = [&over] {
        while (!over) {
            std::this_thread::sleep_for(milliseconds(5));
        }
    };
    {
        Back plain(false, [&wait](Client&) { wait(); });
        plain.expect_rest_while_asking("a full send buffer", request);
        over = true;
    }
    over = false;
    const Certificates* files = nullptr;
    Back secure(true, [&](Client& client) {
        ByHand tls(client, files);
        client.send(tls.update_keys());
        client.send(tls.update_keys());
        wait();
    });
    files = &secure.files;
    secure.expect_rest_while_asking("a full send buffer and KeyUpdates", request);
    over = true;
}

TEST(Stall, AnIdleConnection) {
    std::atomic<int> step{0};
    const Certificates* files = nullptr;
    Back secure(true, [&](Client& client) {
        ByHand tls(client, files);
        tls.receive();
        client.send(tls.seal("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        while (step != 1) {
            std::this_thread::sleep_for(milliseconds(5));
        }
        client.send(tls.update_keys());
        const std::string half = tls.seal("more");
        client.send(std::string_view(half).substr(0, half.size() / 2));
        stay(client);
    });
    files = &secure.files;
    EXPECT_EQ(secure.caller->exchange(kGet).body, "ok");
    expect_rest(secure.caller->loop(), "idle");
    step = 1;
    expect_rest(secure.caller->loop(), "idle, with a KeyUpdate and half a record");
}

// ---- neither does one that moves all the time keep the others from theirs

struct Ends {
    Ends() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
    int fds[2] = {-1, -1};
};

TEST(Turns, AReaderStopsWhereOthersAreDue) {
    Loop loop(0);
    const Ends ends;
    const int size = 1 << 20;
    ::setsockopt(ends.fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    Client filler(ends.fds[1], nullptr);
    std::string bytes(8192, 'x');
    std::size_t sent = 0;
    for (ssize_t n = 1; n > 0; sent += static_cast<std::size_t>(std::max<ssize_t>(n, 0))) {
        n = ::send(ends.fds[1], bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    ASSERT_GT(sent, 2 * 131072U);
    Stream stream(loop, Socket(ends.fds[0]));
    std::size_t most = 0;
    std::size_t total = 0;
    const auto read = [](Stream& from, std::size_t& longest, std::size_t& all,
                         std::size_t wanted) -> Task<void> {
        std::string into(16384, '\0');
        std::size_t in_turn = 0;
        for (std::uint64_t turn = 0; all < wanted;) {
            const auto got = co_await from.read_some(into);
            if (!got) {
                break;
            }
            in_turn = from.loop().turn() == turn ? in_turn + *got : *got;
            turn = from.loop().turn();
            longest = std::max(longest, in_turn);
            all += *got;
        }
    };
    loop.spawn(read(stream, most, total, sent));
    for (int i = 0; i < 100 && total < sent; ++i) {
        loop.poll();
    }
    EXPECT_EQ(total, sent);
    EXPECT_LE(most, 131072U + 16384U);
}

TEST(Turns, AWriterStopsWhereOthersAreDue) {
    Loop loop(0);
    const Ends ends;
    const int size = 4 << 20;
    ::setsockopt(ends.fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    Client drain(ends.fds[1], nullptr);
    Stream stream(loop, Socket(ends.fds[0]));
    const std::string bytes(300'000, 'x');
    std::uint64_t turns = 0;
    const auto write = [](Stream& to, const std::string& what, std::uint64_t& took) -> Task<void> {
        const std::uint64_t before = to.loop().turn();
        const auto written = co_await to.write(what);
        EXPECT_TRUE(written);
        took = to.loop().turn() - before;
    };
    loop.spawn(write(stream, bytes, turns));
    std::size_t got = 0;
    std::string into(65536, '\0');
    for (int i = 0; i < 1000 && turns == 0; ++i) {
        loop.poll();
        for (ssize_t n = 1; n > 0; got += static_cast<std::size_t>(std::max<ssize_t>(n, 0))) {
            n = ::recv(ends.fds[1], into.data(), into.size(), MSG_DONTWAIT);
        }
    }
    EXPECT_EQ(got, bytes.size());
    EXPECT_GE(turns, 3U);
}

}  // namespace
}  // namespace weir::net::test
