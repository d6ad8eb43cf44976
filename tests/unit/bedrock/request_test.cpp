#include "bedrock/request.h"
#include "bedrock/model_data.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

namespace weir::bedrock {
namespace {

Result<RequestFacts> read(std::string body, Operation op = Operation::converse,
                          Family family = Family::anthropic) {
    RequestReader reader;
    return reader.read(op, "m", family, body);
}

TEST(Request, MaximumOfEveryFamily) {
    EXPECT_EQ(read(R"({"messages":[],"inferenceConfig":{"temperature":0.5,"maxTokens":512}})")
                  ->max_output,
              512);
    const auto invoke = [](std::string body, Family f) {
        return read(std::move(body), Operation::invoke, f)->max_output;
    };
    EXPECT_EQ(invoke(R"({"max_tokens": 100 ,"messages":[]})", Family::anthropic), 100);
    EXPECT_EQ(invoke(R"({"inferenceConfig":{"max_new_tokens":7}})", Family::nova), 7);
    EXPECT_EQ(
        invoke(R"({"inputText":"x","textGenerationConfig":{"maxTokenCount":8}})", Family::titan),
        8);
    EXPECT_EQ(invoke(R"({"prompt":"x","max_gen_len":9})", Family::llama), 9);
    EXPECT_EQ(invoke(R"({"max_completion_tokens":11})", Family::openai), 11);
    EXPECT_EQ(invoke(R"({"prompt":"x"})", Family::unknown), std::nullopt);
}

TEST(Request, UnusableMaximaAreLeftToTheService) {
    for (const auto* number : {"-1", "-0.5", "1e999", "1e10", "0x10", "1.5x", "\"4096\"", "null",
                               "true", "[]", "{}", "18446744073709551616"}) {
        const auto facts = read(std::string(R"({"max_tokens":)") + number + "}", Operation::invoke);
        ASSERT_TRUE(facts) << number;
        EXPECT_EQ(facts->max_output, std::nullopt) << number;
    }
}

TEST(Request, AMaximumMayBeWrittenAsAnyNumber) {
    for (const auto& [number, value] :
         std::map<std::string, std::uint64_t>{{"64000.0", 64'000},
                                              {"6.4e4", 64'000},
                                              {"64E+3", 64'000},
                                              {"64000.2", 64'001},
                                              {"0", 0},
                                              {"0.5", 1},
                                              {"1e9", 1'000'000'000}}) {
        const std::string body = R"({"inferenceConfig":{"maxTokens":)" + number + "}}";
        const auto facts = read(body);
        ASSERT_TRUE(facts) << number;
        EXPECT_EQ(facts->max_output, value) << number;
        EXPECT_EQ(with_max_output(body, *facts, Operation::converse, Family::anthropic, 50),
                  R"({"inferenceConfig":{"maxTokens":50}})");
    }
}

TEST(Request, AMaximumStandsOnce) {
    const auto complaint = [](std::string body, Operation op = Operation::converse,
                              Family family = Family::anthropic) {
        const auto facts = read(std::move(body), op, family);
        return facts ? "" : facts.error().message;
    };
    const std::string twice = "The request body has `maxTokens` more than once.";
    EXPECT_EQ(complaint(R"({"inferenceConfig":{"maxTokens":5,"maxTokens":64000.0}})"), twice);
    EXPECT_EQ(complaint(R"({"inferenceConfig":{"maxTokens":5,"max\u0054okens":64000}})"), twice);
    EXPECT_EQ(complaint(R"({"inferenceConfig":{"maxTokens":5,"maxTokens":null}})"), twice);
    EXPECT_NE(complaint(R"({"inferenceConfig":{"maxTokens":5},"inferenceConfig":{}})"), "");
    EXPECT_NE(complaint(R"({"inferenceConfig":{"maxTokens":5},"inferenceConfig":null})"), "");
    using enum Operation;
    for (const auto& [body, op, family] :
         std::initializer_list<std::tuple<const char*, Operation, Family>>{
             {R"({"max_tokens":1,"max_tokens":4096})", invoke, Family::anthropic},
             {R"({"max_tokens":1,"max_tokens":4096})", messages, Family::anthropic},
             {R"({"max_output_tokens":1,"max_output_tokens":2})", responses, Family::openai},
             {R"({"max_completion_tokens":1,"max_completion_tokens":2})", chat_completions,
              Family::openai},
             {R"({"max_gen_len":1,"max_gen_len":2})", invoke_stream, Family::llama},
             {R"({"textGenerationConfig":{"maxTokenCount":1,"maxTokenCount":2}})", invoke,
              Family::titan}}) {
        EXPECT_NE(complaint(body, op, family).find("more than once"), std::string::npos) << body;
    }
    EXPECT_EQ(read(R"({"max_tokens":4096,"max_completion_tokens":1})", Operation::chat_completions)
                  ->max_output,
              4096);
}

TEST(Request, WhatTheServiceMayMakeANumberOfIsNotTakenForSmall) {
    // A cap has to rewrite these: the engine takes an unset maximum for the model's own.
    for (const char* body : {R"({"max_tokens":5,"max_completion_tokens":"64000"})",
                             R"({"max_completion_tokens":[1],"max_tokens":5})"}) {
        const auto facts = read(body, Operation::chat_completions, Family::openai);
        ASSERT_TRUE(facts);
        EXPECT_EQ(facts->max_output, std::nullopt) << body;
        EXPECT_EQ(facts->max_output_size, 0U);
    }
    const std::string body = R"({"max_tokens":5,"max_completion_tokens":"64000"})";
    EXPECT_EQ(with_max_output(body, *read(body, Operation::chat_completions, Family::openai),
                              Operation::chat_completions, Family::openai, 50),
              R"({"max_tokens":50,"max_completion_tokens":50})");
}

TEST(Request, AMaximumAmongTheAdditionalFieldsCountsAndIsCapped) {
    const auto capped = [](const std::string& body) {
        return with_max_output(body, *read(body), Operation::converse, Family::anthropic, 50);
    };
    const std::string both =
        R"({"additionalModelRequestFields":{"max_tokens":64000,"x":1},"inferenceConfig":{"maxTokens":5}})";
    EXPECT_EQ(read(both)->max_output, 64'000);
    EXPECT_EQ(
        capped(both),
        R"({"additionalModelRequestFields":{"max_tokens":50,"x":1},"inferenceConfig":{"maxTokens":50}})");
    const std::string nested =
        R"({"additionalModelRequestFields":{"inferenceConfig":{"maxTokens":9,"topK":1}},"inferenceConfig":{"maxTokens":5}})";
    EXPECT_EQ(read(nested)->max_output, 9);
    EXPECT_EQ(
        capped(nested),
        R"({"additionalModelRequestFields":{"inferenceConfig":{"maxTokens":50,"topK":1}},"inferenceConfig":{"maxTokens":50}})");
    const std::string odd =
        R"({"additionalModelRequestFields":{"max_tokens":[1]},"inferenceConfig":{"maxTokens":64000}})";
    EXPECT_EQ(
        capped(odd),
        R"({"additionalModelRequestFields":{"max_tokens":[1]},"inferenceConfig":{"maxTokens":50}})");
    const std::string alone = R"({"additionalModelRequestFields":{"max_tokens":64000}})";
    EXPECT_EQ(read(alone)->max_output, std::nullopt);
    EXPECT_EQ(
        capped(alone),
        R"({"inferenceConfig":{"maxTokens":50},"additionalModelRequestFields":{"max_tokens":50}})");
}

TEST(Request, OnlyAnObjectIsARequest) {
    for (const auto* body : {"", " ", "[]", "1", "null", "\"x\"", "{", "{\"a\":", "{\"a\":1",
                             "{\"a\":1}}", "{} {}", "{\"messages\":[{}", "\xff\xfe", "{\"a\" 1}"}) {
        EXPECT_FALSE(read(body)) << body;
    }
    EXPECT_TRUE(read("{}"));
    EXPECT_TRUE(read("  {\"messages\":[]}\n"));
}

TEST(Request, RegionBoundParts) {
    EXPECT_FALSE(
        read(R"({"messages":[{"role":"user","content":[{"text":"s3Location arn:aws:x"}]}]})")
            ->region_bound);
    EXPECT_FALSE(
        read(R"({"messages":[],"guardrailConfig":{"guardrailIdentifier":"g"}})")->region_bound)
        << "it has a name, so that another may stand for it";
    EXPECT_TRUE(
        read(
            R"({"messages":[{"content":[{"video":{"source":{"s3Location":{"uri":"s3://b/k"}}}}]}]})")
            ->region_bound);
}

TEST(Request, AGuardrailsNameIsFoundWhereItStandsOnceAndPlainly) {
    const auto name_in = [](const std::string& body) {
        const auto facts = read(body);
        EXPECT_TRUE(facts->guarded) << body;
        EXPECT_EQ(facts->region_bound, facts->guardrail_size == 0) << body;
        return body.substr(facts->guardrail_at, facts->guardrail_size);
    };
    EXPECT_EQ(name_in(R"({"guardrailConfig":{"trace":"enabled","guardrailIdentifier": "gr-1" }})"),
              "gr-1");
    EXPECT_EQ(name_in(R"({"guardrailConfig":{"guardrailIdentifier":"a","guardrailVersion":"1"},)"
                      R"("messages":[{"content":[{"text":"guardrailIdentifier"}]}]})"),
              "a");
    for (const char* unclear :
         {R"({"guardrailConfig":{}})", R"({"guardrailConfig":null})",
          R"({"guardrailConfig":{"guardrailIdentifier":7}})",
          R"({"guardrailConfig":{"guardrailIdentifier":""}})",
          R"({"guardrailConfig":{"guardrailIdentifier":"a\u0062"}})",
          R"({"guardrailConfig":{"guardrailIdentifier":"a","guardrailIdentifier":"b"}})"}) {
        EXPECT_EQ(name_in(unclear), "") << unclear;
    }
    const auto twice = read(R"({"guardrailConfig":{"guardrailIdentifier":"a"},)"
                            R"("guardrailConfig":{"guardrailIdentifier":"b"}})");
    EXPECT_TRUE(twice->region_bound) << "which of the two holds is not known";
    const auto by_header = read(R"({"amazon-bedrock-guardrailConfig":{"tagSuffix":"x"}})");
    EXPECT_TRUE(by_header->guarded && !by_header->region_bound);
    EXPECT_FALSE(read(R"({"messages":[]})")->guarded);
}

TEST(Request, DepthAndSizeDoNotHurt) {
    std::string deep = R"({"messages":)";
    deep.append(1'000'000, '[');
    EXPECT_FALSE(read(deep));
    deep.append(1'000'000, ']').append("}");
    const auto closed = read(deep);  // either verdict: it must come
    EXPECT_TRUE(closed || !closed.error().message.empty());
    std::string large = R"({"messages":[{"role":"user","content":[{"text":")" +
                        std::string(32 << 20, 'a') + R"("}]}]})";
    const auto facts = read(large);
    ASSERT_TRUE(facts);
    EXPECT_GT(facts->input_estimate, 1'000'000U);
}

TEST(Request, ImagesCountByTheirRuleAndNotByTheirBytes) {
    const std::string bytes(400'000, 'A');
    const auto facts = read(
        R"({"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":")" +
        bytes + R"("}}},{"text":"what is this?"}]}]})");
    EXPECT_GT(facts->input_estimate, 1'500U);
    EXPECT_LT(facts->input_estimate, 1'800U);
    const auto document = read(R"({"messages":[{"content":[{"document":{"source":{"bytes":")" +
                               bytes + R"("}}}]}]})");
    EXPECT_GT(document->input_estimate, 50'000U);
}

TEST(Request, EstimatesAreNearWhatTokenizersSay) {
    const auto near = [](std::string_view text, double low, double high) {
        const auto tokens = estimate_tokens(text);
        EXPECT_GE(tokens, low) << text;
        EXPECT_LE(tokens, high) << text;
    };
    // Bounds: counts of public tokenizers of 100,000 to 200,000 pieces, with room on both sides.
    near(
        "The quick brown fox jumps over the lazy dog and runs into the quiet forest before sunset.",
        16, 24);
    near("for (int i = 0; i < n; ++i) { sum += values[i] * weights[i]; }", 18, 38);
    near(R"({"id": 12345, "name": "widget", "price": 19.99, "tags": ["a", "b"]})", 20, 45);
    near("今天天气很好,我们去公园散步吧。", 10, 24);
}

TEST(WithMaxOutput, ChangesOnlyTheNumber) {
    std::string body = R"({"messages":[],"inferenceConfig":{"maxTokens": 64000 ,"topP":1}})";
    const auto facts = read(body);
    EXPECT_EQ(with_max_output(body, *facts, Operation::converse, Family::anthropic, 4096),
              R"({"messages":[],"inferenceConfig":{"maxTokens": 4096 ,"topP":1}})");
}

TEST(WithMaxOutput, AddsTheMemberWhereThereWasNone) {
    const auto put = [](const std::string& body, Operation op, Family family) {
        const auto facts = read(body, op, family);
        auto out = with_max_output(body, *facts, op, family, 10);
        EXPECT_EQ(read(out, op, family)->max_output, 10) << out;
        return out;
    };
    EXPECT_EQ(put("{}", Operation::converse, Family::anthropic),
              R"({"inferenceConfig":{"maxTokens":10}})");
    EXPECT_EQ(put(R"({"inferenceConfig":{"topP":1},"messages":[]})", Operation::converse,
                  Family::anthropic),
              R"({"inferenceConfig":{"maxTokens":10,"topP":1},"messages":[]})");
    EXPECT_EQ(put(R"({"messages":[]})", Operation::invoke, Family::anthropic),
              R"({"max_tokens":10,"messages":[]})");
    EXPECT_EQ(put(R"({"prompt":"x"})", Operation::invoke, Family::llama),
              R"({"max_gen_len":10,"prompt":"x"})");
    EXPECT_EQ(put(R"({"inputText":"x"})", Operation::invoke, Family::titan),
              R"({"textGenerationConfig":{"maxTokenCount":10},"inputText":"x"})");
}

TEST(Models, LongestPrefixWinsAndTheGeoPrefixIsNotPartOfIt) {
    const auto table = builtin_models();
    EXPECT_EQ(table.facts("us.anthropic.claude-sonnet-4-5-20250929-v1:0").output_burndown, 5U);
    EXPECT_EQ(table.facts("global.anthropic.claude-opus-4-8").output_burndown, 15U);
    EXPECT_EQ(table.facts("anthropic.claude-sonnet-5").output_burndown, 10U);
    EXPECT_EQ(table.facts("anthropic.claude-3-5-sonnet-20241022-v2:0").output_burndown, 1U);
    EXPECT_EQ(table.facts("amazon.nova-pro-v1:0").family, Family::nova);
    EXPECT_FALSE(table.facts("acme.model").known);
    EXPECT_EQ(table.facts("anthropic.something-new").output_burndown, 5U);
    EXPECT_EQ(table.facts("acme.model").output_burndown, 1U);
}

}  // namespace
}  // namespace weir::bedrock
