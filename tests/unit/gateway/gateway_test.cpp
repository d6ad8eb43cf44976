// Starting and ending a gateway: what it refuses, keeps and says. Nobody connects to it.
#include "gateway/gateway.h"

#include "codec/hex.h"
#include "gateway/background_thread.h"
#include "gateway/poll_until.h"
#include "gateway/state_file.h"
#include "running.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using test::Running;

Config listening() {
    Config config;
    config.listen = {"127.0.0.1:0"};
    config.admin = "";
    config.workers = 1;
    config.timeouts.drain_delay = 0ms;
    return config;
}

TEST(Gateway, WhatCannotBeBoundIsNamed) {
    Running running(listening());
    ASSERT_TRUE(running.started) << running.started.error().message;
    const std::string taken = "127.0.0.1:" + std::to_string(running.gateway->ports().front());
    Config same = listening();
    same.listen = {taken};
    Running second(same);
    ASSERT_FALSE(second.started);
    EXPECT_NE(second.started.error().message.find(taken), std::string::npos);
    same = listening();
    same.admin = taken;
    Running third(same);
    ASSERT_FALSE(third.started);
    EXPECT_NE(third.started.error().message.find(taken), std::string::npos);
    Config endpoint = listening();
    endpoint.regions["us-east-1"].endpoint = "nonsense";
    Running fourth(endpoint);
    ASSERT_FALSE(fourth.started);
    EXPECT_NE(fourth.started.error().message.find("regions.us-east-1: 'nonsense'"),
              std::string::npos)
        << fourth.started.error().message;
}

TEST(Gateway, TheAdminPortIsItsOwnOrNone) {
    Running none(listening());
    EXPECT_EQ(none.gateway->admin_port(), 0);
    Config config = listening();
    config.admin = "127.0.0.1:0";
    config.workers = 0;
    GatewayOptions options;
    options.read_config = [] { return Result<Config>(listening()); };
    Running running(config, std::move(options));
    ASSERT_TRUE(running.started) << running.started.error().message;
    EXPECT_GT(running.gateway->admin_port(), 0);
    EXPECT_NE(running.gateway->admin_port(), running.gateway->ports().front());
    EXPECT_TRUE(running.gateway->status().targets.empty());
}

TEST(Gateway, ADrainEndsAtOnceWhereNobodyIs) {
    Running running(listening());
    ASSERT_TRUE(running.started);
    EXPECT_NE(running.gateway->metrics().find("weir_connections"), std::string::npos);
    running.gateway->drain();
    running.gateway->stop();
    running.gateway->drain();  // it has ended: nothing to do
    running.gateway->stop();
}

TEST(Gateway, WhatWasUsedIsKeptForTheNextOne) {
    const std::string path = std::filesystem::temp_directory_path() /
                             ("weir-gateway-" + std::to_string(::getpid()) + ".json");
    Config config = listening();
    config.state_file = path;
    QuotaConfig quota;
    quota.models = {"m"};
    quota.requests_per_minute = 5;
    config.quotas = {quota};
    {
        Running first(config);
        ASSERT_TRUE(first.started);
        EXPECT_NE(first.log().find(path + " is not there yet"), std::string::npos) << first.log();
    }
    {
        Running second(config);
        EXPECT_NE(second.log().find(path + " tells the use of "), std::string::npos)
            << second.log();
    }
    std::filesystem::remove(path);
}

TEST(Gateway, AnAccessLogIsWrittenToItsDescriptor) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    GatewayOptions options;
    options.access_log = ends[1];
    {
        Running running(listening(), std::move(options));
        ASSERT_TRUE(running.started);
        EXPECT_NE(running.gateway->metrics().find("weir_log_dropped_total 0"), std::string::npos);
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Gateway, DescriptorsBoundTheConnections) {
    Config config = listening();
    config.limits.max_connections = std::numeric_limits<std::size_t>::max();
    Running running(config);
    ASSERT_TRUE(running.started);
    EXPECT_NE(running.log().find("limits.max_connections is cut to "), std::string::npos);
}

TEST(Reload, WhereNoTlsAndNoAdminPortIs) {
    std::vector<std::size_t> told;
    GatewayOptions options;
    options.reloaded = [&](const Config& config) { told.push_back(config.queue.max_waiting); };
    Running running(listening(), std::move(options));
    ASSERT_TRUE(running.started);
    Config next = listening();
    next.queue.max_waiting = 7;
    next.listen = {"127.0.0.1:1"};
    next.log.format = "text";
    const auto done = running.gateway->reload(next, "test");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->needs_restart, (std::vector<std::string>{"listen", "log.format"}));
    EXPECT_NE(running.log().find("listen, log.format"), std::string::npos);
    EXPECT_EQ(told, std::vector<std::size_t>{7});
    next.regions["us-east-1"].endpoint = "nonsense";
    const auto refused = running.gateway->reload(next, "test");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("'nonsense'"), std::string::npos);
    EXPECT_EQ(told.size(), 1U);
}

TEST(PollUntil, AsksUntilItIsDoneOrTheTimeIsUp) {
    int asked = 0;
    EXPECT_TRUE(poll_until([&] { return ++asked == 3; }, 1ms, 1h));
    EXPECT_EQ(asked, 3);
    EXPECT_FALSE(poll_until([&] { return ++asked < 0; }, 1ms, 2ms));
    EXPECT_EQ(asked, 6) << "at 0, 1 and 2 ms";
    EXPECT_TRUE(poll_until([] { return true; }, 1ms, 0ms));
}

TEST(BackgroundThread, DoesAllThatItWasGivenInOrder) {
    std::vector<int> done;
    {
        BackgroundThread thread;
        for (int i = 0; i < 3; ++i) {
            thread.run([&done, i] { done.push_back(i); });
        }
    }
    EXPECT_EQ(done, (std::vector<int>{0, 1, 2}));
}

TEST(BackgroundThread, TakesNothingOnceItHasFinished) {
    std::vector<int> done;
    BackgroundThread thread;
    EXPECT_TRUE(thread.run([&done] { done.push_back(1); }));
    thread.finish();
    EXPECT_EQ(done, (std::vector<int>{1}));
    EXPECT_FALSE(thread.run([&done] { done.push_back(2); }));
    thread.finish();
    EXPECT_EQ(done, (std::vector<int>{1}));
}

}  // namespace
}  // namespace weir::gateway
