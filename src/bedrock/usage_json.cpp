#include "bedrock/usage_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::bedrock {

namespace {

constexpr double kMost = 1e8;

template <class Handle>
bool each(ondemand::object& object, Handle handle) {
    for (auto item : object) {
        ondemand::field field;
        if (std::move(item).get(field) != simdjson::SUCCESS) {
            return false;
        }
        if (!handle(key_of(field), field.value())) {
            return false;
        }
    }
    return true;
}

template <class Handle>
bool each(ondemand::value& value, Handle handle) {
    ondemand::object object;
    return value.get_object().get(object) == simdjson::SUCCESS && each(object, handle);
}

bool is_object(ondemand::value& value) {
    return value.raw_json_token().starts_with('{');
}

bool is_array(ondemand::value& value) {
    return value.raw_json_token().starts_with('[');
}

}  // namespace

std::optional<std::uint64_t> token_count(std::string_view token) {
    if (!token.empty() && token.size() < 9 &&
        std::ranges::all_of(token, [](char c) { return c >= '0' && c <= '9'; })) {
        std::uint64_t count = 0;  // which is how all of them are written but for a few 12.0
        for (const char c : token) {
            count = count * 10 + static_cast<std::uint64_t>(c - '0');
        }
        return count;
    }
    double value = 0;
    const char* const end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(token.data(), end, value);
    if (error != std::errc() || stop != end || !(value >= 0 && value <= kMost)) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::ceil(value));
}

bool UsageParts::one(std::string_view name, ondemand::value& value) {
    const auto take = [&](std::optional<std::uint64_t>& into) {
        if (const auto count = token_count(token_of(value))) {
            into = count;
        }
        return true;
    };
    // Converse and Nova, Anthropic, OpenAI, invocationMetrics, Cohere's billed_units.
    if (name == "inputTokens" || name == "input_tokens" || name == "prompt_tokens" ||
        name == "inputTokenCount") {
        return take(input);
    }
    if (name == "outputTokens" || name == "output_tokens" || name == "completion_tokens" ||
        name == "outputTokenCount") {
        return take(output);
    }
    if (name == "cacheReadInputTokens" || name == "cache_read_input_tokens" ||
        name == "cacheReadInputTokenCount") {
        return take(cache_read);
    }
    if (name == "cacheWriteInputTokens" || name == "cache_creation_input_tokens" ||
        name == "cacheWriteInputTokenCount") {
        return take(cache_write);
    }
    if (name == "cacheDetails" && is_array(value)) {
        return cache_details(value);
    }
    if (name == "cache_creation" && is_object(value)) {
        return each(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "ephemeral_1h_input_tokens") {
                cache_write_1h = token_count(token_of(inner));
            }
            return true;
        });
    }
    if ((name == "prompt_tokens_details" || name == "input_tokens_details") && is_object(value)) {
        return each(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "cached_tokens") {
                cached_prompt_ = token_count(token_of(inner)).value_or(0);
            }
            return true;
        });
    }
    return true;
}

/// Converse's: what was written, by how long it is kept.
bool UsageParts::cache_details(ondemand::value& value) {
    ondemand::array details;
    if (value.get_array().get(details) != simdjson::SUCCESS) {
        return false;
    }
    std::optional<std::uint64_t> sum;
    for (auto item : details) {
        ondemand::value detail;
        if (std::move(item).get(detail) != simdjson::SUCCESS) {
            return false;
        }
        bool for_an_hour = false;
        std::optional<std::uint64_t> tokens;
        if (is_object(detail) && !each(detail, [&](std::string_view name, ondemand::value& inner) {
                if (name == "ttl") {
                    for_an_hour = raw_text(inner) == "1h";
                } else if (name == "inputTokens") {
                    tokens = token_count(token_of(inner));
                }
                return true;
            })) {
            return false;
        }
        if (for_an_hour && tokens) {
            sum = sum.value_or(0) + *tokens;
        }
    }
    if (sum) {
        cache_write_1h = sum;
    }
    return true;
}

bool UsageParts::counts(ondemand::value& value) {
    return !is_object(value) || each(value, [this](std::string_view name, ondemand::value& inner) {
        return one(name, inner);
    });
}

bool UsageParts::titan_results(ondemand::value& value) {
    ondemand::array results;
    if (value.get_array().get(results) != simdjson::SUCCESS) {
        return false;
    }
    std::optional<std::uint64_t> sum;
    for (auto item : results) {
        ondemand::value result;
        if (std::move(item).get(result) != simdjson::SUCCESS) {
            return false;
        }
        if (is_object(result) && !each(result, [&](std::string_view name, ondemand::value& inner) {
                if (name == "tokenCount") {
                    if (const auto count = token_count(token_of(inner))) {
                        sum = sum.value_or(0) + *count;
                    }
                }
                return true;
            })) {
            return false;
        }
    }
    if (sum) {
        output = sum;
    }
    return true;
}

bool UsageParts::answer(ondemand::object object) {
    bool has_embedding = false;
    const bool whole = each(object, [&](std::string_view name, ondemand::value& value) {
        const auto take = [&](std::optional<std::uint64_t>& into) {
            if (const auto count = token_count(token_of(value))) {
                into = count;
            }
            return true;
        };
        if (name == "usage" || name == "amazon-bedrock-invocationMetrics") {
            return counts(value);
        }
        if ((name == "message" || name == "metadata" || name == "meta" || name == "response") &&
            is_object(value)) {
            // Anthropic's message_start, Nova's metadata chunk, Cohere's meta.billed_units,
            // OpenAI's response.completed.
            return each(value, [this](std::string_view key, ondemand::value& inner) {
                return (key == "usage" || key == "billed_units") ? counts(inner) : true;
            });
        }
        if (name == "prompt_token_count" || name == "inputTextTokenCount") {
            return take(input);
        }
        if (name == "generation_token_count" || name == "totalOutputTextTokenCount") {
            return take(output);
        }
        if (name == "results" && is_array(value)) {
            return titan_results(value);
        }
        has_embedding |= name == "embedding" || name == "embeddings" || name == "embeddingsByType";
        return true;
    });
    embedding_ |= has_embedding;
    return whole;
}

Usage UsageParts::usage() const {
    Usage usage;
    usage.known = input && (output || embedding_);
    usage.output = output.value_or(0);
    usage.cache_read = std::max(cache_read.value_or(0), cached_prompt_);
    usage.cache_write = cache_write.value_or(0);
    usage.cache_write_1h = std::min(cache_write_1h.value_or(0), usage.cache_write);
    const std::uint64_t all = input.value_or(0);
    usage.input = all - std::min(all, cached_prompt_);
    return usage;
}

}  // namespace weir::bedrock
