// The tier and the guardrail of the place a body goes to, and nothing else of it.
#include "bedrock/body_parts.h"

#include <gtest/gtest.h>

namespace weir::bedrock {
namespace {

TEST(BodyParts, ATierIsWrittenWhereTheOperationSaysIt) {
    EXPECT_EQ(with_tier(R"( {"messages":[]})", Operation::converse, "flex"),
              R"( {"serviceTier":{"type":"flex"},"messages":[]})");
    EXPECT_EQ(with_tier(R"({"model":"m"})", Operation::chat_completions, "priority"),
              R"({"service_tier":"priority","model":"m"})");
    EXPECT_EQ(with_tier("{}", Operation::responses, "default"), R"({"service_tier":"default"})");
    EXPECT_EQ(with_tier(R"({"max_tokens":1})", Operation::invoke, "flex"), R"({"max_tokens":1})");
    EXPECT_EQ(with_tier(R"({"service_tier":"auto"})", Operation::messages, "flex"),
              R"({"service_tier":"auto"})")
        << "on the Anthropic path that member is Anthropic's";
}

TEST(BodyParts, ATierReplacesTheClientsWhateverItIs) {
    EXPECT_EQ(with_tier(R"({"a":{"serviceTier":1}, "serviceTier" : {"type":"priority"} ,"b":2})",
                        Operation::converse_stream, "reserved"),
              R"({"a":{"serviceTier":1}, "serviceTier" : {"type":"reserved"} ,"b":2})");
    EXPECT_EQ(with_tier(R"({"service_tier": null , "x":[1]})", Operation::chat_completions, "flex"),
              R"({"service_tier": "flex" , "x":[1]})");
    EXPECT_EQ(with_tier(R"({"service_tier":["a",{"b":1}]})", Operation::responses, "flex"),
              R"({"service_tier":"flex"})");
    EXPECT_EQ(
        with_tier(R"({"service_tier":"a","service\u005ftier":"b"})", Operation::responses, "flex"),
        R"({"service_tier":"flex","service\u005ftier":"flex"})");
}

TEST(BodyParts, ABrokenBodyIsTheServicesToRefuse) {
    for (const char* broken : {"", "[]", "{", R"({"serviceTier":{"type")", R"({"a" 1})"}) {
        EXPECT_EQ(with_tier(broken, Operation::converse, "flex"), broken);
        EXPECT_EQ(with_guardrail(broken, "g"), broken);
    }
}

TEST(BodyParts, AGuardrailIsRenamedInItsPlace) {
    EXPECT_EQ(with_guardrail(
                  R"({"messages":[{"content":[{"text":"gr-a"}]}],"guardrailConfig":)"
                  R"({"guardrailVersion":"1", "guardrailIdentifier" : "gr-a","trace":"enabled"}})",
                  "gr-b"),
              R"({"messages":[{"content":[{"text":"gr-a"}]}],"guardrailConfig":)"
              R"({"guardrailVersion":"1", "guardrailIdentifier" : "gr-b","trace":"enabled"}})");
    EXPECT_EQ(with_guardrail(R"({"guardrailConfig":{}})", "g"), R"({"guardrailConfig":{}})");
    EXPECT_EQ(with_guardrail(R"({"messages":[]})", "g"), R"({"messages":[]})");
}

TEST(BodyParts, OpenAisPathsGoUnderEitherName) {
    EXPECT_EQ(with_api_path("/openai/v1/responses/resp_1?x=1", ApiPath::v1),
              "/v1/responses/resp_1?x=1");
    EXPECT_EQ(with_api_path("/v1/chat/completions", ApiPath::openai_v1),
              "/openai/v1/chat/completions");
    EXPECT_EQ(with_api_path("/v1/responses", ApiPath::v1), "/v1/responses");
    EXPECT_EQ(with_api_path("/openai/v1/responses", ApiPath::as_asked), "/openai/v1/responses");
    EXPECT_EQ(with_api_path("/anthropic/v1/messages", ApiPath::openai_v1),
              "/anthropic/v1/messages");
}

}  // namespace
}  // namespace weir::bedrock
