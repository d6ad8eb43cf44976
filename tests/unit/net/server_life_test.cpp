// A server from its start to its end: addresses, connections, the drain.
#include "net/server.h"

#include "unit/net/log_lines.h"
#include "unit/net/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

namespace weir::net::test {
namespace {

TEST(ServerLife, DrainLetsRequestsFinishAndClosesTheIdle) {
    Running running([](Downstream& request) -> Task<void> {
        if (request.head().target == "/slow") {
            co_await request.loop().sleep(milliseconds(200));
        }
        co_await request.send(200, "", "done");
    });
    Client idle(running.port());
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(body_of(idle.receive_answer()), "done");
    Client busy(running.port());
    busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return running.server().active() == 1; }));
    EXPECT_FALSE(running.server().drained());
    running.server().drain();
    EXPECT_EQ(idle.receive(), "");
    const std::string answer = busy.receive_all();
    EXPECT_EQ(body_of(answer), "done");
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return running.server().drained(); }));
    EXPECT_FALSE(Client(running.port()).connected());
}

TEST(ServerLife, CloseAllCutsWhatIsLeft) {
    std::atomic<int> gone{0};
    Running running([&gone](Downstream& request) -> Task<void> {
        request.watch([](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &gone);
        while (gone == 0) {
            co_await request.loop().sleep(milliseconds(5));
        }
        request.unwatch();
    });
    Client client(running.port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return running.server().active() == 1; }));
    running.server().close_all();
    EXPECT_EQ(client.receive_all(), "");
    EXPECT_TRUE(eventually([&] { return running.server().connections() == 0; }));
}

TEST(ServerLife, ConnectionsAreSpreadAndLimited) {
    Lines lines;
    ServerSettings settings = logging_to(lines);
    settings.max_connections = 4;
    std::mutex mutex;
    std::vector<unsigned> where;
    Running running(
        [&](Downstream& request) -> Task<void> {
            {
                const std::scoped_lock lock(mutex);
                where.push_back(request.loop().index());
            }
            co_await request.send(200, "", "ok");
        },
        settings, 2);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<Client>(running.port()));
        clients.back()->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(body_of(clients[static_cast<std::size_t>(i)]->receive_answer()), "ok");
    }
    {
        const std::scoped_lock lock(mutex);
        EXPECT_EQ(std::count(where.begin(), where.end(), 0U), 2);
    }
    EXPECT_EQ(running.server().connections(), 4U);
    EXPECT_TRUE(eventually([&] { return lines.has("limit of connections"); }));
    clients.front()->close();
    EXPECT_EQ(body_of(clients.back()->receive_answer()), "ok");
}

TEST(ServerLife, BadListenAddressesAreNamed) {
    Loop loop(0);
    for (const char* address :
         {"127.0.0.1", "127.0.0.1:x", "nowhere:1", "::1:7070", "192.0.2.1:0", "127.0.0.1:65536"}) {
        ServerSettings settings;
        settings.listen = {address};
        Server server({&loop}, settings, echo);
        const auto started = server.start();
        ASSERT_FALSE(started) << address;
        EXPECT_NE(started.error().message.find(address), std::string::npos);
    }
}

}  // namespace
}  // namespace weir::net::test
