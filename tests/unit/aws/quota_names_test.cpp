// Names of Service Quotas, as accounts have them and as they might be.
#include "aws/quota_names.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir::aws {
namespace {

using enum QuotaScope;
using enum QuotaKind;

struct Named {
    const char* name;
    QuotaScope scope;
    QuotaKind kind;
    const char* model;
    bool long_context = false;
    bool doubled = false;
};

TEST(QuotaNames, SayScopeKindAndModel) {
    const Named rows[] = {
        {"Cross-Region InvokeModel tokens per minute for Anthropic Claude Sonnet 4.5 V1",
         cross_region, tokens_per_minute, "Anthropic Claude Sonnet 4.5 V1"},
        {"Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
         cross_region, tokens_per_minute, "Anthropic Claude Sonnet 4.5 V1"},
        {"Cross-region model inference requests per minute for Anthropic Claude Sonnet 4 V1",
         cross_region, requests_per_minute, "Anthropic Claude Sonnet 4 V1"},
        {"cross-region model inference tokens per day for amazon nova lite", cross_region,
         tokens_per_day, "amazon nova lite"},
        {"On-demand InvokeModel tokens per minute for Amazon Nova Micro", on_demand,
         tokens_per_minute, "Amazon Nova Micro"},
        {"On-demand model inference requests per minute for Amazon Nova Pro", on_demand,
         requests_per_minute, "Amazon Nova Pro"},
        {"Global cross-region model inference tokens per day for Anthropic Claude Sonnet 4.5 V1",
         global, tokens_per_day, "Anthropic Claude Sonnet 4.5 V1"},
        {"Global cross-region model inference tokens per minute for Anthropic Claude Opus 4.8",
         global, tokens_per_minute, "Anthropic Claude Opus 4.8"},
        {"GLOBAL CROSS-REGION MODEL INFERENCE REQUESTS PER MINUTE FOR Anthropic Claude Haiku 4.5",
         global, requests_per_minute, "Anthropic Claude Haiku 4.5"},
        {"Global Cross-Region InvokeModel tokens per minute for Anthropic Claude Sonnet 5", global,
         tokens_per_minute, "Anthropic Claude Sonnet 5"},
        {"Model invocation max tokens per day for Anthropic Claude Sonnet 4 V1", regional,
         tokens_per_day, "Anthropic Claude Sonnet 4 V1"},
        {"Model invocation max tokens per day for Anthropic Claude Opus 4 V1 (doubled for "
         "cross-region calls)",
         regional, tokens_per_day, "Anthropic Claude Opus 4 V1", false, true},
        {"Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 1M "
         "Context Length",
         cross_region, tokens_per_minute, "Anthropic Claude Sonnet 4.5 V1", true},
        {"Global cross-region model inference tokens per day for Anthropic Claude Sonnet 4 V1 1M "
         "context length",
         global, tokens_per_day, "Anthropic Claude Sonnet 4 V1", true},
        {"  On-demand  InvokeModel requests per  minute for\tMeta Llama 3.1 8B Instruct ",
         on_demand, requests_per_minute, "Meta Llama 3.1 8B Instruct"},
    };
    for (const Named& row : rows) {
        const auto found = parse_quota_name(row.name);
        ASSERT_TRUE(found) << row.name;
        EXPECT_EQ(found->scope, row.scope) << row.name;
        EXPECT_EQ(found->kind, row.kind) << row.name;
        EXPECT_EQ(found->model, row.model) << row.name;
        EXPECT_EQ(found->long_context, row.long_context) << row.name;
        EXPECT_EQ(found->doubled, row.doubled) << row.name;
    }
}

TEST(QuotaNames, OthersAreNotTaken) {
    for (const char* name :
         {"", " ", "tokens per minute", "On-demand InvokeModel tokens per minute for",
          "On-demand InvokeModel tokens per minute for ",
          "On-demand InvokeModel concurrent requests for Amazon Nova Sonic",
          "On-demand latency-optimized model inference requests per minute for Meta Llama 3.1 70B",
          "My Cross-region model inference tokens per minute for X",
          "Global  model inference tokens per minute for X",
          "Batch inference job size (in GB) for Amazon Nova Lite",
          "Minimum number of records per batch inference job for Claude 3 Haiku",
          "Cross-Model Max Tokens Per Day", "Model units per provisioned model for Amazon Nova",
          "Cross-region model inference tokens per hour for Amazon Nova Lite",
          "(Model customization) Sum of training records",
          "Throttle rate limit for GetGuardrail"}) {
        EXPECT_FALSE(parse_quota_name(name)) << name;
    }
    EXPECT_FALSE(
        parse_quota_name("On-demand InvokeModel tokens per minute for " + std::string(1000, 'a')));
}

TEST(QuotaNames, MeanModels) {
    const std::pair<const char*, const char*> same[] = {
        {"Anthropic Claude Sonnet 4.5", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Anthropic Claude Sonnet 4.5 V1", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Claude Sonnet 4.5", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Anthropic Claude Sonnet 4 V1", "anthropic.claude-sonnet-4-20250514-v1:0"},
        {"Anthropic Claude Sonnet 4.6", "anthropic.claude-sonnet-4-6"},
        {"Anthropic Claude Opus 4.6 V1", "anthropic.claude-opus-4-6-v1"},
        {"Anthropic Claude Opus 5.5", "anthropic.claude-opus-5-5"},
        {"Anthropic Claude Opus 4.1 V1", "anthropic.claude-opus-4-1-20250805-v1:0"},
        {"Anthropic Claude 3.5 Sonnet", "anthropic.claude-3-5-sonnet-20240620-v1:0"},
        {"Anthropic Claude 3.5 Sonnet V2", "anthropic.claude-3-5-sonnet-20241022-v2:0"},
        {"Anthropic Claude 3.7 Sonnet V1", "anthropic.claude-3-7-sonnet-20250219-v1:0"},
        {"Anthropic Claude V2", "anthropic.claude-v2"},
        {"Anthropic Claude V2.1", "anthropic.claude-v2:1"},
        {"Anthropic Claude Instant", "anthropic.claude-instant-v1"},
        {"Amazon Nova Lite", "amazon.nova-lite-v1:0"},
        {"Amazon Nova Premier V1", "amazon.nova-premier-v1:0"},
        {"Amazon Nova 2 Lite", "amazon.nova-2-lite-v1:0"},
        {"Amazon Titan Text Embeddings V2", "amazon.titan-embed-text-v2:0"},
        {"Meta Llama 3.1 8B Instruct", "meta.llama3-1-8b-instruct-v1:0"},
        {"Meta Llama 3 8B Instruct", "meta.llama3-8b-instruct-v1:0"},
        {"Meta Llama 4 Maverick V1", "meta.llama4-maverick-17b-instruct-v1:0"},
        {"Mistral AI Mistral 7B Instruct", "mistral.mistral-7b-instruct-v0:2"},
        {"Mistral AI Mixtral 8X7BB Instruct", "mistral.mixtral-8x7b-instruct-v0:1"},
        {"Mistral Large 2407", "mistral.mistral-large-2407-v1:0"},
        {"Cohere Command R Plus", "cohere.command-r-plus-v1:0"},
        {"AI21 Labs Jamba 1.5 Large", "ai21.jamba-1-5-large-v1:0"},
        {"DeepSeek R1 V1", "deepseek.r1-v1:0"},
        {"DeepSeek V3", "deepseek.v3-v1:0"},
        {"OpenAI gpt-oss-120b", "openai.gpt-oss-120b-1:0"},
        {"Qwen3 32B V1", "qwen.qwen3-32b-v1:0"},
        {"Writer AI Palmyra X4 V1", "writer.palmyra-x4-v1:0"},
    };
    for (const auto& [name, id] : same) {
        EXPECT_TRUE(names_model(name, id)) << name << " and " << id;
        for (const auto& [other, other_id] : same) {
            // Some rows name the same model twice.
            if (std::string_view(other_id) != id) {
                EXPECT_FALSE(names_model(other, id)) << other << " is not " << id;
            }
        }
    }
}

TEST(QuotaNames, MeanNoNeighbour) {
    const std::pair<const char*, const char*> different[] = {
        {"Anthropic Claude Sonnet 4", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Anthropic Claude Sonnet 4.5", "anthropic.claude-sonnet-4-20250514-v1:0"},
        {"Anthropic Claude Sonnet 45", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Anthropic Claude Sonnet", "anthropic.claude-sonnet-4-20250514-v1:0"},
        {"Anthropic Claude Opus 5", "anthropic.claude-opus-5-5"},
        {"Anthropic Claude Opus 5.5", "anthropic.claude-opus-5"},
        {"Anthropic Claude 3 Sonnet", "anthropic.claude-3-5-sonnet-20240620-v1:0"},
        {"Anthropic Claude 3.5 Sonnet", "anthropic.claude-3-5-sonnet-20241022-v2:0"},
        {"Anthropic Claude 3.5 Sonnet V2", "anthropic.claude-3-5-sonnet-20240620-v1:0"},
        {"Amazon Claude Sonnet 4.5", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Amazon Nova Lite", "amazon.nova-2-lite-v1:0"},
        {"Amazon Nova 2 Lite", "amazon.nova-lite-v1:0"},
        {"Meta Llama 3.1 8B Instruct", "meta.llama3-1-70b-instruct-v1:0"},
        {"Meta Llama 3 18B Instruct", "meta.llama3-1-8b-instruct-v1:0"},
        {"", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Anthropic", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"V1", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"Anthropic Claude Sonnet 4.5", ""},
        {"Anthropic Claude Sonnet 4.5", "anthropic."},
        {"", ""},
        {"", "."},
    };
    for (const auto& [name, id] : different) {
        EXPECT_FALSE(names_model(name, id)) << name << " is not " << id;
    }
}

TEST(QuotaNames, CoverIdsByTheirPrefix) {
    const std::string model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    const auto covered = [&](const std::string& name, const std::string& id) {
        const auto parsed = parse_quota_name(name + " for Anthropic Claude Sonnet 4.5 V1");
        return parsed && covers(*parsed, id);
    };
    const std::string on_demand_name = "On-demand model inference tokens per minute";
    const std::string cross_name = "Cross-region model inference tokens per minute";
    const std::string global_name = "Global cross-region model inference tokens per minute";
    const std::string day_name = "Model invocation max tokens per day";
    for (const std::string geo : {"us.", "eu.", "apac.", "jp.", "au.", "us-gov."}) {
        EXPECT_TRUE(covered(cross_name, geo + model)) << geo;
        EXPECT_TRUE(covered(day_name, geo + model)) << geo;
        EXPECT_FALSE(covered(on_demand_name, geo + model)) << geo;
        EXPECT_FALSE(covered(global_name, geo + model)) << geo;
    }
    EXPECT_TRUE(covered(on_demand_name, model));
    EXPECT_TRUE(covered(day_name, model));
    EXPECT_FALSE(covered(cross_name, model));
    EXPECT_FALSE(covered(global_name, model));
    EXPECT_TRUE(covered(global_name, "global." + model));
    EXPECT_FALSE(covered(cross_name, "global." + model));
    EXPECT_FALSE(covered(day_name, "global." + model));
    const auto wide =
        parse_quota_name(cross_name + " for Anthropic Claude Sonnet 4.5 V1 1M Context Length");
    ASSERT_TRUE(wide);
    EXPECT_FALSE(covers(*wide, "us." + model));
}

TEST(QuotaNames, KnownIdsAreFoundOnce) {
    EXPECT_EQ(known_models("Anthropic Claude Sonnet 4.5 V1"),
              std::vector<std::string_view>{"anthropic.claude-sonnet-4-5-20250929-v1:0"});
    EXPECT_EQ(known_models("Anthropic Claude Sonnet 4"),
              std::vector<std::string_view>{"anthropic.claude-sonnet-4-20250514-v1:0"});
    EXPECT_TRUE(known_models("Acme Anvil").empty());
}

TEST(QuotaNames, AnyBytesAreJudged) {
    const unsigned seed = std::random_device()();
    RecordProperty("seed", std::to_string(seed));
    std::mt19937 random(seed);
    const std::string parts[] = {"Global ",
                                 "cross-region ",
                                 "model inference ",
                                 "InvokeModel ",
                                 "tokens per day for ",
                                 " V",
                                 "1M context",
                                 "(",
                                 ".",
                                 "-",
                                 ":",
                                 "7",
                                 "\xff",
                                 std::string(1, '\0'),
                                 "Anthropic ",
                                 "Claude",
                                 "v1:0"};
    for (int i = 0; i < 20'000; ++i) {
        std::string name;
        std::string id;
        for (unsigned n = random() % 8; n > 0; --n) {
            name += parts[random() % std::size(parts)];
            id += parts[random() % std::size(parts)];
        }
        (void)parse_quota_name(name);
        (void)names_model(name, id);
    }
}

}  // namespace
}  // namespace weir::aws
