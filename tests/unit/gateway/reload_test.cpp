// Reloading a running gateway: what it answers, what it refuses, and that it leaves nothing behind.
#include "gateway/gateway.h"

#include "../net/certificates.h"
#include "running.h"

#include <gtest/gtest.h>

#include <malloc.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace weir::gateway {
namespace {

using test::Running;

Config sample(const net::test::Certificates& files) {
    Config config;
    config.listen = {"127.0.0.1:0"};
    config.admin = "127.0.0.1:0";
    config.workers = 2;
    config.tls = TlsConfig{files.certificate(), files.key()};
    RegionConfig region;
    region.endpoint = "https://localhost:1";
    region.ca = files.authority();
    config.regions["us-east-1"] = region;
    return config;
}

std::size_t descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t threads() {
    const std::filesystem::directory_iterator all("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(Reload, SaysWhatChangedAndWhatNeedsARestart) {
    const net::test::Certificates files("localhost", 1);
    Running running(sample(files));
    ASSERT_TRUE(running.started) << running.started.error().message;
    auto next = sample(files);
    next.queue.max_wait = std::chrono::seconds(7);
    next.workers = 5;
    const auto done = running.gateway->reload(next, "test");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->applied, std::vector<std::string>{"queue.max_wait"});
    EXPECT_EQ(done->needs_restart, std::vector<std::string>{"workers"});
    const auto metrics = running.gateway->metrics();
    EXPECT_NE(metrics.find("weir_config_info{hash=\"" + done->hash + "\"} 1"), std::string::npos);
    EXPECT_NE(metrics.find("weir_config_restart_needed 1"), std::string::npos);
    EXPECT_NE(metrics.find("weir_config_applied_timestamp_seconds 1"), std::string::npos);
    EXPECT_NE(running.log().find("test: configuration " + done->hash), std::string::npos);
    EXPECT_NE(running.log().find("next start"), std::string::npos);
    // What waits for a restart is named again by the next reload, and gone when the file goes back.
    next.workers = 2;
    const auto back = running.gateway->reload(next, "test");
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->needs_restart.empty());
    EXPECT_EQ(back->hash, done->hash);
}

TEST(Reload, ABadFileIsNamedAndNothingChanges) {
    const net::test::Certificates files("localhost", 1);
    const net::test::Certificates others("localhost", 1);
    Running running(sample(files));
    ASSERT_TRUE(running.started) << running.started.error().message;
    const auto before = running.gateway->metrics();
    const auto hash = before.substr(before.find("weir_config_info{"), 40);
    const auto refuses = [&](auto change, const std::string& named) {
        auto next = sample(files);
        next.queue.max_wait = std::chrono::seconds(1);
        change(next);
        const auto done = running.gateway->reload(next, "test");
        ASSERT_FALSE(done);
        EXPECT_NE(done.error().message.find(named), std::string::npos) << done.error().message;
        EXPECT_NE(running.gateway->metrics().find(hash), std::string::npos);
    };
    refuses([&](Config& c) { c.tls->certificate = "/nowhere.pem"; }, "/nowhere.pem");
    refuses([&](Config& c) { c.tls->key = others.key(); }, others.key());
    refuses([&](Config& c) { c.regions["us-east-1"].ca = "/nowhere-ca.pem"; }, "/nowhere-ca.pem");
    EXPECT_FALSE(running.gateway->reload(failure("weir.yaml:1:1: no"), "test"));
    EXPECT_NE(running.log().find("test: weir.yaml:1:1: no"), std::string::npos);
    EXPECT_NE(running.gateway->metrics().find("weir_config_reloads_total{result=\"error\"} 4"),
              std::string::npos);
}

TEST(Reload, AThousandTimesLeavesNothingBehind) {
    const net::test::Certificates files("localhost", 1);
    Running running(sample(files));
    ASSERT_TRUE(running.started) << running.started.error().message;
    auto next = sample(files);
    const auto reload = [&](int n) {
        next.queue.max_wait = std::chrono::seconds(1 + n % 40);
        ASSERT_TRUE(running.gateway->reload(next, "test"));
    };
    for (int i = 0; i < 50; ++i) {
        reload(i);
    }
    const auto open = descriptors();
    const auto running_threads = threads();
    const auto memory = mallinfo2().uordblks;
    const auto logged = running.log().size();
    for (int i = 0; i < 1000; ++i) {
        reload(i);
    }
    EXPECT_EQ(descriptors(), open);
    EXPECT_EQ(threads(), running_threads);
    // The allocator of a sanitizer says 0. The log that this test keeps is its own.
    EXPECT_LT(mallinfo2().uordblks, memory + 4 * (running.log().size() - logged) + (256U << 10U));
}

}  // namespace
}  // namespace weir::gateway
