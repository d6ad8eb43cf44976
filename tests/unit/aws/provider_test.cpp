// The provider's thread: refreshing ahead, keeping what it has, and never a stampede.
#include "world.h"

#include <gtest/gtest.h>

namespace weir::aws {
namespace {

using namespace test;

/// A second's lead on keys that live some seconds; retries within milliseconds.
CredentialsTiming hurried() {
    CredentialsTiming timing;
    timing.advisory = 1s;
    timing.mandatory = 1s;
    timing.retry_first = 20ms;
    timing.retry_most = 100ms;
    timing.file_poll = 20ms;
    return timing;
}

std::string id_of(const CredentialsProvider& provider) {
    auto keys = provider.get();
    return keys ? keys->access_key_id : "";
}

TEST(Provider, RefreshesAheadOfTheExpiry) {
    std::atomic<int> calls{0};
    LocalService agent([&](const SeenRequest&) {
        int call = ++calls;
        return Reply{200, json_keys("E" + std::to_string(call), call == 1 ? 3s : 3600s)};
    });
    World world;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    CredentialsProvider provider({}, world.environment(), nullptr, hurried());
    provider.start();
    auto first = provider.get();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->access_key_id, "E1");
    ASSERT_TRUE(eventually([&] { return id_of(provider) == "E2"; }));
    EXPECT_EQ(calls, 2);
}

TEST(Provider, KeepsTheOldOnesWhileTheSourceFailsAndTriesAgain) {
    std::atomic<int> calls{0};
    LocalService agent([&](const SeenRequest&) {
        int call = ++calls;
        return call == 1  ? Reply{200, json_keys("E1", 1s)}
               : call < 5 ? Reply{400, "not now"}
                          : Reply{200, json_keys("E2", 3600s)};
    });
    World world;
    Log log;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    CredentialsProvider provider({}, world.environment(), log.sink(), hurried());
    provider.start();
    ASSERT_TRUE(eventually([&] {
        EXPECT_NE(provider.get(), nullptr);
        return id_of(provider) == "E2";
    }));
    EXPECT_TRUE(contains(log.all(), "could not be renewed and are kept"));
    EXPECT_TRUE(contains(log.all(), "credentials from container again"));
}

TEST(Provider, AChainThatGaveNothingIsTriedAgain) {
    World world;
    CredentialsProvider provider({}, world.environment(), nullptr, hurried());
    provider.start();
    EXPECT_EQ(provider.get(), nullptr);
    world.file(".aws/credentials", "[default]\naws_access_key_id=F\naws_secret_access_key=s\n");
    EXPECT_TRUE(eventually([&] { return id_of(provider) == "F"; }));
    EXPECT_EQ(outcome(provider, "profile default"), "used");
}

TEST(Provider, FollowsAFileThatChanges) {
    World world;
    world.file(".aws/credentials", "[default]\naws_access_key_id=F1\naws_secret_access_key=s\n");
    CredentialsProvider provider({}, world.environment(), nullptr, hurried());
    provider.start();
    EXPECT_EQ(id_of(provider), "F1");
    world.file(".aws/credentials", "[default]\naws_access_key_id=F2\naws_secret_access_key=s\n");
    EXPECT_TRUE(eventually([&] { return id_of(provider) == "F2"; }));
    world.file(".aws/credentials", "[default]\naws_access_key_id=F3\n");  // half written: kept
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(id_of(provider), "F2");
    world.file(".aws/credentials", "[default]\naws_access_key_id=F4\naws_secret_access_key=s\n");
    EXPECT_TRUE(eventually([&] { return id_of(provider) == "F4"; }));
}

TEST(Provider, ASlowSourceHoldsUpNobodyWhoAsksForKeys) {
    std::atomic<int> calls{0};
    std::atomic<bool> release{false};
    LocalService agent([&](const SeenRequest&) {
        if (++calls > 1) {
            eventually([&] { return release.load(); }, 1500ms);
        }
        return Reply{200, json_keys("E" + std::to_string(calls), 3600s)};
    });
    World world;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    CredentialsProvider provider({}, world.environment(), nullptr);
    provider.start();
    std::atomic<bool> done{false};
    provider.refresh(provider.get(), [&] { done = true; });
    ASSERT_TRUE(eventually([&] { return calls == 2; }));
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(id_of(provider), "E1");
    }
    EXPECT_FALSE(done);
    release = true;
    ASSERT_TRUE(eventually([&] { return done.load(); }));
    EXPECT_EQ(id_of(provider), "E2");
}

TEST(Provider, StartReturnsThoughTheSourceIsSlow) {
    std::atomic<bool> release{false};
    LocalService agent([&](const SeenRequest&) {
        eventually([&] { return release.load(); }, 1500ms);
        return Reply{200, json_keys("E", 3600s)};
    });
    World world;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    CredentialsTiming timing;
    timing.start_wait = 10ms;
    CredentialsProvider provider({}, world.environment(), nullptr, timing);
    provider.start();
    EXPECT_EQ(provider.get(), nullptr);
    release = true;
    EXPECT_TRUE(eventually([&] { return id_of(provider) == "E"; }));
}

TEST(Provider, AThousandRefusedCallsMakeOneFetch) {
    std::atomic<int> calls{0};
    LocalService agent([&](const SeenRequest&) {
        return Reply{200, json_keys("E" + std::to_string(++calls), 3600s)};
    });
    World world;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    CredentialsProvider provider({}, world.environment(), nullptr);
    provider.start();
    auto stale = provider.get();
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 250; ++i) {
                provider.refresh(stale, [&] { ++done; });
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    ASSERT_TRUE(eventually([&] { return done == 1000; }));
    EXPECT_EQ(calls, 2);
    EXPECT_NE(provider.get(), stale);
}

TEST(Provider, KeysThatStayTheSameStayTheSameObject) {
    World world;
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "secret");
    CredentialsProvider provider({}, world.environment(), nullptr);
    provider.start();
    auto keys = provider.get();
    std::atomic<int> done{0};
    for (int i = 0; i < 10; ++i) {
        provider.refresh(keys, [&] { ++done; });
    }
    ASSERT_TRUE(eventually([&] { return done == 10; }));
    EXPECT_EQ(provider.get(), keys);
}

TEST(Provider, EveryRefreshIsAnsweredEvenAtTheEnd) {
    std::atomic<int> done{0};
    {
        World world;
        CredentialsProvider never_started({}, world.environment(), nullptr);
        never_started.refresh(nullptr, [&] { ++done; });
    }
    EXPECT_EQ(done, 1);
    LocalService agent([&](const SeenRequest&) {
        std::this_thread::sleep_for(300ms);
        return Reply{200, json_keys("E", 3600s)};
    });
    World world;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    CredentialsTiming timing;
    timing.start_wait = 1ms;
    {
        CredentialsProvider provider({}, world.environment(), nullptr, timing);
        provider.start();
        provider.refresh(nullptr, [&] { ++done; });
    }
    EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace weir::aws
