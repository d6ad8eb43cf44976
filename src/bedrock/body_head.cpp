#include "bedrock/body_head.h"

#include "bedrock/splice.h"
#include "codec/clean.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::bedrock {

namespace {

/// What weir decides by. Of a member that stands twice the service reads one, and which is not
/// known.
constexpr std::array<std::string_view, 5> kDecisive = {"model", "stream", "stream_options",
                                                       "previous_response_id", "conversation"};

bool is_text(ondemand::value& value) {
    return value.raw_json_token().starts_with('"');
}

bool is_object(ondemand::value& value) {
    return value.raw_json_token().starts_with('{');
}

std::string text_of(ondemand::value& value) {
    std::string_view text;
    return is_text(value) && value.get_string().get(text) == simdjson::SUCCESS ? std::string(text)
                                                                               : std::string();
}

/// `{"include_usage": false}` and the like, made to say true.
bool patch_options(ondemand::value& value, const char* base, Patch& patch) {
    ondemand::object object;
    const std::string_view whole = value.raw_json_token();
    patch = {static_cast<std::size_t>(whole.data() - base) + 1, 0, R"("include_usage":true)"};
    if (value.get_object().get(object) != simdjson::SUCCESS) {
        return false;
    }
    bool empty = true;
    for (auto item : object) {
        ondemand::field field;
        if (std::move(item).get(field) != simdjson::SUCCESS) {
            return false;
        }
        empty = false;
        if (key_of(field) == "include_usage") {
            const std::string_view token = token_of(field.value());
            patch = {static_cast<std::size_t>(token.data() - base), token.size(), "true"};
            return true;
        }
    }
    if (!empty) {
        patch.text += ',';
    }
    return true;
}

}  // namespace

bool plausible_model(std::string_view model) {
    return !model.empty() && model.size() <= 2'048 &&
           std::ranges::all_of(model, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<BodyHead> read_body_head(Operation operation, std::string& body) {
    BodyHead head;
    std::array<bool, kDecisive.size()> met{};
    std::string_view repeated;
    bool stream_is_odd = false;
    bool usage_asked = false;
    const bool responses = operation == Operation::responses;
    const bool whole = each_top(body, [&](std::string_view name, ondemand::value& value) {
        const auto* const decisive = std::ranges::find(kDecisive, name);
        if (decisive != kDecisive.end() &&
            std::exchange(met[static_cast<std::size_t>(decisive - kDecisive.begin())], true)) {
            repeated = *decisive;
        }
        if (name == "model") {
            head.model = text_of(value);
        } else if (name == "stream") {
            const std::string_view token = token_of(value);
            head.stream = token == "true";
            stream_is_odd = !head.stream && token != "false" && token != "null";
        } else if (name == "stream_options" && is_object(value)) {
            ondemand::object options;
            if (value.get_object().get(options) != simdjson::SUCCESS) {
                return false;
            }
            for (auto item : options) {
                ondemand::field field;
                if (std::move(item).get(field) != simdjson::SUCCESS) {
                    return false;
                }
                if (key_of(field) == "include_usage") {
                    usage_asked = token_of(field.value()) == "true";
                }
            }
        } else if (responses && name == "previous_response_id" && is_text(value)) {
            head.previous_response = text_of(value);
            head.stateful = true;
        } else if (responses && name == "conversation") {
            head.conversation = is_text(value) || is_object(value);
            head.stateful |= head.conversation;
        }
        return true;
    });
    if (!whole) {
        return failure("The request body is not a JSON object.");
    }
    if (!repeated.empty()) {
        return failure("The request body has `" + std::string(repeated) + "` more than once.");
    }
    if (stream_is_odd) {
        return failure("`stream` must be true or false.");
    }
    if (!plausible_model(head.model)) {
        return failure(
            "The request body has no usable `model`: it must be a string without spaces.");
    }
    head.states_usage = operation != Operation::chat_completions || !head.stream || usage_asked;
    return head;
}

std::string with_body_model(std::string_view body, std::string_view model) {
    std::string copy(body);
    Patch patch;
    const bool whole = each_top(copy, [&](std::string_view name, ondemand::value& value) {
        if (name == "model") {
            const std::string_view token = token_of(value);
            patch = {static_cast<std::size_t>(token.data() - copy.data()), token.size(),
                     quoted(model)};
        }
        return true;
    });
    return whole && patch.size > 0 ? patched(body, patch) : copy;
}

std::string with_stated_usage(std::string_view body) {
    std::string copy(body);
    Patch patch;
    bool found = false;
    bool whole = each_top(copy, [&](std::string_view name, ondemand::value& value) {
        if (name != "stream_options") {
            return true;
        }
        found = true;
        if (is_object(value)) {
            return patch_options(value, copy.data(), patch);
        }
        const std::string_view token = token_of(value);  // null; anything else is theirs to refuse
        patch = {static_cast<std::size_t>(token.data() - copy.data()), token.size(),
                 token == "null" ? R"({"include_usage":true})" : std::string(token)};
        return true;
    });
    if (!found) {  // a body that names a model is not empty
        patch = {copy.find('{') + 1, 0, R"("stream_options":{"include_usage":true},)"};
    }
    return whole ? patched(body, patch) : copy;
}

std::string response_id(std::string& body) {
    std::string id;
    each_top(body, [&](std::string_view name, ondemand::value& value) {
        if (name == "id") {
            id = codec::clean_id(text_of(value));
        }
        return name != "id";
    });
    return id;
}

bool is_body_setting(std::string_view name) {
    static constexpr std::array<std::string_view, 20> kSettings = {"model",
                                                                   "stream",
                                                                   "stream_options",
                                                                   "service_tier",
                                                                   "user",
                                                                   "stop",
                                                                   "stop_sequences",
                                                                   "store",
                                                                   "include",
                                                                   "truncation",
                                                                   "tool_choice",
                                                                   "previous_response_id",
                                                                   "background",
                                                                   "prompt_cache_key",
                                                                   "safety_identifier",
                                                                   "conversation",
                                                                   "betas",
                                                                   "modalities",
                                                                   "logit_bias",
                                                                   "prompt_cache_retention"};
    return std::ranges::find(kSettings, name) != kSettings.end();
}

}  // namespace weir::bedrock
