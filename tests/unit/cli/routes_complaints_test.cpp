// Routes, quotas and keys: what is refused and, beside it, what is not.

#include "config_support.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

const std::string kTwo = "regions: {us-east-1: {}, us-west-2: {}}\n";
const std::string kBoth = "targets: [{region: us-east-1}, {region: us-west-2}]";

TEST(RouteComplaints, ABearerKeyStaysInItsRegion) {
    const std::string route = "routes: [{model: m, " + kBoth + "}]\n";
    EXPECT_EQ(complaints_of(kTwo + route).size(), 0U);
    EXPECT_EQ(complaints_of(kTwo + "credentials: {source: bearer}\n" + route).size(), 1U);
    EXPECT_EQ(complaints_of(kTwo + "credentials: {source: client_bearer}\n" + route).size(), 1U);
    EXPECT_EQ(complaints_of(kTwo + "credentials: {source: client_bearer}\n"
                                   "routes: [{model: m, targets: [{region: us-east-1}, {region: "
                                   "us-east-1, model: n}]}]\n")
                  .size(),
              0U);
    const std::string own =
        "regions:\n  us-east-1: {credentials: {source: bearer, bearer_token: aaaaaa}}\n"
        "  us-west-2: {credentials: {source: bearer, bearer_token: bbbbbb}}\n";
    EXPECT_EQ(complaints_of(own + route).size(), 0U) << "each Region has a key of its own";
}

TEST(RouteComplaints, ResidencyAllowsItsOwnPrefixesAndNone) {
    const auto count = [](const std::string& residency, const std::string& region,
                          const std::string& model) {
        return complaints_of("regions: {" + region + ": {}}\nroutes: [{model: " + model +
                             ", residency: " + residency + ", targets: [{region: " + region +
                             "}]}]\n")
            .size();
    };
    EXPECT_EQ(count("eu", "eu-west-1", "eu.m.x"), 0U);
    EXPECT_EQ(count("eu", "eu-west-1", "m.x"), 0U);
    EXPECT_EQ(count("eu", "eu-west-1", "us.m.x"), 1U);
    EXPECT_EQ(count("eu", "us-east-1", "eu.m.x"), 1U);
    EXPECT_EQ(count("apac", "ap-northeast-1", "jp.m.x"), 0U);
    EXPECT_EQ(count("jp", "ap-northeast-1", "apac.m.x"), 1U);
    EXPECT_EQ(count("us", "us-gov-west-1", "m.x"), 1U);
    EXPECT_EQ(count("us-gov", "us-gov-west-1", "us-gov.m.x"), 0U);
    EXPECT_EQ(count("any", "us-east-1", "global.m.x"), 0U);
}

TEST(RouteComplaints, TheSamePoolTwiceIsAMistakeAnOverrideIsNot) {
    EXPECT_EQ(complaints_of("quotas:\n- {model: us.m, requests_per_minute: 5}\n"
                            "- {model: us.m, region: us-east-1, requests_per_minute: 6}\n")
                  .size(),
              0U);
    EXPECT_EQ(complaints_of("quotas:\n- {model: us.m, region: us-east-1, requests_per_minute: 5}\n"
                            "- {model: 'arn:aws:bedrock:us-east-1:1:inference-profile/us.m', "
                            "region: us-east-1, requests_per_minute: 6}\n")
                  .size(),
              1U);
    EXPECT_EQ(complaints_of("aliases: {fast: us.m}\nquotas:\n- {model: us.m, requests_per_minute: "
                            "5}\n- {model: fast, requests_per_minute: 6}\n")
                  .size(),
              1U);
}

TEST(ListenComplaints, OneKeyIsEnoughToBeReachable) {
    const std::string key(64, 'a');
    EXPECT_EQ(complaints_of("listen: 0.0.0.0:1\nclients: [{name: a}]\n").size(), 1U);
    EXPECT_EQ(
        complaints_of("listen: 0.0.0.0:1\nclients: [{name: a, key_sha256: " + key + "}]\n").size(),
        0U);
    // The other would never be let in.
    EXPECT_EQ(complaints_of("listen: 0.0.0.0:1\nclients: [{name: a, key_sha256: " + key +
                            "}, {name: b}]\n")
                  .size(),
              1U);
    EXPECT_EQ(complaints_of("listen: 0.0.0.0:1\nclients: [{name: a, access_key_id: AK, "
                            "secret_access_key: hush}]\n")
                  .size(),
              0U);
    EXPECT_EQ(complaints_of("admin: 0.0.0.0:1\nadmin_key_sha256: " + key + "\n").size(), 0U);
    EXPECT_EQ(complaints_of("admin: 0.0.0.0:1\nadmin_open: [metrics]\n").size(), 0U);
    EXPECT_EQ(complaints_of("admin: ''\n").size(), 0U);
}

}  // namespace
}  // namespace weir::cli
