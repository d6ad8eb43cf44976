#include "gateway/aws_regions.h"
#include "gateway/snapshot.h"

#include <gtest/gtest.h>

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

class Keys : public KeySource {
public:
    explicit Keys(int& alive) : alive_(alive) { ++alive_; }
    ~Keys() override { --alive_; }
    std::shared_ptr<const aws::Credentials> get() const override { return nullptr; }
    void refresh(std::shared_ptr<const aws::Credentials> /*stale*/,
                 std::function<void()> done) override {
        done();
    }

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
    RegionDirectory directory([&](const auto&) { return std::make_unique<Keys>(alive); });
    std::shared_ptr<Region> current;
    for (int i = 0; i < 1000; ++i) {
        directory.forget_unused();
        auto made = directory.get("us-east-1", {}, pair(i));
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
    RegionDirectory directory([&](const auto&) { return std::make_unique<Keys>(alive); });
    const auto one = *directory.get("us-east-1", {}, pair(1));
    EXPECT_EQ(one, *directory.get("us-east-1", {}, pair(1)));
    const auto other = *directory.get("us-west-2", {}, pair(1));
    EXPECT_EQ(one->keys, other->keys) << "one pair, one thread";
    RegionConfig elsewhere;
    elsewhere.control_endpoint = "https://control";
    const auto third = *directory.get("us-east-1", elsewhere, pair(1));
    EXPECT_NE(one, third);
    EXPECT_EQ(alive, 1);
}

}  // namespace
}  // namespace weir::gateway
