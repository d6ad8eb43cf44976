#include "bedrock/passed_body.h"

#include "bedrock/body_head.h"
#include "bedrock/splice.h"
#include "codec/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace weir::bedrock {

namespace {

struct Found {
    std::string text;
    int times = 0;
};

/// Looks for the text at the end of `path`, a list of member names. False: the JSON breaks.
bool find_text(ondemand::object& object, std::span<const std::string_view> path, Found& found) {
    for (auto item : object) {
        ondemand::field field;
        if (std::move(item).get(field) != simdjson::SUCCESS) {
            return false;
        }
        if (key_of(field) != path.front()) {
            continue;
        }
        auto& value = field.value();
        if (path.size() == 1) {
            ++found.times;
            std::string_view text;
            found.text = value.raw_json_token().starts_with('"') &&
                                 value.get_string().get(text) == simdjson::SUCCESS
                             ? std::string(text)
                             : std::string();
            continue;
        }
        ondemand::object inner;
        if (value.get_object().get(inner) != simdjson::SUCCESS ||
            !find_text(inner, path.subspan(1), found)) {
            return false;
        }
    }
    return true;
}

bool find_text(std::string& body, std::span<const std::string_view> path, Found& found) {
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    return parser.iterate(padded(body)).get(document) == simdjson::SUCCESS &&
           document.get_object().get(object) == simdjson::SUCCESS &&
           find_text(object, path, found) &&
           document.current_location().error() == simdjson::OUT_OF_BOUNDS;  // nothing follows it
}

/// A value as written. False: the JSON breaks.
bool raw_of(ondemand::value& value, std::string_view& raw) {
    const char first = value.raw_json_token().front();
    if (first == '{') {
        ondemand::object object;
        return value.get_object().get(object) == simdjson::SUCCESS &&
               object.raw_json().get(raw) == simdjson::SUCCESS;
    }
    if (first == '[') {
        ondemand::array array;
        return value.get_array().get(array) == simdjson::SUCCESS &&
               array.raw_json().get(raw) == simdjson::SUCCESS;
    }
    raw = token_of(value);
    return begins_value(raw);
}

/// "a, b" as `["a","b"]`; empty: none is named.
std::string beta_list(std::string_view betas) {
    std::string list;
    while (!betas.empty()) {
        const auto comma = betas.find(',');
        std::string_view name = betas.substr(0, comma);
        betas.remove_prefix(comma == std::string_view::npos ? betas.size() : comma + 1);
        const auto from = name.find_first_not_of(" \t");
        if (from == std::string_view::npos) {
            continue;
        }
        name = name.substr(from, name.find_last_not_of(" \t") + 1 - from);
        list += (list.empty() ? "[" : ",") + quoted(name);
    }
    return list.empty() ? list : list + "]";
}

}  // namespace

Result<std::string> model_to_run(Operation operation, std::string& body) {
    static constexpr std::array<std::string_view, 1> kModelId{"modelId"};
    static constexpr std::array<std::string_view, 4> kModelArn{"rerankingConfiguration",
                                                               "bedrockRerankingConfiguration",
                                                               "modelConfiguration", "modelArn"};
    const auto path = operation == Operation::rerank ? std::span<const std::string_view>(kModelArn)
                                                     : std::span<const std::string_view>(kModelId);
    Found found;
    if (!find_text(body, path, found)) {
        return failure("The request body is not the JSON object that this operation takes.");
    }
    if (found.times > 1) {
        return failure("The request body has `" + std::string(path.back()) + "` more than once.");
    }
    if (!plausible_model(found.text)) {
        return failure("The request body has no usable `" + std::string(path.back()) + "`.");
    }
    return std::move(found.text);
}

std::string made_arn(Operation operation, std::string& answer) {
    const std::array<std::string_view, 1> path{
        operation == Operation::start_async_invoke ? "invocationArn" : "jobArn"};
    Found found;
    return find_text(answer, path, found) ? std::move(found.text) : std::string();
}

Result<std::string> count_tokens_body(std::string& messages_body, std::string_view betas) {
    std::string inner = R"({"anthropic_version":"bedrock-2023-05-31")";
    bool max_tokens = false;
    bool beta_given = false;
    const bool whole = each_top(messages_body, [&](std::string_view name, ondemand::value& value) {
        // The path names the model, nothing is streamed, and the version is Bedrock's own.
        if (name == "model" || name == "stream" || name == "anthropic_version") {
            return true;
        }
        max_tokens |= name == "max_tokens";
        beta_given |= name == "anthropic_beta";
        std::string_view raw;
        if (!raw_of(value, raw)) {
            return false;
        }
        inner += ',';
        inner += quoted(name);
        inner += ':';
        inner += raw;
        return true;
    });
    if (!whole) {
        return failure("The request body is not a JSON object.");
    }
    if (!max_tokens) {  // InvokeModel's bodies need one, and CountTokens checks them
        inner += R"(,"max_tokens":1)";
    }
    if (const auto list = beta_list(betas); !list.empty() && !beta_given) {
        inner += R"(,"anthropic_beta":)" + list;
    }
    inner += '}';
    std::string body = R"({"input":{"invokeModel":{"body":")";
    codec::append_base64(body, inner);
    body += "\"}}}";
    return body;
}

std::string anthropic_count(std::string& answer) {
    std::uint64_t tokens = 0;
    bool found = false;
    each_top(answer, [&](std::string_view name, ondemand::value& value) {
        if (name == "inputTokens") {
            found = value.get_uint64().get(tokens) == simdjson::SUCCESS;
        }
        return !found;
    });
    return found ? "{\"input_tokens\":" + std::to_string(tokens) + "}" : answer;
}

}  // namespace weir::bedrock
