// What weir::Client refuses before it sends anything, and where it says so.
#include <weir/client.h>

#include "unit/given.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

namespace weir {
namespace {

using namespace std::chrono_literals;

TEST(ClientCreate, SaysEveryProblem) {
    Config config;
    config.regions["us-east-1"] = {};
    config.default_region = "us-east-1";
    config.quota_share = 7;
    config.retry.max_attempts = 0;
    const auto made = Client::create(config);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find("quota_share: "), std::string::npos);
    EXPECT_NE(made.error().message.find("\nretry.max_attempts: "), std::string::npos);
}

TEST(ClientCreate, LogsThroughItsSink) {
    Config config;
    config.regions["us-east-1"].endpoint = "http://127.0.0.1:1";  // nothing is there
    config.default_region = "us-east-1";
    config.credentials.source = CredentialsSource::static_keys;
    config.credentials.access_key_id = "AKIDEXAMPLE";
    config.credentials.secret_access_key = "example";
    config.queue.deadline = 200ms;
    std::mutex mutex;
    std::string log;
    ClientOptions options;
    options.log = [&](LogLevel, std::string_view line) {
        const std::scoped_lock lock(mutex);
        log.append(line).append("\n");
    };
    auto client = Client::create(config, options);
    ASSERT_TRUE(client);
    const auto response = client->converse(kSonnet, R"({"messages":[]})");
    ASSERT_TRUE(response);
    EXPECT_GE(response->status, 500);
    EXPECT_FALSE(response->error.empty());
    const std::scoped_lock lock(mutex);
    EXPECT_NE(log.find("no connection to us-east-1"), std::string::npos) << log;
}

TEST(ClientCall, WrongUseIsAnError) {
    Config config;
    config.regions["us-east-1"].endpoint = "http://127.0.0.1:1";
    config.default_region = "us-east-1";
    auto client = Client::create(config);
    ASSERT_TRUE(client);
    EXPECT_FALSE(client->converse("", "{}"));
    Client::Request request;
    request.model = kSonnet;
    request.client = "a\r\nb: c";
    EXPECT_FALSE(client->send(request));
    EXPECT_EQ(client->status().in_flight, 0U);
}

}  // namespace
}  // namespace weir
