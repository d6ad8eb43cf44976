#include "simulator/answer.h"

#include "codec/base64.h"
#include "codec/eventstream.h"
#include "codec/hex.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;

// Two scripts and a four-byte character, so that nobody relies on a byte being a letter.
constexpr std::array<std::string_view, 16> kWords{
    "the",   " river", " keeps", " its",  " level", " while",   " rain",       " falls",
    " and ", "stones", " über",  " dem ", "水",     "は流れる", " \U0001F30A", "."};

Json converse_usage(const Generation& generation) {
    const TokenUse& use = generation.use;
    Json usage{{"inputTokens", use.input},
               {"outputTokens", use.output},
               {"totalTokens", use.input + use.output + use.cache_read + use.cache_write}};
    if (use.cache_read + use.cache_write > 0) {
        usage["cacheReadInputTokens"] = use.cache_read;
        usage["cacheWriteInputTokens"] = use.cache_write;
    }
    for (const auto& [ttl, tokens] : {std::pair("5m", use.cache_write - use.cache_write_1h),
                                      std::pair("1h", use.cache_write_1h)}) {
        if (tokens > 0) {
            usage["cacheDetails"].push_back({{"ttl", ttl}, {"inputTokens", tokens}});
        }
    }
    return usage;
}

/// What an answer says of itself, whole or at a stream's end.
Json converse_end(const Generation& generation) {
    Json end{{"usage", converse_usage(generation)},
             {"metrics", {{"latencyMs", to_ms(generation.duration())}}}};
    if (!generation.tier.empty()) {
        end["serviceTier"] = {{"type", generation.tier}};
    }
    return end;
}

Json anthropic_message(const Generation& generation, Json content, std::uint64_t output) {
    return {{"id", "msg_bdrk_" + generation.request_id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", model_of(generation.model)},
            {"content", std::move(content)},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr},
            {"usage", anthropic_usage(generation, output)}};
}

Json openai_choice(const Generation& generation, std::string_view member, Json content) {
    return {{"id", "chatcmpl-" + generation.request_id},
            {"object", member == "delta" ? "chat.completion.chunk" : "chat.completion"},
            {"created", 1763942400},
            {"model", generation.model},
            {"choices", Json::array({{{"index", 0}, {member, std::move(content)}}})}};
}

Json converse_message(const Generation& generation) {
    return {
        {"message",
         {{"role", "assistant"}, {"content", Json::array({{{"text", whole_text(generation)}}})}}}};
}

/// The padding that hides a token's length: every event of Converse's stream carries some.
std::string padding(std::string_view payload) {
    static constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return std::string(kLetters.substr(0, 1 + hash_name(payload) % kLetters.size()));
}

std::string binary_event(std::string_view type, const Json& payload) {
    std::string out;
    const std::array headers{
        codec::EventHeader{":event-type", type},
        codec::EventHeader{":content-type", std::string_view("application/json")},
        codec::EventHeader{":message-type", std::string_view("event")}};
    codec::append_event(out, headers, dump(payload));
    return out;
}

std::string converse_event(std::string_view type, Json payload) {
    payload["p"] = padding(dump(payload));
    return binary_event(type, payload);
}

std::string chunk(const Json& inner) {
    Json payload{{"bytes", codec::base64_encoded(dump(inner))}};
    payload["p"] = padding(dump(payload));
    return binary_event("chunk", payload);
}

Json invocation_metrics(const Generation& generation) {
    Json metrics{{"inputTokenCount", generation.use.input},
                 {"outputTokenCount", generation.use.output},
                 {"invocationLatency", to_ms(generation.duration())},
                 {"firstByteLatency", to_ms(generation.ttft)}};
    if (generation.use.cache_read + generation.use.cache_write > 0) {
        metrics["cacheReadInputTokenCount"] = generation.use.cache_read;
        metrics["cacheWriteInputTokenCount"] = generation.use.cache_write;
    }
    return metrics;
}

}  // namespace

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string whole_text(const Generation& generation) {
    return make_text(generation, 0, generation.use.output);
}

std::string_view stop_reason(const Generation& generation) {
    return generation.cut ? "max_tokens" : "end_turn";
}

Generation draw_generation(const Ask& ask, const ModelSettings& settings, std::uint64_t maximum,
                           Random& random) {
    // Drawn even when a directive replaces it, so that one directive does not shift every later
    // call's numbers.
    const double drawn = random.log_normal(std::max(1.0, settings.output_mean),
                                           std::max(0.0, settings.output_spread));
    Generation generation;
    generation.request_id = make_uuid(random);
    std::uint64_t output = ask.directives.output.value_or(
        static_cast<std::uint64_t>(std::clamp(std::round(drawn), 1.0, 1e7)));
    generation.cut = output > maximum;
    generation.use.output = std::min(output, maximum);
    generation.use.cache_read = std::min(ask.directives.cache_read.value_or(0), ask.input);
    generation.use.cache_write =
        std::min(ask.directives.cache_write.value_or(0), ask.input - generation.use.cache_read);
    generation.use.cache_write_1h =
        std::min(ask.directives.cache_write_1h.value_or(0), generation.use.cache_write);
    generation.use.input = ask.input - generation.use.cache_read - generation.use.cache_write;
    generation.ttft = ask.directives.ttft.value_or(settings.time_to_first_token);
    generation.rate = std::max(0.001, ask.directives.rate.value_or(settings.tokens_per_second));
    if (ask.directives.echo) {
        generation.echo = ask.last_text;
    }
    return generation;
}

Json anthropic_usage(const Generation& generation, std::uint64_t output) {
    const TokenUse& use = generation.use;
    Json usage{{"input_tokens", use.input},
               {"cache_creation_input_tokens", use.cache_write},
               {"cache_read_input_tokens", use.cache_read},
               {"output_tokens", output}};
    if (use.cache_write > 0) {
        usage["cache_creation"] = {
            {"ephemeral_5m_input_tokens", use.cache_write - use.cache_write_1h},
            {"ephemeral_1h_input_tokens", use.cache_write_1h}};
    }
    return usage;
}

std::string make_text(const Generation& generation, std::uint64_t from, std::uint64_t tokens) {
    if (!generation.echo.empty()) {
        return from == 0 ? generation.echo : std::string();
    }
    std::string text;
    text.reserve(tokens * 6);
    for (std::uint64_t i = from; i < from + tokens; ++i) {
        text += kWords[(i * 7 + i / 16) % kWords.size()];
    }
    return text;
}

std::string make_uuid(Random& random) {
    std::string out;
    for (int i = 0; i < 32; ++i) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            out += '-';
        }
        const std::uint64_t digit = random.below(16);
        out += i == 12 ? '4' : codec::kHexDigits[i == 16 ? 8 + digit % 4 : digit];
    }
    return out;
}

std::string answer_body(const Generation& generation, Language language) {
    const std::string text = whole_text(generation);
    const TokenUse& use = generation.use;
    const std::string_view short_reason = generation.cut ? "length" : "stop";
    switch (language) {
        case Language::converse: {
            Json whole = converse_end(generation);
            whole["output"] = converse_message(generation);
            whole["stopReason"] = stop_reason(generation);
            return dump(whole);
        }
        case Language::anthropic: {
            Json message = anthropic_message(
                generation, Json::array({{{"type", "text"}, {"text", text}}}), use.output);
            message["stop_reason"] = stop_reason(generation);
            return dump(message);
        }
        case Language::nova:
            return dump({{"output", converse_message(generation)},
                         {"stopReason", stop_reason(generation)},
                         {"usage", converse_usage(generation)}});
        case Language::titan:
            return dump(
                {{"inputTextTokenCount", use.input},
                 {"results",
                  Json::array({{{"tokenCount", use.output},
                                {"outputText", text},
                                {"completionReason", generation.cut ? "LENGTH" : "FINISH"}}})}});
        case Language::llama:
            return dump({{"generation", text},
                         {"prompt_token_count", use.input},
                         {"generation_token_count", use.output},
                         {"stop_reason", short_reason}});
        case Language::mistral:
            return dump(
                {{"outputs", Json::array({{{"text", text}, {"stop_reason", short_reason}}})}});
        case Language::openai: {
            Json body =
                openai_choice(generation, "message", {{"role", "assistant"}, {"content", text}});
            body["choices"][0]["finish_reason"] = short_reason;
            body["usage"] = {{"prompt_tokens", use.input},
                             {"completion_tokens", use.output},
                             {"total_tokens", use.input + use.output}};
            return dump(body);
        }
        case Language::responses:  // of another API: simulator/body_api
            break;
    }
    return "{}";
}

std::string count_fields(const Generation& generation) {
    const auto field = [](std::string_view name, std::uint64_t value) {
        return "X-Amzn-Bedrock-" + std::string(name) + ": " + std::to_string(value) + "\r\n";
    };
    std::string fields = field("Input-Token-Count", generation.use.input) +
                         field("Output-Token-Count", generation.use.output);
    if (generation.use.cache_read + generation.use.cache_write > 0) {
        fields += field("Cache-Read-Input-Token-Count", generation.use.cache_read) +
                  field("Cache-Write-Input-Token-Count", generation.use.cache_write);
    }
    return fields +
           field("Invocation-Latency", static_cast<std::uint64_t>(to_ms(generation.duration())));
}

std::string stream_head(const Generation& generation, Language language) {
    switch (language) {
        case Language::converse:
            return converse_event("messageStart", {{"role", "assistant"}});
        case Language::anthropic:
            return chunk({{"type", "message_start"},
                          {"message", anthropic_message(generation, Json::array(), 1)}}) +
                   chunk({{"type", "content_block_start"},
                          {"index", 0},
                          {"content_block", {{"type", "text"}, {"text", ""}}}}) +
                   chunk({{"type", "ping"}});
        case Language::nova:
            return chunk({{"messageStart", {{"role", "assistant"}}}});
        case Language::openai:
            return chunk(
                openai_choice(generation, "delta", {{"role", "assistant"}, {"content", ""}}));
        default:
            return {};
    }
}

std::string stream_piece(const Generation& generation, Language language, std::string_view text) {
    switch (language) {
        case Language::converse:
            return converse_event("contentBlockDelta",
                                  {{"delta", {{"text", text}}}, {"contentBlockIndex", 0}});
        case Language::anthropic:
            return chunk({{"type", "content_block_delta"},
                          {"index", 0},
                          {"delta", {{"type", "text_delta"}, {"text", text}}}});
        case Language::nova:
            return chunk(
                {{"contentBlockDelta", {{"delta", {{"text", text}}}, {"contentBlockIndex", 0}}}});
        case Language::titan:
            return chunk({{"outputText", text}, {"index", 0}});
        case Language::llama:
            return chunk({{"generation", text}, {"stop_reason", nullptr}});
        case Language::mistral:
            return chunk({{"outputs", Json::array({{{"text", text}, {"stop_reason", nullptr}}})}});
        case Language::openai:
            return chunk(openai_choice(generation, "delta", {{"content", text}}));
        case Language::responses:
            break;
    }
    return {};
}

std::string stream_tail(const Generation& generation, Language language) {
    const Json metrics = invocation_metrics(generation);
    const std::string_view short_reason = generation.cut ? "length" : "stop";
    switch (language) {
        case Language::converse:
            return converse_event("contentBlockStop", {{"contentBlockIndex", 0}}) +
                   converse_event("messageStop", {{"stopReason", stop_reason(generation)}}) +
                   converse_event("metadata", converse_end(generation));
        case Language::anthropic:
            return chunk({{"type", "content_block_stop"}, {"index", 0}}) +
                   chunk({{"type", "message_delta"},
                          {"delta",
                           {{"stop_reason", stop_reason(generation)}, {"stop_sequence", nullptr}}},
                          {"usage", {{"output_tokens", generation.use.output}}}}) +
                   chunk({{"type", "message_stop"}, {"amazon-bedrock-invocationMetrics", metrics}});
        case Language::nova:
            return chunk({{"contentBlockStop", {{"contentBlockIndex", 0}}}}) +
                   chunk({{"messageStop", {{"stopReason", stop_reason(generation)}}}}) +
                   chunk({{"metadata", {{"usage", converse_usage(generation)}}},
                          {"amazon-bedrock-invocationMetrics", metrics}});
        case Language::titan:
            return chunk({{"outputText", ""},
                          {"index", 0},
                          {"totalOutputTextTokenCount", generation.use.output},
                          {"completionReason", generation.cut ? "LENGTH" : "FINISH"},
                          {"inputTextTokenCount", generation.use.input},
                          {"amazon-bedrock-invocationMetrics", metrics}});
        case Language::llama:
            return chunk({{"generation", ""},
                          {"prompt_token_count", generation.use.input},
                          {"generation_token_count", generation.use.output},
                          {"stop_reason", short_reason},
                          {"amazon-bedrock-invocationMetrics", metrics}});
        case Language::mistral:
            return chunk({{"outputs", Json::array({{{"text", ""}, {"stop_reason", short_reason}}})},
                          {"amazon-bedrock-invocationMetrics", metrics}});
        case Language::openai: {
            Json last = openai_choice(generation, "delta", Json::object());
            last["choices"][0]["finish_reason"] = short_reason;
            last["amazon-bedrock-invocationMetrics"] = metrics;
            return chunk(last);
        }
        case Language::responses:
            break;
    }
    return {};
}

std::string stream_error(std::string_view name, std::string_view payload) {
    std::string out;
    const std::array headers{
        codec::EventHeader{":exception-type", name},
        codec::EventHeader{":content-type", std::string_view("application/json")},
        codec::EventHeader{":message-type", std::string_view("exception")}};
    codec::append_event(out, headers, payload);
    return out;
}

}  // namespace weir::simulator
