#include "cli/env_command.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

namespace weir::cli {

namespace {

/// AWS's SDKs, and programs built on them, share variables; others have their own.
enum class Kind : std::uint8_t { aws_sdk, own };

struct Recipe {
    std::string_view client;
    Kind kind;
    std::string_view text;  // @URL@ stands for weir's address
};

// The exports below each of these headings apply to that case alone (tests/e2e/test_env.py runs
// both).
constexpr std::string_view kWithoutKeys =
    "# If weir's `clients` have no keys, and the program has no AWS credentials, use dummies:\n"
    "#   export AWS_ACCESS_KEY_ID=weir AWS_SECRET_ACCESS_KEY=weir\n";
constexpr std::string_view kWithPair =
    "# If weir's `clients` have keys, sign with a pair of weir's (`weir key new NAME --sigv4`):\n"
    "#   export AWS_ACCESS_KEY_ID=WEIR... AWS_SECRET_ACCESS_KEY=...\n";

constexpr std::string_view kSdk =
    "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=@URL@\n"
    "# The Region, if no other setting names it (boto3 reads AWS_DEFAULT_REGION, other SDKs "
    "AWS_REGION):\n"
    "# export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n";
constexpr std::string_view kSdkEnd =
    "# A bearer key (`weir key new NAME`, AWS_BEARER_TOKEN_BEDROCK) needs weir's `tls`: boto3 "
    "1.44 and the\n"
    "# Go SDK fail rather than send one over plain http.\n"
    "# The name of this program in weir's metrics and shares, if clients have no keys:\n"
    "# export AWS_SDK_UA_APP_ID=my-program\n";

constexpr std::array<Recipe, 17> kRecipes{{
    {"boto3", Kind::aws_sdk,
     "# boto3 gives up reading after 60 s; for long answers set\n"
     "# Config(read_timeout=3600, retries={\"total_max_attempts\": 1}): weir retries for you.\n"},
    {"aws", Kind::aws_sdk,
     "# The aws CLI, version 2: `aws bedrock-runtime converse ... --cli-read-timeout 3600`.\n"},
    {"js", Kind::aws_sdk,
     "# Nothing else: the SDK speaks HTTP/2 to Bedrock, and weir takes it, plain or with `tls`.\n"},
    {"go", Kind::aws_sdk, ""},
    {"java", Kind::aws_sdk, "# The AWS SDK for Java 2.x reads this variable in recent versions.\n"},
    {"rust", Kind::aws_sdk, ""},
    {"langchain", Kind::aws_sdk,
     "export AWS_ENDPOINT_URL_BEDROCK=@URL@\n"
     "# langchain-aws uses boto3, and also asks the control plane about inference profiles: set "
     "both\n"
     "# variables. In code: ChatBedrockConverse(base_url=\"@URL@\", ...).\n"},
    {"llamaindex", Kind::aws_sdk, "# llama-index-llms-bedrock-converse uses boto3.\n"},
    {"strands", Kind::aws_sdk, "# Strands Agents use boto3.\n"},
    {"pydantic-ai", Kind::aws_sdk,
     "# pydantic-ai uses boto3. In code: BedrockProvider(base_url=\"@URL@\", ...).\n"},
    {"haystack", Kind::aws_sdk, "# amazon-bedrock-haystack uses boto3.\n"},
    {"langchain4j", Kind::aws_sdk,
     "# langchain4j-bedrock uses the AWS SDK for Java 2.x. In code: a BedrockRuntimeClient with\n"
     "# endpointOverride(URI.create(\"@URL@\")), given to "
     "BedrockChatModel.builder().client(...).\n"},
    {"vercel", Kind::own,
     "# @ai-sdk/amazon-bedrock takes its address in code:\n"
     "#   createAmazonBedrock({region: \"us-east-1\", baseURL: \"@URL@\"})\n"
     "@DUMMIES@@PAIR@"
     "# or use a bearer key (`weir key new NAME`), which the provider prefers to a pair:\n"
     "#   export AWS_BEARER_TOKEN_BEDROCK=weir_...\n"},
    {"claude-code", Kind::own,
     "export CLAUDE_CODE_USE_BEDROCK=1\n"
     "export ANTHROPIC_BEDROCK_BASE_URL=@URL@\n"
     "export CLAUDE_CODE_SKIP_BEDROCK_AUTH=1\n"
     "# Claude Code's Region; weir answers for it in any Region it knows:\n"
     "# export AWS_REGION=us-east-1\n"
     "# If weir's `clients` have keys, do not skip authentication, and set one (`weir key new "
     "NAME`):\n"
     "#   export AWS_BEARER_TOKEN_BEDROCK=weir_...\n"
     "# If they have none, the address may carry the client's name:\n"
     "# export ANTHROPIC_BEDROCK_BASE_URL=@URL@/@claude-code\n"},
    {"litellm", Kind::own,
     "export AWS_BEDROCK_RUNTIME_ENDPOINT=@URL@\n"
     "# LiteLLM does not read AWS_ENDPOINT_URL_BEDROCK_RUNTIME, and this variable wins over "
     "`api_base`.\n"
     "# In its file instead: litellm_params: {aws_bedrock_runtime_endpoint: \"@URL@\"}\n"
     "# The Region:\n"
     "# export AWS_REGION_NAME=us-east-1\n"
     "@DUMMIES@@PAIR@"},
    {"anthropic", Kind::own,
     "export ANTHROPIC_BEDROCK_BASE_URL=@URL@\n"
     "export ANTHROPIC_BEDROCK_MANTLE_BASE_URL=@URL@/anthropic\n"
     "# AnthropicBedrock (`pip install anthropic[bedrock]`; @anthropic-ai/bedrock-sdk) and\n"
     "# AnthropicBedrockMantle sign with AWS credentials, for this Region:\n"
     "# export AWS_REGION=us-east-1\n"
     "@DUMMIES@@PAIR@"
     "# The client named Anthropic; `model` is Bedrock's id:\n"
     "export ANTHROPIC_BASE_URL=@URL@/anthropic\n"
     "# Its key is any word, or, if weir's `clients` have keys, one of theirs (`weir key new "
     "NAME`):\n"
     "#   export ANTHROPIC_API_KEY=weir_...\n"},
    {"openai", Kind::own,
     "export OPENAI_BASE_URL=@URL@/openai/v1\n"
     "# The key is any word, or, if weir's `clients` have keys, one of theirs (`weir key new "
     "NAME`):\n"
     "#   export OPENAI_API_KEY=weir_...\n"
     "# `model` is Bedrock's id; chat completions, responses and the list of models are served.\n"},
}};

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
}

}  // namespace

std::vector<std::string> known_clients() {
    std::vector<std::string> names;
    names.reserve(kRecipes.size());
    for (const Recipe& recipe : kRecipes)
        names.emplace_back(recipe.client);
    return names;
}

Result<std::string> environment_for(const std::string& client, const std::string& url) {
    for (const Recipe& recipe : kRecipes) {
        if (recipe.client != client)
            continue;
        std::string text(recipe.text);
        if (recipe.kind == Kind::aws_sdk) {
            text.insert(0, kSdk).append(kWithoutKeys).append(kWithPair).append(kSdkEnd);
        }
        replace_all(text, "@DUMMIES@", kWithoutKeys);
        replace_all(text, "@PAIR@", kWithPair);
        replace_all(text, "@URL@", url);
        return text;
    }
    std::string names;
    for (const std::string& name : known_clients())
        names += (names.empty() ? "" : ", ") + name;
    return failure("unknown client `" + client.substr(0, 60) + "`; there are " + names);
}

Result<std::map<std::string, std::string>> variables_for(const std::string& client,
                                                         const std::string& url) {
    const auto text = environment_for(client, url);
    if (!text)
        return std::unexpected(text.error());
    constexpr std::string_view kExport = "export ";
    std::map<std::string, std::string> variables;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(kExport))
            continue;
        const std::size_t equals = line.find('=');
        variables[line.substr(kExport.size(), equals - kExport.size())] = line.substr(equals + 1);
    }
    return variables;
}

}  // namespace weir::cli
