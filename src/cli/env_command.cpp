#include "cli/env_command.h"

#include <array>
#include <string_view>

namespace weir::cli {

namespace {

struct Recipe {
    std::string_view client;
    std::string_view text;  // @URL@ stands for weir's address
};

constexpr std::string_view kSdk =
    "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=@URL@\n"
    "# The SDK signs with whatever credentials and Region it has; without any, dummies will do:\n"
    "# export AWS_ACCESS_KEY_ID=weir AWS_SECRET_ACCESS_KEY=weir AWS_REGION=us-east-1\n"
    "# Where weir's `clients` demand a key, a pair that the SDK signs with (`weir key new NAME "
    "--sigv4`):\n"
    "# export AWS_ACCESS_KEY_ID=WEIR... AWS_SECRET_ACCESS_KEY=...\n"
    "# or a bearer key (`weir key new NAME`), if weir has `tls`: botocore 1.44 and the Go SDK send "
    "none\n"
    "# over plain http:\n"
    "# export AWS_BEARER_TOKEN_BEDROCK=weir_...\n"
    "# A name for this program in weir's metrics and shares:\n"
    "# export AWS_SDK_UA_APP_ID=my-program\n";

constexpr std::array<Recipe, 9> kRecipes{{
    {"boto3",
     "# boto3 gives up reading after 60 s; for long answers set\n"
     "# Config(read_timeout=3600, retries={\"total_max_attempts\": 1}): weir retries for you.\n"},
    {"js",
     "# Nothing else: the SDK speaks HTTP/2 to Bedrock, and weir takes it, plain or with `tls`.\n"},
    {"go",
     "# The Go SDK refuses bearer keys over plain http: sign as usual, or give weir `tls` and use\n"
     "# an https address.\n"},
    {"java", "# The AWS SDK for Java 2.x reads this variable in recent versions.\n"},
    {"langchain",
     "# langchain-aws uses boto3. In code: ChatBedrockConverse(base_url=\"@URL@\", ...).\n"},
    {"claude-code",
     "export CLAUDE_CODE_USE_BEDROCK=1\n"
     "export ANTHROPIC_BEDROCK_BASE_URL=@URL@\n"
     "export CLAUDE_CODE_SKIP_BEDROCK_AUTH=1\n"
     "# Claude Code's Region; weir answers for it in any Region it knows:\n"
     "# export AWS_REGION=us-east-1\n"
     "# Where weir's `clients` demand a key: do not skip authentication, and set\n"
     "# export AWS_BEARER_TOKEN_BEDROCK=weir_...\n"
     "# Where it names Claude Code in another way, the address may carry the name:\n"
     "# export ANTHROPIC_BEDROCK_BASE_URL=@URL@/@claude-code\n"},
    {"litellm",
     "export AWS_BEDROCK_RUNTIME_ENDPOINT=@URL@\n"
     "# LiteLLM does not read AWS_ENDPOINT_URL_BEDROCK_RUNTIME. In its file instead:\n"
     "#   litellm_params: {api_base: \"@URL@\"}\n"
     "# It signs with its own credentials; dummies will do:\n"
     "# export AWS_ACCESS_KEY_ID=weir AWS_SECRET_ACCESS_KEY=weir AWS_REGION_NAME=us-east-1\n"},
    {"anthropic",
     "export ANTHROPIC_BEDROCK_BASE_URL=@URL@\n"
     "# For AnthropicBedrock (Python and TypeScript), which signs with AWS credentials; dummies\n"
     "# will do:\n"
     "# export AWS_ACCESS_KEY_ID=weir AWS_SECRET_ACCESS_KEY=weir AWS_REGION=us-east-1\n"
     "# For the client named Anthropic (without Bedrock), whose models are Bedrock's ids here:\n"
     "# export ANTHROPIC_BASE_URL=@URL@/anthropic\n"
     "# export ANTHROPIC_API_KEY=weir_...   (any word will do where weir's `clients` have no "
     "key)\n"},
    {"openai",
     "export OPENAI_BASE_URL=@URL@/openai/v1\n"
     "export OPENAI_API_KEY=weir_...\n"
     "# Any word will do for the key where weir's `clients` have none. `model` is Bedrock's id;\n"
     "# chat completions and responses are served, streamed or not.\n"},
}};

bool uses_aws_sdk(std::string_view client) {
    return client == "boto3" || client == "js" || client == "go" || client == "java" ||
           client == "langchain";
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
        std::string text = uses_aws_sdk(client) ? std::string(kSdk) : std::string();
        text += recipe.text;
        for (std::size_t at = 0; (at = text.find("@URL@", at)) != std::string::npos;
             at += url.size())
            text.replace(at, 5, url);
        return text;
    }
    std::string names;
    for (const std::string& name : known_clients())
        names += (names.empty() ? "" : ", ") + name;
    return failure("unknown client `" + client.substr(0, 60) + "`; there are " + names);
}

}  // namespace weir::cli
