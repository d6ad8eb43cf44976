#include "bedrock/usage_json.h"

#include "bedrock/service_tier.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::bedrock {

namespace {

constexpr double kMost = 1e8;

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

void UsageParts::one(std::string_view name, ondemand::value& value) {
    const auto take = [&](std::optional<std::uint64_t>& into) {
        if (const auto count = token_count(token_of(value))) {
            into = count;
        }
    };
    // Converse and Nova, Anthropic, OpenAI, invocationMetrics, Cohere's billed_units.
    if (name == "inputTokens" || name == "input_tokens" || name == "prompt_tokens" ||
        name == "inputTokenCount") {
        take(input);
    } else if (name == "outputTokens" || name == "output_tokens" || name == "completion_tokens" ||
               name == "outputTokenCount") {
        take(output);
    } else if (name == "cacheReadInputTokens" || name == "cache_read_input_tokens" ||
               name == "cacheReadInputTokenCount") {
        take(cache_read);
    } else if (name == "cacheWriteInputTokens" || name == "cache_creation_input_tokens" ||
               name == "cacheWriteInputTokenCount") {
        take(cache_write);
    } else if (name == "cacheDetails" && kind(value) == '[') {
        cache_details(value);
    } else if (name == "cache_creation" && kind(value) == '{') {
        each_field(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "ephemeral_1h_input_tokens") {
                cache_write_1h = token_count(token_of(inner));
            }
        });
    } else if ((name == "prompt_tokens_details" || name == "input_tokens_details") &&
               kind(value) == '{') {
        each_field(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "cached_tokens") {
                cached_prompt_ = token_count(token_of(inner)).value_or(0);
            }
        });
    } else if (name == "service_tier") {
        served_by(value);
    }
}

/// Without a name (null, "" or {}) the answer does not say which tier served it.
void UsageParts::served_by(ondemand::value& value) {
    const auto take = [this](std::string_view name) {
        if (!name.empty()) {
            tier = tier_named(name).value_or(Tier::unset);
        }
    };
    if (kind(value) == '"') {
        take(raw_text(value));
    } else if (kind(value) == '{') {
        each_field(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "type") {
                take(raw_text(inner));
            }
        });
    }
}

/// Converse's: what was written, by how long it is kept.
void UsageParts::cache_details(ondemand::value& value) {
    std::uint64_t sum = 0;
    each_element(value, [&](ondemand::value& detail) {
        if (kind(detail) != '{') {
            return;
        }
        bool for_an_hour = false;
        std::uint64_t tokens = 0;
        each_field(detail, [&](std::string_view name, ondemand::value& inner) {
            if (name == "ttl") {
                for_an_hour = raw_text(inner) == "1h";
            } else if (name == "inputTokens") {
                tokens = token_count(token_of(inner)).value_or(0);
            }
        });
        sum += for_an_hour ? tokens : 0;
    });
    cache_write_1h = sum;
}

void UsageParts::add(ondemand::value& counts) {
    if (kind(counts) == '{') {
        each_field(counts,
                   [this](std::string_view name, ondemand::value& inner) { one(name, inner); });
    }
}

bool UsageParts::counts(ondemand::value& value) {
    failed_ = simdjson::SUCCESS;
    add(value);
    return failed_ == simdjson::SUCCESS;
}

void UsageParts::titan_results(ondemand::value& value) {
    std::optional<std::uint64_t> sum;
    each_element(value, [&](ondemand::value& result) {
        if (kind(result) != '{') {
            return;
        }
        each_field(result, [&](std::string_view name, ondemand::value& inner) {
            if (name == "tokenCount") {
                if (const auto count = token_count(token_of(inner))) {
                    sum = sum.value_or(0) + *count;
                }
            }
        });
    });
    if (sum) {
        output = sum;
    }
}

bool UsageParts::answer(ondemand::object object) {
    failed_ = simdjson::SUCCESS;
    bool has_embedding = false;
    each_field(object, [&](std::string_view name, ondemand::value& value) {
        const auto take = [&](std::optional<std::uint64_t>& into) {
            if (const auto count = token_count(token_of(value))) {
                into = count;
            }
        };
        if (name == "usage" || name == "amazon-bedrock-invocationMetrics") {
            add(value);
        } else if ((name == "message" || name == "metadata" || name == "meta" ||
                    name == "response") &&
                   kind(value) == '{') {
            // Anthropic's message_start, Nova's metadata chunk, Cohere's meta.billed_units,
            // OpenAI's response.completed.
            each_field(value, [this](std::string_view key, ondemand::value& inner) {
                if (key == "usage" || key == "billed_units") {
                    add(inner);
                } else if (key == "service_tier") {
                    served_by(inner);
                }
            });
        } else if (name == "prompt_token_count" || name == "inputTextTokenCount") {
            take(input);
        } else if (name == "generation_token_count" || name == "totalOutputTextTokenCount") {
            take(output);
        } else if (name == "serviceTier" || name == "service_tier") {
            served_by(value);
        } else if (name == "results" && kind(value) == '[') {
            titan_results(value);
        } else {
            has_embedding |=
                name == "embedding" || name == "embeddings" || name == "embeddingsByType";
        }
    });
    embedding_ |= has_embedding;
    return failed_ == simdjson::SUCCESS;
}

Usage UsageParts::usage() const {
    Usage usage;
    usage.tier = tier;
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
