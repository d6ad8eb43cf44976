#include "bedrock/passed_body.h"

#include "codec/base64.h"

#include <gtest/gtest.h>

namespace weir::bedrock {
namespace {

std::string model(Operation operation, std::string body) {
    const auto found = model_to_run(operation, body);
    return found ? *found : "error: " + found.error().message;
}

TEST(ModelToRun, IsReadWhereTheOperationSaysIt) {
    EXPECT_EQ(model(Operation::start_async_invoke,
                    R"({"modelInput":{"modelId":"not this"},"modelId":"amazon.nova-reel-v1:0"})"),
              "amazon.nova-reel-v1:0");
    EXPECT_EQ(model(Operation::create_invocation_job, R"({"modelId":"a\u002eb"})"), "a.b");
    EXPECT_EQ(model(Operation::rerank,
                    R"({"queries":[],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL",
                  "bedrockRerankingConfiguration":{"numberOfResults":1,
                  "modelConfiguration":{"modelArn":"arn:aws:bedrock:us-east-1::x/y"}}},"sources":[]})"),
              "arn:aws:bedrock:us-east-1::x/y");
}

TEST(ModelToRun, WhatIsNotClearIsAnError) {
    for (const char* body :
         {"", "[]", "{", "{}", R"({"modelId":1})", R"({"modelId":""})", R"({"modelId":"a b"})",
          R"({"modelId":"a","modelId":"b"})", R"({"modelId":"a","model\u0049d":"b"})",
          R"({"modelId":"a"} {"modelId":"b"})"}) {
        EXPECT_TRUE(model(Operation::start_async_invoke, body).starts_with("error")) << body;
    }
    for (const char* body :
         {R"({"rerankingConfiguration":{}})", R"({"rerankingConfiguration":"x"})",
          R"({"rerankingConfiguration":{"bedrockRerankingConfiguration":{"modelConfiguration":
             {"modelArn":"a"}}},"rerankingConfiguration":{"bedrockRerankingConfiguration":
             {"modelConfiguration":{"modelArn":"b"}}}})"}) {
        EXPECT_TRUE(model(Operation::rerank, body).starts_with("error")) << body;
    }
}

TEST(MadeArn, IsReadFromTheAnswer) {
    std::string async = R"({"invocationArn":"arn:aws:bedrock:r:1:async-invoke/x"})";
    EXPECT_EQ(made_arn(Operation::start_async_invoke, async), "arn:aws:bedrock:r:1:async-invoke/x");
    std::string job = R"({"jobArn":"arn:j"})";
    EXPECT_EQ(made_arn(Operation::create_invocation_job, job), "arn:j");
    std::string page = "<html>";
    EXPECT_EQ(made_arn(Operation::create_invocation_job, page), "");
}

std::string inner_of(std::string messages, std::string_view betas = {}) {
    const auto body = count_tokens_body(messages, betas);
    if (!body) {
        return "error";
    }
    constexpr std::string_view kHead = R"({"input":{"invokeModel":{"body":")";
    EXPECT_TRUE(body->starts_with(kHead)) << *body;
    EXPECT_TRUE(body->ends_with("\"}}}")) << *body;
    std::string inner;
    codec::append_base64_decoded(inner, std::string_view(*body).substr(kHead.size()));
    return inner;
}

TEST(CountTokensBody, IsAnInvokeModelBody) {
    EXPECT_EQ(inner_of(R"({"model":"m","stream":true,"messages":[{"role":"user"}], "n" : 1})"),
              R"({"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user"}],"n":1,)"
              R"("max_tokens":1})");
    EXPECT_EQ(inner_of(R"({"max_tokens":5,"anthropic_version":"x"})", " a ,, b\""),
              R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":5,)"
              R"("anthropic_beta":["a","b\""]})");
    EXPECT_EQ(
        inner_of(R"({"max_tokens":5,"anthropic_beta":["mine"]})", "a"),
        R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"anthropic_beta":["mine"]})");
    for (const char* broken : {"", "[]", "{", R"({"a":[})"}) {
        EXPECT_EQ(inner_of(broken), "error") << broken;
    }
    for (std::size_t n = 0; n < 7; ++n) {  // every length of base64's last group
        const auto text = inner_of(R"({"max_tokens":5,"a":")" + std::string(n, 'x') + "\"}");
        EXPECT_TRUE(text.ends_with(",\"a\":\"" + std::string(n, 'x') + "\"}")) << text;
    }
}

TEST(AnthropicCount, IsBedrocksUnderAnotherName) {
    std::string answer = R"({"inputTokens": 17})";
    EXPECT_EQ(anthropic_count(answer), R"({"input_tokens":17})");
    std::string other = R"({"message":"no"})";
    EXPECT_EQ(anthropic_count(other), R"({"message":"no"})");
}

}  // namespace
}  // namespace weir::bedrock
