// Facts about models on Amazon Bedrock as known on 2026-11-23. The longest prefix wins, so a row
// for a generation stands beside rows for its exceptions. Configuration overrides any of it.
//
// Output burndown
//   AWS user guide, "global cross-region inference" and "quotas: token burndown": 5 for Claude 3.7,
//   4, 4.1, 4.5 and in general up to 4.7; 1 for Claude 3 and 3.5 and for other providers.
//   15 for Claude 4.8, 10 for Claude 5 and for OpenAI's GPT-5.6 on bedrock-runtime: several third
//   parties that cite the same guide. Claude 5.5: no statement found; 10 assumed.
// Maximum output and context
//   The providers' model cards for what has one: sure for Claude 3 to 4.5, Nova 1 and Titan. Those
//   of Claude 4.6 and later, Nova 2, Llama 4, DeepSeek, Qwen and newer models are general knowledge
//   and may be off by a factor of two: where a range was found the larger output is taken, because
//   what is held too much comes back, and what is held too little is refused. Context windows are
//   those without beta headers.
//   A maximum output of 0: the model answers with vectors, scores, images or video and no text, so
//   that nothing is held for it, and a max_tokens in its body means something else.
#include "bedrock/model_data.h"

#include <array>

namespace weir::bedrock {

namespace {

struct Row {
    std::string_view prefix;
    Family family;
    std::uint32_t burndown;
    std::uint64_t max_output;
    std::uint64_t context;
};

constexpr std::array kRows = {
    // Anthropic. What is newer than this table: as its newest generation.
    Row{"anthropic.claude-", Family::anthropic, 10, 128'000, 200'000},
    Row{"anthropic.claude-v2", Family::anthropic, 1, 4'096, 100'000},
    Row{"anthropic.claude-v2:1", Family::anthropic, 1, 4'096, 200'000},
    Row{"anthropic.claude-instant", Family::anthropic, 1, 4'096, 100'000},
    Row{"anthropic.claude-3-", Family::anthropic, 1, 4'096, 200'000},
    Row{"anthropic.claude-3-5-", Family::anthropic, 1, 8'192, 200'000},
    Row{"anthropic.claude-3-7-", Family::anthropic, 5, 64'000, 200'000},  // 128,000 by beta header
    Row{"anthropic.claude-sonnet-4", Family::anthropic, 5, 64'000, 200'000},
    Row{"anthropic.claude-opus-4", Family::anthropic, 5, 32'000, 200'000},
    Row{"anthropic.claude-opus-4-5", Family::anthropic, 5, 64'000, 200'000},
    Row{"anthropic.claude-haiku-4", Family::anthropic, 5, 64'000, 200'000},
    // 4.6 to 4.8: outputs unsure.
    Row{"anthropic.claude-opus-4-6", Family::anthropic, 5, 128'000, 200'000},
    Row{"anthropic.claude-opus-4-7", Family::anthropic, 5, 128'000, 1'000'000},
    Row{"anthropic.claude-opus-4-8", Family::anthropic, 15, 128'000, 1'000'000},
    Row{"anthropic.claude-sonnet-4-8", Family::anthropic, 15, 128'000, 1'000'000},
    Row{"anthropic.claude-haiku-4-8", Family::anthropic, 15, 64'000, 200'000},
    // 5 and 5.5: outputs and contexts unsure; 5.5's burndown assumed.
    Row{"anthropic.claude-sonnet-5", Family::anthropic, 10, 128'000, 1'000'000},
    Row{"anthropic.claude-opus-5", Family::anthropic, 10, 128'000, 1'000'000},
    Row{"anthropic.claude-haiku-5", Family::anthropic, 10, 64'000, 200'000},
    Row{"anthropic.claude-fable-5", Family::anthropic, 10, 128'000, 1'000'000},

    // Amazon.
    Row{"amazon.nova-", Family::nova, 1, 10'000, 300'000},
    Row{"amazon.nova-micro", Family::nova, 1, 10'000, 128'000},
    Row{"amazon.nova-lite", Family::nova, 1, 10'000, 300'000},
    Row{"amazon.nova-pro", Family::nova, 1, 10'000, 300'000},
    Row{"amazon.nova-premier", Family::nova, 1, 32'000, 1'000'000},
    Row{"amazon.nova-2-", Family::nova, 1, 64'000, 1'000'000},  // unsure
    Row{"amazon.nova-2-multimodal-embeddings", Family::nova, 1, 0, 8'192},
    Row{"amazon.nova-canvas", Family::nova, 1, 0, 1'024},
    Row{"amazon.nova-reel", Family::nova, 1, 0, 4'000},
    Row{"amazon.rerank", Family::unknown, 1, 0, 32'000},
    Row{"amazon.titan-text-lite", Family::titan, 1, 4'096, 4'096},
    Row{"amazon.titan-text-express", Family::titan, 1, 8'192, 8'192},
    Row{"amazon.titan-text-premier", Family::titan, 1, 3'072, 32'000},
    Row{"amazon.titan-tg1", Family::titan, 1, 8'192, 8'192},
    Row{"amazon.titan-embed", Family::titan, 1, 0, 8'192},
    Row{"amazon.titan-image", Family::titan, 1, 0, 512},

    // Meta: max_gen_len is at most 2,048 through 3.2; later ones by their cards, unsure.
    Row{"meta.llama", Family::llama, 1, 8'192, 128'000},
    Row{"meta.llama2-", Family::llama, 1, 2'048, 4'096},
    Row{"meta.llama3-8b", Family::llama, 1, 2'048, 8'192},
    Row{"meta.llama3-70b", Family::llama, 1, 2'048, 8'192},
    Row{"meta.llama3-1-", Family::llama, 1, 8'192, 128'000},
    Row{"meta.llama3-2-", Family::llama, 1, 8'192, 128'000},
    Row{"meta.llama3-3-", Family::llama, 1, 8'192, 128'000},
    Row{"meta.llama4-maverick", Family::llama, 1, 8'192, 1'000'000},
    Row{"meta.llama4-scout", Family::llama, 1, 8'192, 3'500'000},

    // Mistral.
    Row{"mistral.", Family::mistral, 1, 8'192, 128'000},
    Row{"mistral.mistral-7b", Family::mistral, 1, 8'192, 32'000},
    Row{"mistral.mixtral-8x7b", Family::mistral, 1, 4'096, 32'000},
    Row{"mistral.mistral-small-2402", Family::mistral, 1, 8'192, 32'000},
    Row{"mistral.mistral-large-2402", Family::mistral, 1, 8'192, 32'000},
    Row{"mistral.mistral-large-2407", Family::mistral, 1, 8'192, 128'000},
    Row{"mistral.pixtral-large", Family::mistral, 1, 8'192, 128'000},

    // OpenAI: the open models may fill their context with output.
    Row{"openai.gpt-", Family::openai, 10, 128'000, 400'000},
    Row{"openai.gpt-oss-", Family::openai, 1, 128'000, 128'000},
    Row{"openai.gpt-5.6", Family::openai, 10, 128'000, 400'000},
    Row{"openai.gpt-5-6", Family::openai, 10, 128'000, 400'000},

    // Cohere.
    Row{"cohere.command", Family::cohere, 1, 4'096, 4'096},
    Row{"cohere.command-r", Family::cohere, 1, 4'096, 128'000},
    Row{"cohere.embed", Family::cohere, 1, 0, 2'048},
    Row{"cohere.embed-v4", Family::cohere, 1, 0, 128'000},
    Row{"cohere.rerank", Family::cohere, 1, 0, 4'096},

    // Makers of images and videos, and readers of them.
    Row{"stability.", Family::unknown, 1, 0, 10'000},
    Row{"luma.", Family::unknown, 1, 0, 5'000},
    Row{"twelvelabs.marengo-embed", Family::unknown, 1, 0, 500},
    Row{"twelvelabs.pegasus", Family::unknown, 1, 4'096, 300'000},

    // Bodies in a language of their own, or OpenAI's under another name: bytes and max_tokens.
    // Outputs of all but AI21 unsure.
    Row{"ai21.j2-", Family::unknown, 1, 8'191, 8'191},
    Row{"ai21.jamba-", Family::unknown, 1, 4'096, 256'000},
    Row{"deepseek.r1", Family::unknown, 1, 32'768, 128'000},
    Row{"deepseek.v3", Family::unknown, 1, 64'000, 128'000},
    Row{"google.gemma-3", Family::unknown, 1, 8'192, 128'000},
    Row{"minimax.minimax-m2", Family::unknown, 1, 64'000, 200'000},
    Row{"moonshot.kimi-k2", Family::unknown, 1, 64'000, 256'000},
    Row{"moonshotai.kimi-k2", Family::unknown, 1, 64'000, 256'000},
    Row{"nvidia.nemotron", Family::unknown, 1, 32'000, 128'000},
    Row{"qwen.qwen3", Family::unknown, 1, 64'000, 256'000},
    Row{"writer.palmyra-", Family::unknown, 1, 8'192, 128'000},
    Row{"zai.glm-", Family::unknown, 1, 64'000, 200'000},
};

}  // namespace

ModelTable builtin_models() {
    ModelTable table;
    for (const Row& row : kRows) {
        ModelFacts facts;
        facts.family = row.family;
        facts.output_burndown = row.burndown;
        facts.max_output = row.max_output;
        facts.context = row.context;
        table.add(std::string(row.prefix), facts);
    }
    return table;
}

}  // namespace weir::bedrock
