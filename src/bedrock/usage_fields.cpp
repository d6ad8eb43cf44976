#include "bedrock/usage_fields.h"

#include <algorithm>
#include <array>

namespace weir::bedrock {
namespace {

namespace od = simdjson::ondemand;

struct Name {
    std::string_view key;
    std::uint64_t Usage::* count;
};
constexpr std::array<Name, 21> kNames{{
    {"inputTokens", &Usage::input},
    {"outputTokens", &Usage::output},
    {"cacheReadInputTokens", &Usage::cache_read},
    {"cacheWriteInputTokens", &Usage::cache_write},
    {"cacheReadInputTokenCount", &Usage::cache_read},
    {"cacheWriteInputTokenCount", &Usage::cache_write},
    {"input_tokens", &Usage::input},
    {"output_tokens", &Usage::output},
    {"cache_read_input_tokens", &Usage::cache_read},
    {"cache_creation_input_tokens", &Usage::cache_write},
    {"prompt_tokens", &Usage::input},
    {"completion_tokens", &Usage::output},
    {"inputTokenCount", &Usage::input},
    {"outputTokenCount", &Usage::output},
    {"prompt_token_count", &Usage::input},
    {"generation_token_count", &Usage::output},
    {"inputTextTokenCount", &Usage::input},
    {"totalOutputTextTokenCount", &Usage::output},
    {"tokenCount", &Usage::output},
    {"inputTextTokens", &Usage::input},
    {"outputTextTokens", &Usage::output},
}};

bool holds_usage(std::string_view key) {
    return key == "usage" || key == "amazon-bedrock-invocationMetrics" || key == "message" ||
           key == "results" || key == "metadata";
}

/// True if it found a count. `depth`: levels of objects still to be looked into.
bool look(od::object object, Usage& usage, int depth) {
    bool found = false;
    for (auto each : object) {
        od::field field;
        std::string_view key;
        if (std::move(each).get(field) || field.unescaped_key().get(key)) {
            return found;
        }
        const auto name = std::ranges::find(kNames, key, &Name::key);
        if (name != kNames.end()) {
            std::int64_t count = 0;
            od::number number;
            if (!field.value().get_number().get(number)) {
                if (number.is_int64()) {
                    count = number.get_int64();
                } else if (number.is_uint64()) {
                    count = static_cast<std::int64_t>(kMaxUsage);
                } else {
                    const double value = number.get_double();
                    count = value > 0 && value < static_cast<double>(kMaxUsage)
                                ? static_cast<std::int64_t>(value)
                                : 0;
                }
                const auto clamped = std::min(
                    static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0)), kMaxUsage);
                usage.*(name->count) = std::max(usage.*(name->count), clamped);
                found = true;
            }
            continue;
        }
        if (depth == 0 || !holds_usage(key)) {
            continue;
        }
        od::object inner;
        od::array list;
        if (!field.value().get_object().get(inner)) {
            found |= look(inner, usage, depth - 1);
        } else if (!field.value().get_array().get(list)) {
            for (auto element : list) {
                if (!element.get_object().get(inner)) {
                    found |= look(inner, usage, 0);
                }
            }
        }
    }
    return found;
}

}  // namespace

bool read_usage(od::parser& parser, std::string& json, Usage& usage) {
    json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    od::document document;
    od::object object;
    if (parser.iterate(json).get(document) || document.get_object().get(object)) {
        return false;
    }
    const bool found = look(object, usage, 2);
    usage.known |= found;
    return found;
}

}  // namespace weir::bedrock
