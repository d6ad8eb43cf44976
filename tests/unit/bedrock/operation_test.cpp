#include "bedrock/operation.h"

#include <gtest/gtest.h>

namespace weir::bedrock {
namespace {

TEST(Match, EveryInferencePath) {
    const auto is = [](std::string_view path, Operation op, std::string_view model) {
        const auto m = match("POST", path);
        EXPECT_EQ(m.operation, op) << path;
        EXPECT_EQ(m.model, model) << path;
    };
    is("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse", Operation::converse,
       "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    is("/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse-stream",
       Operation::converse_stream, "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    is("/model/m/invoke", Operation::invoke, "m");
    is("/model/m/invoke-with-response-stream", Operation::invoke_stream, "m");
    is("/model/m/count-tokens", Operation::count_tokens, "m");
    is("/model/m/converse?x=y", Operation::converse, "m");
}

TEST(Match, ArnsWithEscapedAndRawSlashes) {
    const std::string_view arn =
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    EXPECT_EQ(
        match(
            "POST",
            "/model/"
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/"
            "converse")
            .model,
        arn);
    EXPECT_EQ(match("POST", "/model/" + std::string(arn) + "/converse").model, arn);
}

TEST(Match, TheOtherOperations) {
    EXPECT_EQ(match("POST", "/guardrail/g1/version/DRAFT/apply").operation,
              Operation::apply_guardrail);
    EXPECT_EQ(match("POST", "/async-invoke").operation, Operation::start_async_invoke);
    EXPECT_EQ(match("GET", "/async-invoke?maxResults=3").operation, Operation::list_async_invokes);
    EXPECT_EQ(match("GET", "/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fx")
                  .operation,
              Operation::get_async_invoke);
    EXPECT_EQ(match("GET", "/inference-profiles").operation, Operation::control_plane);
    EXPECT_EQ(match("GET", "/inference-profiles/us.x").operation, Operation::control_plane);
    EXPECT_EQ(match("GET", "/foundation-models?byProvider=anthropic").operation,
              Operation::control_plane);
}

TEST(Match, WhatIsNotListedIsUnknown) {
    for (const auto* path : {"/",
                             "",
                             "/model",
                             "/model/",
                             "/model//converse",
                             "/model/m",
                             "/model/m/",
                             "/model/m/converse/",
                             "*",
                             "/model/../converse",
                             "/model/%2e%2e/converse",
                             "/model/a%00b/converse",
                             "/model/a%0ab/converse",
                             "/model/a%252Fb/converse",
                             "/model/a%2/converse",
                             "/model/a%zz/converse",
                             "/model/a//b/converse",
                             "/model/a/b/converse",
                             "/model/arn:aws:x/../y/converse",
                             "/model/m/invoke-with-bidirectional-stream",
                             "/guardrail/g/apply",
                             "/guardrail//version/1/apply",
                             "/guardrail/g/version/1/2/apply",
                             "/async-invoke/",
                             "/inference-profilesx",
                             "/openai/v1/chat/completions",
                             "http://x/model/m/converse"}) {
        EXPECT_EQ(match("POST", path).operation, Operation::unknown) << path;
        EXPECT_NE(match("GET", path).operation, Operation::converse) << path;
    }
    EXPECT_EQ(match("GET", "/model/m/converse").operation, Operation::unknown);
    EXPECT_EQ(match("DELETE", "/async-invoke").operation, Operation::unknown);
    EXPECT_EQ(match("POST", "/model/" + std::string(5000, 'a') + "/converse").operation,
              Operation::unknown);
}

TEST(ClientPrefix, SplitsOnlyAWholeName) {
    EXPECT_EQ(split_client_prefix("/@etl/model/m/converse").name, "etl");
    EXPECT_EQ(split_client_prefix("/@etl/model/m/converse").rest, "/model/m/converse");
    EXPECT_EQ(split_client_prefix("/model/m/converse").name, "");
    EXPECT_EQ(split_client_prefix("/@/model").rest, "/@/model");
    EXPECT_EQ(split_client_prefix("/@etl").rest, "/@etl");
}

TEST(WithModel, EncodesExactlyOnce) {
    const std::string target = "/model/us.a%3A0/converse?x=1";
    const auto m = match("POST", target);
    EXPECT_EQ(with_model(target, m.raw_model, "us.b-v1:0"), "/model/us.b-v1%3A0/converse?x=1");
    EXPECT_EQ(with_model(target, m.raw_model, "arn:aws:x/y"),
              "/model/arn%3Aaws%3Ax%2Fy/converse?x=1");
}

}  // namespace
}  // namespace weir::bedrock
