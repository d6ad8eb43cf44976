// The store against a real server: what it says, and what it does when the server does not answer.

#include "unit/shared/support.h"

namespace weir::shared::test {
namespace {

std::uint64_t count(const std::atomic<std::uint64_t>& counter) {
    return counter.load();
}

TEST(Store, RunsTheScript) {
    const RedisServer server;
    Rig rig(server.url());
    ASSERT_TRUE(rig.goes_up());
    EXPECT_EQ(rig.must("weir:{a}", {"5"}).integer, 5);
    EXPECT_EQ(rig.must("weir:{a}", {"2"}).integer, 7);
    EXPECT_EQ(server.command({"GET", "weir:{a}"}).text, "7");
    EXPECT_TRUE(rig.counters().up);
    EXPECT_GE(count(rig.counters().answered), 2U);
    EXPECT_EQ(rig.on_loop([&] { return std::string(rig.store().why()); }), "");
    EXPECT_NE(rig.log().find(" is up"), std::string::npos);
}

TEST(Store, GivesBackWhatTheScriptReturns) {
    const RedisServer server;
    Rig rig(server.url(), "return {1, 'two', false, {ARGV[1], KEYS[1]}}");
    const std::string bytes("\0\r\n$3\r\n\xff", 8);
    const Reply reply = rig.must("key", {bytes});
    ASSERT_EQ(reply.items.size(), 4U);
    EXPECT_EQ(reply.items[0].integer, 1);
    EXPECT_EQ(reply.items[1].text, "two");
    EXPECT_EQ(reply.items[2].kind, Reply::Kind::nil);
    ASSERT_EQ(reply.items[3].items.size(), 2U);
    EXPECT_EQ(reply.items[3].items[0].text, bytes);
    EXPECT_EQ(reply.items[3].items[1].text, "key");
}

TEST(Store, AllCallsOfATurnGoOutTogether) {
    const RedisServer server;
    Rig rig(server.url());
    bool together = false;
    for (int round = 0; round < 20 && !together; ++round) {  // a PING may come in between
        rig.must("n");
        const auto trips = count(rig.counters().round_trips);
        std::vector<std::promise<Result>> done(100);
        rig.on_loop([&] {
            for (auto& one : done) {
                rig.store().call({"n", {"1"}},
                                 [&one](const Result& result) { one.set_value(result); });
            }
        });
        std::int64_t before = 0;
        for (auto& one : done) {
            const Result result = one.get_future().get();
            if (result) {
                EXPECT_GT(result->integer, before);
                before = result->integer;
            }
        }
        together = count(rig.counters().round_trips) == trips + 1;
    }
    EXPECT_TRUE(together);
}

TEST(Store, AFlushedScriptIsSentOnceMore) {
    const RedisServer server;
    Rig rig(server.url());
    for (int i = 1; i <= 3; ++i) {
        server.command({"SCRIPT", "FLUSH"});
        server.command({"CONFIG", "RESETSTAT"});
        std::vector<std::promise<Result>> done(20);
        ASSERT_TRUE(rig.goes_up());
        rig.on_loop([&] {
            for (auto& one : done) {
                rig.store().call({"n", {"1"}},
                                 [&one](const Result& result) { one.set_value(result); });
            }
        });
        for (auto& one : done) {
            const Result result = one.get_future().get();
            EXPECT_TRUE(result || result.error().may_have_run) << described(result);
        }
        const std::string stats = server.command({"INFO", "commandstats"}).text;
        EXPECT_NE(stats.find("cmdstat_eval:calls=1,"), std::string::npos) << stats;
    }
}

TEST(Store, AServerThatDiesAndComesBackEmpty) {
    RedisServer server;
    Rig rig(server.url());
    rig.must("n", {"41"});
    server.kill();
    ASSERT_TRUE(rig.goes_down("Connection refused"));
    const auto failure = rig.must_fail(StoreError::down);
    EXPECT_FALSE(failure.may_have_run);
    EXPECT_NE(failure.text.find("no connection"), std::string::npos) << failure.text;
    EXPECT_FALSE(rig.counters().up);
    server.start();
    EXPECT_EQ(rig.must("n", {"1"}).integer, 1);
    EXPECT_TRUE(
        eventually([&] { return rig.log().find("is up again after") != std::string::npos; }));
    EXPECT_NE(rig.log().find("is down: "), std::string::npos);
}

TEST(Store, AServerThatStandsStill) {
    const RedisServer server;
    Rig rig(server.url());
    rig.must("n");
    server.signal(SIGSTOP);
    const auto began = std::chrono::steady_clock::now();
    const auto failure = rig.must_fail(StoreError::timeout, "n");
    EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));  // 50 ms on a free machine
    EXPECT_TRUE(failure.may_have_run);
    EXPECT_TRUE(rig.goes_down("no answer"));
    rig.must_fail(StoreError::down);
    server.signal(SIGCONT);
    // Late replies are dropped in order: each answer is that of its own call.
    const auto first = rig.must("other", {"1000"}).integer;
    EXPECT_EQ(first % 1000, 0);
    EXPECT_EQ(rig.must("other", {"1"}).integer % 1000, 1);
}

// Without calls as well, and from either side of a connection that nobody closes.
TEST(Store, AHalfOpenConnectionIsFoundWhileIdle) {
    const RedisServer server;
    Rig rig(server.url());
    ASSERT_TRUE(rig.goes_up());
    server.signal(SIGSTOP);
    EXPECT_TRUE(rig.goes_down("no answer to PING"));
    // In time another connection is tried: this one may never speak again.
    const auto made = count(rig.counters().connections);
    EXPECT_TRUE(eventually([&] { return count(rig.counters().connections) > made; }));
    server.signal(SIGCONT);
    EXPECT_TRUE(rig.goes_up());
}

TEST(Store, PasswordsAndUsers) {
    const RedisServer server;
    ASSERT_EQ(server.command({"ACL", "SETUSER", "weir", "on", ">p@ss:w/rd", "~*", "+@all"}).text,
              "OK");
    ASSERT_EQ(server.command({"CONFIG", "SET", "requirepass", "default-secret"}).text, "OK");
    {
        Rig user(server.url("weir:p@ss:w/rd@"));
        EXPECT_EQ(user.must("n").integer, 1);
        Rig alone(server.url(":default-secret@") + "/3");
        EXPECT_EQ(alone.must("n").integer, 1);  // another database
    }
    Rig wrong(server.url("weir:swordfish@"));
    EXPECT_TRUE(wrong.goes_down("AUTH refused: WRONGPASS"));
    EXPECT_EQ(wrong.must_fail(StoreError::down).text.find("swordfish"), std::string::npos);
    EXPECT_EQ(wrong.log().find("swordfish"), std::string::npos);
    Rig none(server.url());
    EXPECT_TRUE(none.goes_down("NOAUTH"));
    Rig database(server.url(":default-secret@") + "/999");
    EXPECT_TRUE(database.goes_down("SELECT 999 refused: ERR DB index is out of range"));
}

TEST(Store, StopAnswersEveryCall) {
    const RedisServer server;
    Rig rig(server.url());
    rig.must("n");
    int answered = 0;
    rig.on_loop([&] {
        for (int i = 0; i < 10; ++i) {
            rig.store().call({"n", {"1"}}, [&](const Result& result) {
                ++answered;
                EXPECT_EQ(result.error().error, StoreError::stopped);
            });
        }
        rig.store().stop();
        EXPECT_EQ(answered, 10);
        EXPECT_FALSE(rig.store().up());
    });
    EXPECT_EQ(rig.call("n").error().error, StoreError::stopped);
}

TEST(Store, AnAnswerMayCallAndMayStop) {
    const RedisServer server;
    Rig rig(server.url());
    rig.must("n");
    std::promise<void> done;
    rig.on_loop([&] {
        rig.store().call({"n", {"1"}}, [&](const Result&) {
            rig.store().call({"n", {"1"}}, [&](const Result&) {
                rig.store().stop();
                done.set_value();
            });
        });
    });
    done.get_future().get();
    EXPECT_EQ(rig.call("n").error().error, StoreError::stopped);
}

TEST(Store, IsDestroyedAfterItsLoopHasEnded) {
    const RedisServer server;
    net::Loop loop(0);
    bool told = false;
    {
        Store store(loop, Rig::of(server.url()), kAdd, [](LogLevel, std::string_view) {});
        loop.start();
        std::promise<void> asked;
        loop.post([&] {
            store.call({"n", {"1"}}, [&](const Result&) { told = true; });
            asked.set_value();
        });
        asked.get_future().get();
        loop.stop();
        loop.join();
        loop.unwind();
    }
    EXPECT_TRUE(told);
}

}  // namespace
}  // namespace weir::shared::test
