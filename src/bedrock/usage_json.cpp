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

template <class Handle>
bool each_item(ondemand::value& value, Handle handle) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) {
        return false;
    }
    for (auto entry : array) {
        ondemand::value item;
        if (std::move(entry).get(item) != simdjson::SUCCESS || !handle(item)) {
            return false;
        }
    }
    return true;
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
    std::uint64_t sum = 0;
    const bool whole = each_item(value, [&](ondemand::value& detail) {
        bool for_an_hour = false;
        std::uint64_t tokens = 0;
        const auto read = [&](std::string_view name, ondemand::value& inner) {
            if (name == "ttl") {
                for_an_hour = raw_text(inner) == "1h";
            } else if (name == "inputTokens") {
                tokens = token_count(token_of(inner)).value_or(0);
            }
            return true;
        };
        const bool good = !is_object(detail) || each(detail, read);
        sum += for_an_hour ? tokens : 0;
        return good;
    });
    cache_write_1h = sum;
    return whole;
}

bool UsageParts::counts(ondemand::value& value) {
    return !is_object(value) || each(value, [this](std::string_view name, ondemand::value& inner) {
        return one(name, inner);
    });
}

bool UsageParts::titan_results(ondemand::value& value) {
    std::optional<std::uint64_t> sum;
    const auto read = [&](std::string_view name, ondemand::value& inner) {
        if (name == "tokenCount") {
            if (const auto count = token_count(token_of(inner))) {
                sum = sum.value_or(0) + *count;
            }
        }
        return true;
    };
    const bool whole = each_item(
        value, [&](ondemand::value& result) { return !is_object(result) || each(result, read); });
    if (sum) {
        output = sum;
    }
    return whole;
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
