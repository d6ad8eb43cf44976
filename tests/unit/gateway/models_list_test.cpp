#include "gateway/models_list.h"
#include "gateway/client_scope.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using Models = std::vector<std::string_view>;

Config config() {
    Config c;
    RouteConfig east;
    east.model = "us.anthropic.sonnet";
    east.targets.resize(2);
    east.targets[0].region = "us-east-1";
    east.targets[1].region = "us-west-2";
    RouteConfig europe;
    europe.model = "eu.amazon.nova";
    europe.targets.resize(1);
    europe.targets[0].region = "eu-west-1";
    c.routes = {east, europe};
    QuotaConfig quota;
    quota.models = {"us.anthropic.sonnet", "amazon.titan"};
    QuotaConfig west;
    west.models = {"meta.llama"};
    west.region = "us-west-2";
    QuotaConfig mantle;
    mantle.models = {"anthropic.sonnet"};
    mantle.endpoint = Endpoint::mantle;
    c.quotas = {quota, west, mantle};
    return c;
}

TEST(ModelsList, IsWhatIsConfiguredAndTheClientMayUse) {
    const auto c = config();
    EXPECT_EQ(models_for(c, nullptr),
              (Models{"us.anthropic.sonnet", "eu.amazon.nova", "amazon.titan", "meta.llama"}));
    ClientConfig client;
    EXPECT_EQ(models_for(c, &client).size(), 4U);
    client.models = {"*amazon*"};
    EXPECT_EQ(models_for(c, &client), (Models{"eu.amazon.nova", "amazon.titan"}));
    client.regions = {"us-east-1"};
    EXPECT_EQ(models_for(c, &client), (Models{"amazon.titan"}));
    client.models.clear();
    EXPECT_EQ(models_for(c, &client), (Models{"us.anthropic.sonnet", "amazon.titan"}));
}

TEST(ModelsList, SpeaksBothDialects) {
    using bedrock::Dialect;
    EXPECT_EQ(models_body(Dialect::openai, {}), R"({"object":"list","data":[]})");
    EXPECT_EQ(models_body(Dialect::openai, {"us.anthropic.x", "plain"}),
              R"({"object":"list","data":[)"
              R"({"id":"us.anthropic.x","object":"model","created":0,"owned_by":"anthropic"},)"
              R"({"id":"plain","object":"model","created":0,"owned_by":"amazon-bedrock"}]})");
    EXPECT_EQ(models_body(Dialect::anthropic, {}),
              R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
    EXPECT_EQ(models_body(Dialect::anthropic, {"a"}),
              R"({"data":[{"type":"model","id":"a","display_name":"a",)"
              R"("created_at":"1970-01-01T00:00:00Z"}],)"
              R"("has_more":false,"first_id":"a","last_id":"a"})");
}

TEST(ClientScope, NamesAliasesAndArns) {
    Config config;
    config.aliases["quick"] = "us.amazon.nova";
    ClientConfig client;
    EXPECT_TRUE(may_use_model(config, nullptr, "x", "x"));
    EXPECT_TRUE(may_use_model(config, &client, "x", "x"));
    client.models = {"us.anthropic.*"};
    EXPECT_TRUE(may_use_model(config, &client, "fast", "us.anthropic.haiku"))
        << "by what it stands for";
    EXPECT_FALSE(may_use_model(config, &client, "anthropic.haiku", "anthropic.haiku"));
    EXPECT_FALSE(
        may_use_model(config, &client, "global.anthropic.haiku", "global.anthropic.haiku"));
    client.models = {"anthropic.*"};
    EXPECT_FALSE(may_use_model(config, &client, "us.anthropic.haiku", "us.anthropic.haiku"))
        << "a profile is another model than the one behind it";
    client.models = {"quick"};
    EXPECT_TRUE(may_use_model(config, &client, "quick", "us.amazon.nova"));
    EXPECT_TRUE(may_use_model(config, &client, "us.amazon.nova", "us.amazon.nova"));
    client.models = {"us.anthropic.*"};
    EXPECT_TRUE(may_read_model(config, &client, "anthropic.haiku", "anthropic.haiku"));
    EXPECT_FALSE(may_read_model(config, &client, "amazon.nova", "amazon.nova"));
    EXPECT_TRUE(may_use_region(&client, "us-east-1"));
    client.regions = {"eu-west-1"};
    EXPECT_FALSE(may_use_region(&client, "us-east-1"));
    EXPECT_TRUE(may_use_region(&client, "eu-west-1"));
}

}  // namespace
}  // namespace weir::gateway
