// Changing a few bytes of a JSON body and no others.
#pragma once

#include "bedrock/json.h"

#include <string>
#include <string_view>
#include <utility>

namespace weir::bedrock {

/// Calls `use` with name and value of each top-level member; false: the JSON is invalid.
template <class Use>
bool each_top(std::string& body, Use use) {
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    if (parser.iterate(padded(body)).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
        return false;
    }
    for (auto item : object) {
        ondemand::field field;
        if (std::move(item).get(field) != simdjson::SUCCESS) {
            return false;
        }
        const std::string_view name = key_of(field);
        if (!use(name, field.value())) {
            return false;
        }
    }
    return true;
}

/// A replacement for a part of a body.
struct Patch {
    std::size_t at = 0;
    std::size_t size = 0;
    std::string text;
};

inline std::string patched(std::string_view body, const Patch& patch) {
    std::string out;
    out.reserve(body.size() + patch.text.size());
    out.append(body.substr(0, patch.at)).append(patch.text);
    out.append(body.substr(patch.at + patch.size));
    return out;
}

inline std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    out += '"';
    return out;
}

}  // namespace weir::bedrock
