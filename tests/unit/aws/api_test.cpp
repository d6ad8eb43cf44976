// Signed calls to AWS services, against a service on loopback.
#include "aws/api.h"

#include "unit/aws/world.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

namespace weir::aws {
namespace {

using namespace test;
using Json = nlohmann::json;

struct ApiTest : ::testing::Test {
    ApiClient client(const std::string& endpoint) {
        AwsConfig config;
        config.endpoint = endpoint;
        return client(config);
    }
    ApiClient client(const AwsConfig& config) {
        Environment environment;
        environment.variable = [](const std::string&) { return std::nullopt; };
        auto keys = std::make_shared<Credentials>();
        keys->access_key_id = "AKID";
        keys->secret_access_key = "secret";
        keys->session_token = "session";
        return ApiClient(
            config, environment, [keys] { return keys; },
            ApiTiming{.connect = 1s, .answer = 2s, .attempts = 3, .delay = 1ms});
    }
    static ApiPlace quotas() { return {ApiService::service_quotas, "us-east-1"}; }
};

TEST_F(ApiTest, JsonNamesItsOperationAndIsSigned) {
    LocalService service([](const SeenRequest&) { return Reply{200, R"({"Quotas":[]})"}; });
    const auto answer =
        client(service.url())
            .json(quotas(), "ListServiceQuotas", {{"ServiceCode", "bedrock"}}, kGoOn);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_TRUE(answer->contains("Quotas"));
    const SeenRequest seen = service.seen().at(0);
    EXPECT_TRUE(seen.has("x-amz-target: ServiceQuotasV20190624.ListServiceQuotas")) << seen.text;
    EXPECT_TRUE(seen.has("content-type: application/x-amz-json-1.1")) << seen.text;
    EXPECT_TRUE(seen.has("/us-east-1/servicequotas/aws4_request")) << seen.text;
    EXPECT_TRUE(seen.has("x-amz-security-token: session")) << seen.text;
    EXPECT_TRUE(seen.has(R"({"ServiceCode":"bedrock"})")) << seen.text;
}

TEST_F(ApiTest, QueryIsAForm) {
    LocalService service([](const SeenRequest&) {
        return Reply{200, "<R xmlns='x'><A><Arn>arn:aws:sts::1:x</Arn></A></R>"};
    });
    const auto answer =
        client(service.url())
            .query({ApiService::sts, "eu-west-1"}, "GetCallerIdentity", {{"Name", "a b&c"}}, kGoOn);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_STREQ(answer->select_node("//Arn").node().child_value(), "arn:aws:sts::1:x");
    const SeenRequest seen = service.seen().at(0);
    EXPECT_TRUE(seen.has("Action=GetCallerIdentity&Version=2011-06-15&Name=a%20b%26c"))
        << seen.text;
    EXPECT_TRUE(seen.has("/eu-west-1/sts/aws4_request")) << seen.text;
}

TEST_F(ApiTest, RestKeepsItsPathAndThatOfTheEndpoint) {
    LocalService service([](const SeenRequest&) { return Reply{200, "{}"}; });
    const auto answer = client(AwsConfig{})
                            .rest({ApiService::bedrock, "us-east-1", service.url() + "/base/"},
                                  "GET", "/inference-profiles?maxResults=5", Json(), kGoOn);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(service.seen().at(0).path, "/base/inference-profiles?maxResults=5");
}

TEST_F(ApiTest, ErrorsAreToldInTheServicesWords) {
    struct Case {
        Reply reply;
        std::string text;
        bool denied;
        bool throttled;
        std::size_t calls;
    };
    const std::vector<Case> cases{
        {{400, R"({"__type":"com.amazonaws.x#AccessDeniedException","Message":"not yours"})"},
         "400 AccessDeniedException: not yours",
         true,
         false,
         1},
        {{400, R"({"__type":"TooManyRequestsException","message":"slow"})"},
         "400 TooManyRequestsException: slow",
         false,
         true,
         3},
        {{400,
          "<E><Error><Code>Throttling</Code><Message>Rate</Message></Error>"
          "<RequestId>r-1</RequestId></E>"},
         "400 Throttling: Rate (request r-1)",
         false,
         true,
         3},
        {{403,
          "<ErrorResponse xmlns='http://x'><Error><Code>InvalidClientTokenId</Code>"
          "<Message>The security token is invalid</Message></Error></ErrorResponse>"},
         "403 InvalidClientTokenId: The security token is invalid",
         true,
         false,
         1},
        {{503, "<html>\nbad gateway"}, "503: <html>", false, false, 3},
    };
    for (const Case& one : cases) {
        LocalService service([&](const SeenRequest&) { return one.reply; });
        const auto answer = client(service.url()).json(quotas(), "X", Json::object(), kGoOn);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().text(), one.text);
        EXPECT_EQ(answer.error().denied(), one.denied) << one.text;
        EXPECT_EQ(answer.error().throttled(), one.throttled) << one.text;
        EXPECT_EQ(service.seen().size(), one.calls) << one.text;
    }
}

TEST_F(ApiTest, WhatIsNoAnswerIsAnError) {
    for (const std::string body : {"[]", "nonsense", "{\"a\":"}) {
        LocalService service([&](const SeenRequest&) { return Reply{200, body}; });
        const auto answer = client(service.url()).json(quotas(), "X", Json::object(), kGoOn);
        ASSERT_FALSE(answer) << body;
        EXPECT_EQ(answer.error().message, "the answer is not a JSON object");
    }
    const auto nobody = client("http://127.0.0.1:1").json(quotas(), "X", Json::object(), kGoOn);
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().status, 0);
    EXPECT_FALSE(nobody.error().message.empty());
}

TEST_F(ApiTest, AWrongClockIsLearnedFromTheServicesDate) {
    std::atomic<int> calls{0};
    LocalService service([&](const SeenRequest& seen) {
        ++calls;
        // An hour ahead of this machine: only what is signed for then is taken.
        const auto theirs = std::chrono::system_clock::now() + 1h;
        const auto day = std::chrono::system_clock::to_time_t(theirs);
        std::tm parts{};
        gmtime_r(&day, &parts);
        std::array<char, 64> hour{};
        std::array<char, 64> date{};
        std::strftime(hour.data(), hour.size(), "x-amz-date: %Y%m%dT%H", &parts);
        std::strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        if (seen.has(hour.data())) {
            return Reply{200, "{}"};
        }
        return Reply{403,
                     R"({"__type":"InvalidSignatureException","message":"Signature expired"})",
                     {"Date: " + std::string(date.data())}};
    });
    const ApiClient api = client(service.url());
    EXPECT_TRUE(api.json(quotas(), "X", Json::object(), kGoOn));
    EXPECT_NEAR(static_cast<double>(api.clock_skew().count()), 3600, 5);
    EXPECT_TRUE(api.json(quotas(), "X", Json::object(), kGoOn));
    EXPECT_EQ(calls, 3) << "the second call signs with the time that the first has learned";
}

TEST_F(ApiTest, WithoutKeysNothingIsSent) {
    Environment environment;
    environment.variable = [](const std::string&) { return std::nullopt; };
    const ApiClient api(AwsConfig{}, environment, [] { return nullptr; });
    const auto answer = api.json(quotas(), "X", Json::object(), kGoOn);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().text(), "no credentials");
}

TEST_F(ApiTest, EachServiceHasItsHost) {
    AwsConfig config;
    config.sns = "http://127.0.0.1:5000/";
    const ApiClient api = client(config);
    EXPECT_EQ(api.url({ApiService::cloudwatch, "eu-west-1"}),
              "https://monitoring.eu-west-1.amazonaws.com");
    EXPECT_EQ(api.url({ApiService::logs, "cn-north-1"}),
              "https://logs.cn-north-1.amazonaws.com.cn");
    EXPECT_EQ(api.url({ApiService::sns, "eu-west-1"}), "http://127.0.0.1:5000");
    config.endpoint = "http://127.0.0.1:6000";
    const ApiClient elsewhere = client(config);
    EXPECT_EQ(elsewhere.url({ApiService::sns, "eu-west-1"}), "http://127.0.0.1:5000");
    EXPECT_EQ(elsewhere.url({ApiService::sts, "eu-west-1"}), "http://127.0.0.1:6000");
}

}  // namespace
}  // namespace weir::aws
