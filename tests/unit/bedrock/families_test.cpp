// What the body languages have of their own: media, places of the maximum, streams, error names.
#include "bedrock/answer.h"
#include "bedrock/model_data.h"
#include "bedrock/request.h"

#include <gtest/gtest.h>

#include <openssl/evp.h>

namespace weir::bedrock {
namespace {

RequestFacts facts_of(Operation operation, Family family, std::string body) {
    RequestReader reader;
    const auto facts = reader.read(operation, "m", family, body);
    EXPECT_TRUE(facts) << body;
    return facts.value_or(RequestFacts());
}

std::string changed(Operation operation, Family family, const std::string& body) {
    return with_max_output(body, facts_of(operation, family, body), operation, family, 77);
}

TEST(Families, RegionBoundParts) {
    const auto bound = [](std::string body) {
        return facts_of(Operation::converse, Family::nova, std::move(body)).region_bound;
    };
    EXPECT_TRUE(bound(R"({"guardrailConfig":{"guardrailIdentifier":7},"messages":[]})"));
    EXPECT_TRUE(bound(
        R"({"messages":[{"content":[{"video":{"source":{"s3Location":{"uri":"s3://b/k"}}}}]}]})"));
    EXPECT_TRUE(bound(
        R"({"messages":[{"content":[{"document":{"format":"pdf","source":{"s3Location":{}}}}]}]})"));
    EXPECT_TRUE(
        bound(R"({"promptVariables":{"x":{"ref":"arn:aws:bedrock:us-east-1:1:prompt/P"}}})"));
    EXPECT_FALSE(bound(R"({"messages":[{"content":[{"text":"arn:aws:s3:::b is an ARN"}]}]})"));
}

TEST(Families, AnthropicSourcesCountByWhatTheyAre) {
    const auto estimate = [](std::string_view type, std::string_view data) {
        return facts_of(Operation::invoke, Family::anthropic,
                        R"({"messages":[{"content":[{"source":{"type":"base64","media_type":")" +
                            std::string(type) + R"(","data":")" + std::string(data) + R"("}}]}]})")
            .input_estimate;
    };
    const std::string large(400'000, 'A');
    EXPECT_NEAR(static_cast<double>(estimate("image/png", large)), 1'612, 20);
    EXPECT_NEAR(static_cast<double>(estimate("application/pdf", large)), 10'512, 100);
    EXPECT_GT(estimate("text/plain", large), 50'000U);
}

TEST(Families, MaximumGoesWhereItBelongs) {
    using enum Operation;
    EXPECT_EQ(changed(converse, Family::nova, R"({"inferenceConfig":null})"),
              R"({"inferenceConfig":{"maxTokens":77}})");
    EXPECT_EQ(changed(converse, Family::nova, R"({"inferenceConfig":{}})"),
              R"({"inferenceConfig":{"maxTokens":77}})");
    EXPECT_EQ(changed(converse, Family::nova, R"({"inferenceConfig":{"topP":1}})"),
              R"({"inferenceConfig":{"maxTokens":77,"topP":1}})");
    EXPECT_EQ(changed(invoke, Family::titan, R"({"inputText":"x"})"),
              R"({"textGenerationConfig":{"maxTokenCount":77},"inputText":"x"})");
    EXPECT_EQ(changed(invoke, Family::anthropic, R"({"max_tokens":"9"})"), R"({"max_tokens":77})");
    EXPECT_EQ(
        changed(chat_completions, Family::openai, R"({"max_tokens":1,"max_completion_tokens":9})"),
        R"({"max_tokens":77,"max_completion_tokens":77})");
    // A body in no known language stays as it is.
    EXPECT_EQ(changed(invoke, Family::unknown, R"({"x":1})"), R"({"x":1})");
}

codec::EventMessage chunk(std::string& payload, const std::string& json) {
    std::string base64(4 * (json.size() / 3 + 1) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                     reinterpret_cast<const unsigned char*>(json.data()),
                                     static_cast<int>(json.size()));
    base64.resize(static_cast<std::size_t>(size));
    payload = R"({"bytes":")" + base64 + R"(","p":"abcdefgh"})";
    codec::EventMessage message;
    message.headers = {{":message-type", std::string_view("event")},
                       {":event-type", std::string_view("chunk")}};
    message.payload = payload;
    return message;
}

TEST(Families, StreamsOfEveryFamilyEndWithTheirUsage) {
    using Kind = StreamWatcher::Kind;
    const std::string metrics =
        R"("amazon-bedrock-invocationMetrics":{"inputTokenCount":8,"outputTokenCount":6}})";
    const std::vector<std::pair<std::vector<std::string>, std::vector<Kind>>> streams = {
        {{R"({"messageStart":{"role":"assistant"}})",
          R"({"contentBlockDelta":{"delta":{"text":"hi"}}})",
          R"({"messageStop":{"stopReason":"end_turn"}})",
          R"({"metadata":{"usage":{"inputTokens":8,"outputTokens":6}},)" + metrics},
         {Kind::preamble, Kind::content, Kind::end, Kind::metadata}},
        {{R"({"generation":"a","prompt_token_count":8,"generation_token_count":1,"stop_reason":null})",
          R"({"generation":"","prompt_token_count":null,"generation_token_count":6,"stop_reason":"stop",)" +
              metrics},
         {Kind::content, Kind::content}},
        {{R"({"outputText":"a","completionReason":null})",
          R"({"outputText":"b","completionReason":"FINISH","totalOutputTextTokenCount":6,"inputTextTokenCount":8})"},
         {Kind::content, Kind::content}},
        {{R"({"outputs":[{"text":"a","stop_reason":null}]})",
          R"({"outputs":[{"text":")" + std::string(9'000, 'x') + R"(","stop_reason":"stop"}],)" +
              metrics},
         {Kind::content, Kind::content}},
        {{R"({"choices":[{"delta":{"content":"a"},"finish_reason":null}]})",
          R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":6}})"},
         {Kind::content, Kind::content}},
    };
    for (const auto& [events, kinds] : streams) {
        SCOPED_TRACE(events[0]);
        StreamWatcher watcher(Operation::invoke_stream);
        std::string payload;
        for (std::size_t i = 0; i < events.size(); ++i) {
            EXPECT_FALSE(watcher.usage().known);
            EXPECT_EQ(watcher.on_event(chunk(payload, events[i])), kinds[i]);
        }
        EXPECT_TRUE(watcher.ended());
        EXPECT_TRUE(watcher.usage().known);
        EXPECT_EQ(watcher.usage().input, 8U);
        EXPECT_EQ(watcher.usage().output, 6U);
    }
}

TEST(Families, AStreamCutOffKnowsItsInputAndEstimatesItsOutput) {
    StreamWatcher watcher(Operation::invoke_stream);
    std::string payload;
    watcher.on_event(chunk(
        payload,
        R"({"type":"message_start","message":{"usage":{"input_tokens":11,"output_tokens":1}}})"));
    for (int i = 0; i < 10; ++i) {
        watcher.on_event(chunk(
            payload,
            R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some forty letters of an answer's text"}})"));
    }
    EXPECT_FALSE(watcher.usage().known);
    EXPECT_FALSE(watcher.ended());
    EXPECT_EQ(watcher.usage().input, 11U);
    EXPECT_NEAR(static_cast<double>(watcher.usage().output), 90, 40);
}

TEST(Families, SignatureErrorsAreTheCredentials) {
    for (const auto* type :
         {"ExpiredTokenException", "ExpiredToken", "InvalidSignatureException",
          "SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidClientTokenId",
          "IncompleteSignatureException", "RequestTimeTooSkewed"}) {
        EXPECT_EQ(classify(403, type, ""), FailureClass::credentials) << type;
    }
    EXPECT_EQ(classify(400, "RequestExpired", ""), FailureClass::credentials);
    EXPECT_EQ(classify(403, "AccessDeniedException", "token expired"), FailureClass::caller);
    EXPECT_EQ(classify(404, "UnknownOperationException", ""), FailureClass::caller);
}

TEST(Families, TheTableKnowsItsGenerations) {
    const ModelTable table = builtin_models();
    EXPECT_EQ(table.facts("us.anthropic.claude-sonnet-4-5-20250929-v1:0").output_burndown, 5U);
    EXPECT_EQ(table.facts("anthropic.claude-3-5-sonnet-20241022-v2:0").output_burndown, 1U);
    EXPECT_EQ(table.facts("global.anthropic.claude-opus-4-8").output_burndown, 15U);
    EXPECT_EQ(table.facts("jp.anthropic.claude-opus-5-5").output_burndown, 10U);
    EXPECT_EQ(table.facts("anthropic.claude-opus-4-1-20250805-v1:0").max_output, 32'000U);
    EXPECT_EQ(table.facts("openai.gpt-oss-120b-1:0").output_burndown, 1U);
    EXPECT_EQ(table.facts("us.meta.llama3-3-70b-instruct-v1:0").family, Family::llama);
    EXPECT_FALSE(table.facts("somebody.else-1").known);
}

}  // namespace
}  // namespace weir::bedrock
