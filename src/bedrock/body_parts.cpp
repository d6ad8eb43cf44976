#include "bedrock/body_parts.h"

#include "bedrock/splice.h"

#include <optional>
#include <vector>

namespace weir::bedrock {

namespace {

/// All of a value as it is written; nullopt: the JSON breaks.
std::optional<std::string_view> whole_text(ondemand::value& value) {
    const std::string_view token = token_of(value);
    std::string_view text = token;
    if (token.starts_with('{')) {
        ondemand::object object;
        if (value.get_object().get(object) != simdjson::SUCCESS ||
            object.raw_json().get(text) != simdjson::SUCCESS) {
            return std::nullopt;
        }
    } else if (token.starts_with('[')) {
        ondemand::array array;
        if (value.get_array().get(array) != simdjson::SUCCESS ||
            array.raw_json().get(text) != simdjson::SUCCESS) {
            return std::nullopt;
        }
    }
    return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

/// Every `name` at the top gets this value: which of two a service obeys is not known. A body
/// without one gets it in front.
std::string with_member(std::string_view body, std::string_view name, std::string_view json) {
    std::string copy(body);
    std::vector<Patch> patches;
    bool empty = true;
    const bool whole = each_top(copy, [&](std::string_view key, ondemand::value& value) {
        empty = false;
        if (key != name) {
            return true;
        }
        const auto text = whole_text(value);
        if (text) {
            patches.push_back({static_cast<std::size_t>(text->data() - copy.data()), text->size(),
                               std::string(json)});
        }
        return text.has_value();
    });
    if (!whole) {
        return std::string(body);  // the service will say what is wrong with it
    }
    if (patches.empty()) {
        patches.push_back(
            {body.find('{') + 1, 0, quoted(name) + ":" + std::string(json) + (empty ? "" : ",")});
    }
    std::string out(body);
    for (auto patch = patches.rbegin(); patch != patches.rend(); ++patch) {
        out.replace(patch->at, patch->size, patch->text);
    }
    return out;
}

}  // namespace

std::string with_tier(std::string_view body, Operation operation, std::string_view tier) {
    if (!tier_in_body(operation)) {
        return std::string(body);
    }
    return names_model_in_body(operation)
               ? with_member(body, "service_tier", quoted(tier))
               : with_member(body, "serviceTier", "{\"type\":" + quoted(tier) + "}");
}

std::string with_guardrail(std::string_view body, std::string_view guardrail) {
    std::string copy(body);
    Patch patch;
    const bool whole = each_top(copy, [&](std::string_view key, ondemand::value& value) {
        ondemand::object config;
        if (key != "guardrailConfig" || value.get_object().get(config) != simdjson::SUCCESS) {
            return true;
        }
        for (auto item : config) {
            ondemand::field field;
            if (std::move(item).get(field) != simdjson::SUCCESS) {
                return false;
            }
            if (key_of(field) == "guardrailIdentifier") {
                const std::string_view token = token_of(field.value());
                patch = {static_cast<std::size_t>(token.data() - copy.data()), token.size(),
                         quoted(guardrail)};
            }
        }
        return true;
    });
    return whole && patch.size > 0 ? patched(body, patch) : std::string(body);
}

}  // namespace weir::bedrock
