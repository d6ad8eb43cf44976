#include "bedrock/model_data.h"

#include <array>
#include <string_view>

namespace weir::bedrock {
namespace {

struct Row {
    std::string_view prefix;  // of the model id without its geo prefix
    Family family;
    std::uint32_t burndown;
    std::uint64_t max_output;
    std::uint64_t context;
};

// As of 2026-11-23.
// Burndown: 5 for Claude 3.7 and the 4 family up to 4.7 (AWS user guide, cross-Region inference and
// quotas pages); 15 for Claude 4.8, 10 for Sonnet 5, Opus 5, Fable 5.1 and GPT-5.6 on
// bedrock-runtime (third parties quoting AWS's quotas-token-burndown page); Claude 5.5 is not
// published and taken as 10; everything else 1. Maximum outputs and contexts: the vendors' model
// pages; where a page gave a range, the larger, because that is what the service holds when
// max_tokens is unset.
constexpr std::array kRows{
    Row{"anthropic.claude-3-haiku", Family::anthropic, 1, 4'096, 200'000},
    Row{"anthropic.claude-3-sonnet", Family::anthropic, 1, 4'096, 200'000},
    Row{"anthropic.claude-3-opus", Family::anthropic, 1, 4'096, 200'000},
    Row{"anthropic.claude-3-5", Family::anthropic, 1, 8'192, 200'000},
    Row{"anthropic.claude-3-7", Family::anthropic, 5, 128'000, 200'000},
    Row{"anthropic.claude-sonnet-4", Family::anthropic, 5, 64'000, 1'000'000},
    Row{"anthropic.claude-opus-4", Family::anthropic, 5, 64'000, 200'000},
    Row{"anthropic.claude-opus-4-20250514", Family::anthropic, 5, 32'000, 200'000},
    Row{"anthropic.claude-opus-4-1", Family::anthropic, 5, 32'000, 200'000},
    Row{"anthropic.claude-opus-4-6", Family::anthropic, 5, 128'000, 1'000'000},
    Row{"anthropic.claude-opus-4-7", Family::anthropic, 5, 128'000, 1'000'000},
    Row{"anthropic.claude-opus-4-8", Family::anthropic, 15, 128'000, 1'000'000},
    Row{"anthropic.claude-sonnet-4-8", Family::anthropic, 15, 128'000, 1'000'000},
    Row{"anthropic.claude-haiku-4", Family::anthropic, 5, 64'000, 200'000},
    Row{"anthropic.claude-sonnet-5", Family::anthropic, 10, 128'000, 1'000'000},
    Row{"anthropic.claude-opus-5", Family::anthropic, 10, 128'000, 1'000'000},
    Row{"anthropic.claude-haiku-5", Family::anthropic, 10, 128'000, 1'000'000},
    Row{"anthropic.claude-fable-5", Family::anthropic, 10, 128'000, 1'000'000},
    Row{"anthropic.claude", Family::anthropic, 5, 64'000, 200'000},
    Row{"anthropic.claude-v2", Family::anthropic, 1, 4'096, 200'000},
    Row{"anthropic.claude-instant", Family::anthropic, 1, 4'096, 100'000},
    Row{"amazon.nova", Family::nova, 1, 10'000, 300'000},
    Row{"amazon.nova-micro", Family::nova, 1, 10'000, 128'000},
    Row{"amazon.nova-premier", Family::nova, 1, 32'000, 1'000'000},
    Row{"amazon.nova-2", Family::nova, 1, 64'000, 1'000'000},
    Row{"amazon.titan-text", Family::titan, 1, 8'192, 32'000},
    Row{"amazon.titan-text-premier", Family::titan, 1, 3'072, 32'000},
    Row{"amazon.titan-embed", Family::titan, 1, 1, 8'192},
    Row{"meta.llama3", Family::llama, 1, 8'192, 128'000},
    Row{"meta.llama3-8b", Family::llama, 1, 2'048, 8'000},
    Row{"meta.llama3-70b", Family::llama, 1, 2'048, 8'000},
    Row{"meta.llama4", Family::llama, 1, 8'192, 1'000'000},
    Row{"mistral.", Family::mistral, 1, 8'192, 128'000},
    Row{"openai.gpt-oss", Family::openai, 1, 128'000, 128'000},
    Row{"openai.gpt-5", Family::openai, 1, 128'000, 400'000},
    Row{"openai.gpt-5-6", Family::openai, 10, 128'000, 400'000},
    Row{"openai.gpt-5.6", Family::openai, 10, 128'000, 400'000},
    Row{"openai.", Family::openai, 1, 128'000, 128'000},
    Row{"deepseek.", Family::openai, 1, 32'768, 128'000},
    Row{"qwen.", Family::openai, 1, 65'536, 256'000},
    Row{"cohere.command", Family::cohere, 1, 4'000, 128'000},
};

}  // namespace

ModelTable builtin_models() {
    ModelTable table;
    for (const auto& row : kRows) {
        ModelFacts facts;
        facts.family = row.family;
        facts.output_burndown = row.burndown;
        facts.max_output = row.max_output;
        facts.context = row.context;
        facts.known = true;
        table.add(std::string(row.prefix), facts);
    }
    return table;
}

}  // namespace weir::bedrock
