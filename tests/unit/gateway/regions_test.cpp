#include "gateway/aws_regions.h"
#include "gateway/snapshot.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <set>

namespace weir::gateway {
namespace {

TEST(AwsRegions, NamesThatBecomePartOfAHostAreChecked) {
    for (const auto* good : {"us-east-1", "us-gov-west-1", "ap-southeast-2", "cn-north-1",
                             "eusc-de-east-1", "us-isob-east-1"}) {
        EXPECT_TRUE(is_listed_region(good)) << good;
        EXPECT_TRUE(looks_like_region(good)) << good;
    }
    for (const auto* of_tomorrow : {"us-south-1", "ap-southeast-9", "sa-west-1", "mx-north-2"}) {
        EXPECT_FALSE(is_listed_region(of_tomorrow)) << of_tomorrow;
        EXPECT_TRUE(looks_like_region(of_tomorrow)) << of_tomorrow;
    }
    for (const auto* bad :
         {"", "us", "us-east", "us-east-1.evil.example", "us-east-1/", "US-EAST-1", "-us-east-1",
          "us--1", "us-east-1@x", "localhost", "aa-east-1", "us-up-1", "us-east-0", "us-east-10",
          "evil-us-east-1", "us-east-1-", "xx-invented-1", "-1", "1"}) {
        EXPECT_FALSE(looks_like_region(bad)) << bad;
        EXPECT_FALSE(is_listed_region(bad)) << bad;
    }
}

std::string control(const std::string& endpoint, const std::string& control_endpoint = "") {
    RegionConfig config;
    config.endpoint = endpoint;
    config.control_endpoint = control_endpoint;
    return service_url(Service::control, "us-east-1", config);
}

TEST(ServiceUrl, TheControlPlaneIsAwsUnlessSaid) {
    EXPECT_EQ(control(""), "https://bedrock.us-east-1.amazonaws.com");
    EXPECT_EQ(control("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"),
              "https://bedrock.us-east-1.amazonaws.com");
    EXPECT_EQ(control("https://vpce-1.x", "https://vpce-2.y"), "https://vpce-2.y");
    EXPECT_EQ(control("http://127.0.0.1:9001"), "http://127.0.0.1:9001") << "a stand-in";
    EXPECT_EQ(control("http://127.0.0.1:9001", "http://127.0.0.1:9"), "http://127.0.0.1:9");
}

TEST(ServiceUrl, EachServiceHasItsHost) {
    const RegionConfig none;
    EXPECT_EQ(service_url(Service::runtime, "us-east-1", none),
              "https://bedrock-runtime.us-east-1.amazonaws.com");
    EXPECT_EQ(service_url(Service::agent, "cn-north-1", none),
              "https://bedrock-agent-runtime.cn-north-1.amazonaws.com.cn");
    EXPECT_EQ(service_url(Service::mantle, "us-east-1", none),
              "https://bedrock-mantle.us-east-1.api.aws");
    RegionConfig endpoint;
    endpoint.endpoint = "https://vpce";
    EXPECT_EQ(service_url(Service::runtime, "us-east-1", endpoint), "https://vpce");
    EXPECT_EQ(service_url(Service::agent, "us-east-1", endpoint),
              "https://bedrock-agent-runtime.us-east-1.amazonaws.com");
    endpoint.endpoint = "http://sim";
    EXPECT_EQ(service_url(Service::agent, "us-east-1", endpoint), "http://sim");
}

TEST(ServiceUrl, ChinaFipsAndAnEndpointOfMantlesOwn) {
    RegionConfig config;
    EXPECT_EQ(service_url(Service::mantle, "cn-north-1", config),
              "https://bedrock-mantle.cn-north-1.api.amazonwebservices.com.cn");
    ::setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    EXPECT_EQ(service_url(Service::runtime, "us-east-1", config),
              "https://bedrock-runtime-fips.us-east-1.amazonaws.com");
    EXPECT_EQ(service_url(Service::mantle, "us-east-1", config),
              "https://bedrock-mantle-fips.us-east-1.api.aws");
    ::setenv("AWS_USE_FIPS_ENDPOINT", "false", 1);
    EXPECT_EQ(service_url(Service::runtime, "us-east-1", config),
              "https://bedrock-runtime.us-east-1.amazonaws.com");
    ::unsetenv("AWS_USE_FIPS_ENDPOINT");
    config.mantle_endpoint = "https://vpce";
    EXPECT_EQ(service_url(Service::mantle, "us-east-1", config), "https://vpce");
}

TEST(Snapshot, ARoutesModeStandsForTheFiles) {
    Config config;
    config.mode = Mode::observe;
    config.routes.resize(2);
    config.routes[0].model = "a.plain";
    config.routes[1].model = "arn:aws:bedrock:us-east-1:1:inference-profile/a.held";
    config.routes[1].mode = Mode::enforce;
    config.aliases["fast"] = "a.plain";
    const Snapshot snapshot(config);
    EXPECT_TRUE(snapshot.observes("a.plain"));
    EXPECT_FALSE(snapshot.observes("a.held"));
    EXPECT_TRUE(snapshot.observes("another"));
    EXPECT_EQ(snapshot.model_name("fast"), "a.plain");
    EXPECT_EQ(snapshot.model_name("slow"), "slow");
    EXPECT_EQ(snapshot.output_burndown({"us-east-1", "anthropic.x", Endpoint::mantle}), 0U)
        << "output is metered apart";
    EXPECT_GT(snapshot.output_burndown({"us-east-1", "anthropic.x"}), 0U);
}

class Keys : public KeySource {
public:
    explicit Keys(int& alive) : alive_(alive) { ++alive_; }
    ~Keys() override { --alive_; }
    std::shared_ptr<const aws::Credentials> get() const override { return given; }
    void refresh(std::shared_ptr<const aws::Credentials> /*stale*/,
                 std::function<void()> done) override {
        done();
    }
    std::shared_ptr<const aws::Credentials> given;

private:
    int& alive_;
};

CredentialsConfig pair(int number) {
    CredentialsConfig credentials;
    credentials.source = CredentialsSource::static_keys;
    credentials.access_key_id = "AKID" + std::to_string(number);
    credentials.secret_access_key = "secret";
    return credentials;
}

TEST(RegionDirectory, AThousandRotationsLeaveNothingBehind) {
    int alive = 0;
    RegionDirectory directory([&](const auto&...) { return std::make_unique<Keys>(alive); });
    std::shared_ptr<Region> current;
    for (int i = 0; i < 1000; ++i) {
        directory.forget_unused();
        auto made = directory.get("us-east-1", {}, {pair(i)});
        ASSERT_TRUE(made) << i << ": " << made.error().message;
        current = *made;
        ASSERT_LE(alive, 2);
    }
    directory.forget_unused();
    EXPECT_EQ(directory.regions_held(), 1U);
    EXPECT_EQ(directory.keys_held(), 1U);
    EXPECT_EQ(alive, 1) << "the last pair's, which is in use";
    current.reset();
    directory.forget_unused();
    EXPECT_EQ(alive, 0);
}

TEST(RegionDirectory, TheSameSettingsGiveTheSameRegion) {
    int alive = 0;
    RegionDirectory directory([&](const auto&...) { return std::make_unique<Keys>(alive); });
    const auto one = *directory.get("us-east-1", {}, {pair(1)});
    EXPECT_EQ(one, *directory.get("us-east-1", {}, {pair(1)}));
    const auto other = *directory.get("us-west-2", {}, {pair(1)});
    EXPECT_EQ(one->keys, other->keys) << "one pair, one thread";
    RegionConfig elsewhere;
    elsewhere.control_endpoint = "https://control";
    const auto third = *directory.get("us-east-1", elsewhere, {pair(1)});
    EXPECT_NE(one, third);
    EXPECT_EQ(alive, 1);
}

TEST(RegionDirectory, ARolesKeysHoldThoseThatTakeItOn) {
    int alive = 0;
    bool based = false;
    RegionDirectory directory([&](const KeysWanted& wanted, const auto& base) {
        based = wanted.role && base != nullptr;
        return std::make_unique<Keys>(alive);
    });
    Config config;
    config.credentials = pair(1);
    AccountConfig account;
    account.role_arn = "arn:aws:iam::1:role/weir";
    auto role = directory.keys(KeysWanted::of(config, account));
    EXPECT_TRUE(based);
    EXPECT_EQ(directory.keys_held(), 2U);
    EXPECT_EQ(role, directory.keys(KeysWanted::of(config, account)));
    EXPECT_NE(role, directory.keys(KeysWanted::of(config)));
    account.external_id = "x";
    EXPECT_NE(role, directory.keys(KeysWanted::of(config, account)));
    role.reset();
    directory.forget_unused();
    EXPECT_EQ(directory.keys_held(), 0U);
}

TEST(RegionDirectory, TheCredentialsThatExpireFirstAreKnown) {
    int alive = 0;
    const auto now = std::chrono::system_clock::now();
    std::optional<std::chrono::hours> lasts;
    RegionDirectory directory([&](const auto&...) {
        auto keys = std::make_unique<Keys>(alive);
        auto made = std::make_shared<aws::Credentials>();
        if (lasts) {
            made->expiry = now + *lasts;
        }
        keys->given = made;
        return keys;
    });
    const auto common = directory.keys({pair(1)});
    EXPECT_FALSE(directory.soonest_expiry()) << "keys for good";
    lasts = std::chrono::hours(9);
    RegionConfig own;
    own.credentials = pair(2);
    const auto region = *directory.get("us-east-1", own, {pair(1)});
    EXPECT_NE(region->keys, common);
    lasts = std::chrono::hours(5);
    const auto third = directory.keys({pair(3)});
    ASSERT_TRUE(directory.soonest_expiry());
    EXPECT_LE(*directory.soonest_expiry(), 5 * 3600.0);
    EXPECT_GT(*directory.soonest_expiry(), 4 * 3600.0);
}

}  // namespace
}  // namespace weir::gateway
