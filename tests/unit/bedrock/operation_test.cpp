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
                             "/guardrail/g/apply",
                             "/guardrail//version/1/apply",
                             "/guardrail/g/version/1/2/apply",
                             "/async-invoke/",
                             "/inference-profilesx",
                             "/openai/v1/chat/completions/",
                             "/openai/chat/completions",
                             "/openai/v1/models",
                             "/v1/completions",
                             "/v1/responsesx",
                             "/v1/responses/",
                             "/v1/responses/a/b",
                             "/v1/responses//cancel",
                             "/v1/responses/%2e%2e/cancel",
                             "/anthropic/v1/messages/batches",
                             "/anthropic/v1/../v1/messages",
                             "http://x/model/m/converse"}) {
        EXPECT_EQ(match("POST", path).operation, Operation::unknown) << path;
        EXPECT_NE(match("GET", path).operation, Operation::converse) << path;
    }
    EXPECT_EQ(match("GET", "/model/m/converse").operation, Operation::unknown);
    EXPECT_EQ(match("DELETE", "/async-invoke").operation, Operation::unknown);
    EXPECT_EQ(match("POST", "/model/" + std::string(5000, 'a') + "/converse").operation,
              Operation::unknown);
}

TEST(Match, ThePathsOfOtherSdks) {
    for (const std::string prefix : {"/openai/v1", "/v1"}) {
        EXPECT_EQ(match("POST", prefix + "/chat/completions").operation,
                  Operation::chat_completions);
        EXPECT_EQ(match("POST", prefix + "/responses?x=1").operation, Operation::responses);
        EXPECT_EQ(match("GET", prefix + "/responses").operation, Operation::unknown);
        EXPECT_EQ(match("GET", prefix + "/chat/completions").operation, Operation::unknown);
        for (const auto& [method, tail] :
             {std::pair{"GET", ""}, std::pair{"DELETE", "?a=b"},
              std::pair{"GET", "/input_items?limit=3"}, std::pair{"POST", "/cancel"}}) {
            const std::string path = prefix + "/responses/resp_01-A" + tail;
            const auto found = match(method, path);
            EXPECT_EQ(found.operation, Operation::stored_response) << method << path;
            EXPECT_EQ(found.response, "resp_01-A") << method << path;
        }
    }
    EXPECT_EQ(match("POST", "/anthropic/v1/messages").operation, Operation::messages);
    EXPECT_EQ(match("POST", "/anthropic/v1/messages?beta=true").operation, Operation::messages);
    EXPECT_EQ(match("POST", "/model/m/invoke-with-bidirectional-stream").operation,
              Operation::bidirectional_stream);
}

TEST(Match, WhatIsPassedOnToOtherHosts) {
    EXPECT_EQ(match("POST", "/rerank").operation, Operation::rerank);
    EXPECT_EQ(match("POST", "/guardrail-checks/invoke").operation, Operation::guardrail_checks);
    EXPECT_EQ(match("POST", "/model-invocation-job").operation, Operation::create_invocation_job);
    EXPECT_EQ(match("GET", "/model-invocation-jobs?maxResults=2").operation,
              Operation::list_invocation_jobs);
    const auto job = match("GET", "/model-invocation-job/arn%3Aaws%3Ax%2Fjob1");
    EXPECT_EQ(job.operation, Operation::get_invocation_job);
    EXPECT_EQ(job.item, "arn:aws:x/job1");
    const auto stop = match("POST", "/model-invocation-job/job1/stop");
    EXPECT_EQ(stop.operation, Operation::stop_invocation_job);
    EXPECT_EQ(stop.item, "job1");
    EXPECT_EQ(match("GET", "/async-invoke/arn%3Aaws%3Ay").item, "arn:aws:y");
    EXPECT_EQ(match("GET", "/inference-profiles/us.x").item, "us.x");
    EXPECT_EQ(match("POST", "/guardrail/arn%3Aaws%3Az/version/1/apply").item, "arn:aws:z");
    for (const auto& [method, path] :
         {std::pair{"GET", "/rerank"}, std::pair{"POST", "/rerank/x"},
          std::pair{"GET", "/guardrail-checks/invoke"}, std::pair{"POST", "/guardrail-checks"},
          std::pair{"POST", "/model-invocation-jobs"}, std::pair{"GET", "/model-invocation-job"},
          std::pair{"POST", "/model-invocation-job/x"},
          std::pair{"POST", "/model-invocation-job/stop"},
          std::pair{"DELETE", "/model-invocation-job/x"},
          std::pair{"GET", "/model-invocation-job/"},
          std::pair{"POST", "/model-invocation-job//stop"},
          std::pair{"GET", "/model-invocation-jobx/y"}, std::pair{"GET", "/async-invokes"},
          std::pair{"POST", "/inference-profiles"}}) {
        EXPECT_EQ(match(method, path).operation, Operation::unknown) << method << path;
    }
}

TEST(Match, ModelsAreListedOnThreePaths) {
    for (const std::string prefix : {"", "/openai", "/anthropic"}) {
        EXPECT_EQ(match("GET", prefix + "/v1/models?limit=5").operation, Operation::list_models);
        EXPECT_EQ(match("GET", prefix + "/v1/models/us.x%3A0").item, "us.x:0");
        EXPECT_EQ(match("GET", prefix + "/v1/models/us.x:0").operation, Operation::get_model);
        EXPECT_EQ(match("POST", prefix + "/v1/models").operation, Operation::unknown);
        EXPECT_EQ(match("GET", prefix + "/v1/models/").operation, Operation::unknown);
        EXPECT_EQ(match("GET", prefix + "/v1/modelsx").operation, Operation::unknown);
    }
    EXPECT_EQ(match("POST", "/anthropic/v1/messages/count_tokens?beta=true").operation,
              Operation::count_message_tokens);
    EXPECT_EQ(match("GET", "/anthropic/v1/messages/count_tokens").operation, Operation::unknown);
}

TEST(Match, DialectsGoByThePathAlone) {
    EXPECT_EQ(dialect_of("/openai/v1/nothing"), Dialect::openai);
    EXPECT_EQ(dialect_of("/v1/models"), Dialect::openai);
    EXPECT_EQ(dialect_of("/anthropic/v1/x"), Dialect::anthropic);
    EXPECT_EQ(dialect_of("/model/m/converse"), Dialect::aws);
    EXPECT_EQ(dialect_of("/openaix"), Dialect::aws);
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
