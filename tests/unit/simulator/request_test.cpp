// What the simulator reads out of a request.
#include "simulator/request.h"

#include <gtest/gtest.h>

namespace weir::simulator {
namespace {

using namespace std::chrono_literals;

TEST(Path, KnowsTheOperationsAndDecodesTheModelOnce) {
    const Path raw = parse_path("POST", "/model/us.anthropic.claude-x-v1:0/converse");
    EXPECT_EQ(raw.action, Action::converse);
    EXPECT_EQ(raw.id, "us.anthropic.claude-x-v1:0");
    const Path encoded = parse_path("POST", "/model/us.anthropic.claude-x-v1%3A0/converse-stream");
    EXPECT_EQ(encoded.action, Action::converse_stream);
    EXPECT_EQ(encoded.id, raw.id);
    const Path twice = parse_path("POST", "/model/us.x-v1%253A0/invoke");
    EXPECT_EQ(twice.id, "us.x-v1%3A0");
    const Path arn = parse_path(
        "POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/invoke");
    EXPECT_EQ(arn.action, Action::invoke);
    EXPECT_EQ(model_of(arn.id), "us.x");
    EXPECT_EQ(parse_path("POST", "/model/m/invoke-with-response-stream").action,
              Action::invoke_stream);
    EXPECT_EQ(parse_path("POST", "/model/m/count-tokens").action, Action::count_tokens);
    EXPECT_EQ(parse_path("POST", "/guardrail/g/version/1/apply").action, Action::guardrail);
    EXPECT_EQ(parse_path("POST", "/async-invoke").action, Action::async_start);
    EXPECT_EQ(parse_path("GET", "/async-invoke?maxResults=1").action, Action::async_list);
    EXPECT_EQ(parse_path("GET", "/async-invoke/arn%3Aaws").id, "arn:aws");
    EXPECT_EQ(parse_path("GET", "/inference-profiles?type=SYSTEM_DEFINED").action,
              Action::profiles);
    EXPECT_EQ(parse_path("GET", "/foundation-models/x").action, Action::model);
    EXPECT_EQ(parse_path("GET", "/model/m/converse").action, Action::unknown);
    EXPECT_EQ(parse_path("POST", "/model//converse").action, Action::unknown);
    EXPECT_EQ(parse_path("POST", "/").action, Action::unknown);
}

TEST(Body, CountsFourCharactersAToken) {
    const auto ask = read_body(
        R"({"messages":[{"role":"user","content":[{"text":"12345678"}]}],"system":[{"text":"äöüß"}],
            "inferenceConfig":{"maxTokens":77}})",
        Language::converse);
    ASSERT_TRUE(ask);
    EXPECT_EQ(ask->input, 3U + 4U) << "twelve characters, one message";
    EXPECT_EQ(ask->max_output, 77U);
}

TEST(Body, FindsMaxTokensInEveryLanguage) {
    const auto max = [](std::string_view body, Language language) {
        const auto ask = read_body(body, language);
        return ask ? ask->max_output : std::nullopt;
    };
    const std::string messages = R"("messages":[{"role":"user","content":"x"}])";
    EXPECT_EQ(max("{" + messages + R"(,"max_tokens":5})", Language::anthropic), 5U);
    EXPECT_EQ(max("{" + messages + R"(,"inferenceConfig":{"maxTokens":6}})", Language::nova), 6U);
    EXPECT_EQ(max("{" + messages + R"(,"inferenceConfig":{"max_new_tokens":7}})", Language::nova),
              7U);
    EXPECT_EQ(
        max(R"({"inputText":"x","textGenerationConfig":{"maxTokenCount":8}})", Language::titan),
        8U);
    EXPECT_EQ(max(R"({"prompt":"x","max_gen_len":9})", Language::llama), 9U);
    EXPECT_EQ(max(R"({"prompt":"x","max_tokens":10})", Language::mistral), 10U);
    EXPECT_EQ(max("{" + messages + R"(,"max_completion_tokens":11})", Language::openai), 11U);
    EXPECT_EQ(max("{" + messages + "}", Language::anthropic), std::nullopt);
}

TEST(Body, RefusesWhatTheServiceRefuses) {
    EXPECT_FALSE(read_body("{", Language::converse));
    EXPECT_FALSE(read_body("[]", Language::converse));
    EXPECT_FALSE(read_body("{}", Language::converse));
    EXPECT_FALSE(read_body(R"({"messages":[]})", Language::converse));
    for (const char* max : {"0", "-1", "1.5", "\"4096\"", "1e99"}) {
        EXPECT_FALSE(read_body(R"({"messages":[{"role":"user"}],"inferenceConfig":{"maxTokens":)" +
                                   std::string(max) + "}}",
                               Language::converse))
            << max;
    }
}

TEST(Body, SurvivesDepth) {
    const std::string deep =
        R"({"messages":[)" + std::string(100'000, '[') + std::string(100'000, ']') + "]}";
    EXPECT_TRUE(read_body(deep, Language::converse));
}

TEST(Directives, SayWhatAPromptWants) {
    Directives directives;
    read_directives("go [[output=123]] and [[ttft=200ms]][[rate=30]] [[fault=mid_stream]] [[echo]]",
                    directives);
    EXPECT_EQ(directives.output, 123U);
    EXPECT_EQ(directives.ttft, 200ms);
    EXPECT_EQ(directives.rate, 30);
    EXPECT_EQ(directives.fault, FaultKind::mid_stream);
    EXPECT_TRUE(directives.echo);
}

TEST(Directives, IgnoreNonsense) {
    Directives directives;
    read_directives(
        "[[output=-1]] [[output=x]] [[ttft=5]] [[rate=0]] [[fault=quake]] [[]] [[=]] [[",
        directives);
    EXPECT_FALSE(directives.output || directives.ttft || directives.rate || directives.fault);
}

TEST(CountTokens, ReadsBothForms) {
    EXPECT_EQ(
        read_count(R"({"input":{"converse":{"messages":[{"content":[{"text":"12345678"}]}]}}})",
                   Language::anthropic),
        6U);
    // {"messages":[{"role":"user","content":"12345678"}]}
    EXPECT_EQ(
        read_count(R"({"input":{"invokeModel":{"body":)"
                   R"("eyJtZXNzYWdlcyI6W3sicm9sZSI6InVzZXIiLCJjb250ZW50IjoiMTIzNDU2NzgifV19"}}})",
                   Language::anthropic),
        6U);
    EXPECT_FALSE(read_count("{}", Language::anthropic));
    EXPECT_FALSE(read_count(R"({"input":{"invokeModel":{"body":"%%"}}})", Language::anthropic));
}

TEST(Maxima, KnowSmallModels) {
    EXPECT_EQ(maximum_output("us.anthropic.claude-3-haiku-20240307-v1:0"), 4096U);
    EXPECT_EQ(maximum_output("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), 64'000U);
    EXPECT_EQ(maximum_output("us.amazon.nova-lite-v1:0"), 10'000U);
}

}  // namespace
}  // namespace weir::simulator
