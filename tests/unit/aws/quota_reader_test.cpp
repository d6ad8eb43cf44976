// Limits and profiles as read from services that answer well, badly, or not at all.
#include "aws/quota_reader.h"
#include "aws/inference_profiles.h"

#include "unit/aws/world.h"
#include "unit/given.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::aws {
namespace {

using namespace test;
using Json = nlohmann::json;

ApiClient client(const std::string& endpoint) {
    AwsConfig config;
    config.endpoint = endpoint;
    Environment environment;
    environment.variable = [](const std::string&) { return std::nullopt; };
    auto keys = std::make_shared<Credentials>();
    keys->access_key_id = "AKID";
    keys->secret_access_key = "secret";
    return ApiClient(
        config, environment, [keys] { return keys; },
        ApiTiming{.connect = 1s, .answer = 2s, .attempts = 2, .delay = 1ms});
}

Json quota(const std::string& name, const std::string& code, Json value, bool adjustable = true) {
    return {{"QuotaName", name},
            {"QuotaCode", code},
            {"Value", std::move(value)},
            {"Adjustable", adjustable}};
}

const std::string kCross = "Cross-region model inference tokens per minute for Anthropic Claude ";

TEST(QuotaReader, JoinsAppliedAndDefaultsOverPages) {
    LocalService service([](const SeenRequest& seen) {
        Json answer;
        if (seen.has("ListAWSDefaultServiceQuotas")) {
            answer["Quotas"] = {quota(kCross + "Sonnet 4.5 V1", "L-1", 5e6),
                                quota(kCross + "Sonnet 4 V1", "L-2", 200'000)};
        } else if (seen.has("\"NextToken\":\"second\"")) {
            answer["Quotas"] = {quota(kCross + "Sonnet 4.5 V1", "L-1", 8e6)};
        } else {
            answer["Quotas"] = {
                quota("Cross-region model inference requests per minute for "
                      "Anthropic Claude Sonnet 4.5 V1",
                      "L-3", 0, false)};
            answer["NextToken"] = "second";
        }
        return Reply{200, answer.dump()};
    });
    const auto reading = read_quotas(client(service.url()), "us-east-1", kGoOn);
    ASSERT_TRUE(reading) << reading.error().text();
    EXPECT_EQ(reading->lines.size(), 3u);
    const ModelQuotas sonnet = quotas_of(*reading, kSonnet);
    ASSERT_NE(sonnet.tokens_per_minute, nullptr);
    EXPECT_EQ(sonnet.tokens_per_minute->applied, 8'000'000u);
    EXPECT_EQ(sonnet.tokens_per_minute->standard, 5'000'000u);
    EXPECT_EQ(limit_of(sonnet.requests_per_minute, kSonnet), 0u);
    EXPECT_FALSE(sonnet.requests_per_minute->adjustable);
    EXPECT_EQ(sonnet.tokens_per_day, nullptr);
    const ModelQuotas older = quotas_of(*reading, "us.anthropic.claude-sonnet-4-20250514-v1:0");
    EXPECT_EQ(limit_of(older.tokens_per_minute, kSonnet), 200'000u) << "the default applies";
}

TEST(QuotaReader, AnIdsOwnScopeWinsThenTheLowerLine) {
    QuotaReading reading;
    const auto add = [&](const std::string& name, std::uint64_t value) {
        QuotaLine line;
        line.name = *parse_quota_name(name + " for Anthropic Claude Sonnet 4.5 V1");
        line.applied = value;
        reading.lines.push_back(line);
    };
    add("Model invocation max tokens per day", 100);
    add("Cross-region model inference tokens per day", 500);
    add("Cross-Region InvokeModel tokens per day", 400);
    EXPECT_EQ(limit_of(quotas_of(reading, kSonnet).tokens_per_day, kSonnet), 400u);
    const std::string bare = kSonnet.substr(3);
    EXPECT_EQ(limit_of(quotas_of(reading, bare).tokens_per_day, bare), 100u);
}

TEST(QuotaReader, ALineThatCountsCrossRegionTwice) {
    QuotaReading reading;
    QuotaLine line;
    line.name = *parse_quota_name(
        "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for "
        "cross-region calls)");
    line.applied = 100;
    reading.lines.push_back(line);
    EXPECT_EQ(limit_of(quotas_of(reading, kSonnet).tokens_per_day, kSonnet), 200u);
    const std::string bare = kSonnet.substr(3);
    EXPECT_EQ(limit_of(quotas_of(reading, bare).tokens_per_day, bare), 100u);
}

TEST(QuotaReader, WithoutPermissionItSaysSo) {
    LocalService service([](const SeenRequest&) {
        return Reply{400, R"({"__type":"AccessDeniedException","Message":"not authorized"})"};
    });
    const auto reading = read_quotas(client(service.url()), "us-east-1", kGoOn);
    ASSERT_FALSE(reading);
    EXPECT_TRUE(reading.error().denied());
}

TEST(QuotaReader, DefaultsThatAreNotAllowedAreMissed) {
    LocalService service([](const SeenRequest& seen) {
        if (seen.has("ListAWSDefaultServiceQuotas")) {
            return Reply{403, R"({"__type":"AccessDeniedException"})"};
        }
        return Reply{200, Json{{"Quotas", {quota(kCross + "Sonnet 4.5", "L-1", 7)}}}.dump()};
    });
    const auto reading = read_quotas(client(service.url()), "us-east-1", kGoOn);
    ASSERT_TRUE(reading);
    EXPECT_TRUE(reading->no_defaults);
    EXPECT_EQ(limit_of(quotas_of(*reading, kSonnet).tokens_per_minute, kSonnet), 7u);
}

TEST(QuotaReader, OddAnswersEnd) {
    const std::string endless = Json{{"Quotas", Json::array()}, {"NextToken", "again"}}.dump();
    const std::string odd = Json{
        {"Quotas",
         {quota(kCross + "Sonnet 4.5", "L-1", -1), quota(kCross + "Sonnet 4.5", "L-2", 1e300),
          quota(kCross + "Sonnet 4.5", "L-3", "many"), quota(kCross + "Sonnet 4.5", "", 5),
          quota("\n", "L-4", 5), Json(7), Json(nullptr),
          Json::array()}}}.dump();
    for (const std::string& body :
         {std::string("{}"), std::string("[]"), std::string("garbage"), std::string("\xff\xfe"),
          std::string(R"({"Quotas":7})"), std::string(R"({"Quotas":{"a":1}})"), endless, odd,
          std::string(100'000, '['), R"({"Quotas":[],"NextToken":)" + std::string("7}")}) {
        LocalService service([&](const SeenRequest&) { return Reply{200, body}; });
        const auto reading = read_quotas(client(service.url()), "us-east-1", kGoOn);
        if (reading) {
            EXPECT_TRUE(reading->lines.empty()) << body.substr(0, 80);
            EXPECT_EQ(quotas_of(*reading, kSonnet).tokens_per_minute, nullptr);
        }
        const auto profiles = list_profiles(client(service.url()), "us-east-1", "", kGoOn);
        EXPECT_TRUE(!profiles || profiles->empty());
    }
}

Json profile(const std::string& id, const std::string& type, std::vector<std::string> regions,
             const std::string& model) {
    Json models = Json::array();
    for (const std::string& region : regions) {
        models.push_back(
            {{"modelArn", "arn:aws:bedrock:" + region + "::foundation-model/" + model}});
    }
    const std::string kind =
        type == "APPLICATION" ? "application-inference-profile/" : "inference-profile/";
    return {{"inferenceProfileId", id},
            {"inferenceProfileArn", "arn:aws:bedrock:us-east-1:123456789012:" + kind + id},
            {"type", type},
            {"models", models}};
}

TEST(InferenceProfiles, GiveDestinationsAndAliases) {
    const std::string model = kSonnet.substr(3);
    LocalService service([&](const SeenRequest& seen) {
        Json items = Json::array();
        if (seen.has("typeEquals=SYSTEM_DEFINED")) {
            items = {profile(kSonnet, "SYSTEM_DEFINED", {"us-west-2", "us-east-1"}, model),
                     profile("global." + model, "SYSTEM_DEFINED", {"", "us-east-1"}, model)};
        } else if (!seen.has("nextToken=a%2Fb")) {
            items = {profile("abc", "APPLICATION", {"us-east-1", "us-west-2"}, model)};
            return Reply{200,
                         Json{{"inferenceProfileSummaries", items}, {"nextToken", "a/b"}}.dump()};
        } else {
            items = {profile("def", "APPLICATION", {"us-east-1"}, "amazon.nova-lite-v1:0"),
                     profile("ghi", "APPLICATION", {"us-east-1", "eu-west-1"}, model)};
        }
        return Reply{200, Json{{"inferenceProfileSummaries", items}}.dump()};
    });
    const auto found = list_profiles(client(service.url()), "us-east-1", "", kGoOn);
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_EQ(found->size(), 5u);
    EXPECT_EQ(found->at(0).destinations, (std::vector<std::string>{"us-east-1", "us-west-2"}));
    EXPECT_EQ(found->at(1).destinations, (std::vector<std::string>{"", "us-east-1"}));
    const std::string arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/";
    EXPECT_EQ(application_aliases(*found),
              (std::map<std::string, std::string>{{arn + "abc", kSonnet},
                                                  {arn + "def", "amazon.nova-lite-v1:0"}}));
}

}  // namespace
}  // namespace weir::aws
