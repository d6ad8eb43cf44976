// Finds members in JSON of the service without parsing it, for frequent events.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace weir::bedrock {

/// Where the value of the first member of that name begins; npos: there is none. A name inside a
/// text is escaped and not found.
inline std::size_t member_at(std::string_view json, std::string_view quoted_name) {
    std::size_t at = 0;
    while ((at = json.find(quoted_name, at)) != std::string_view::npos) {
        at += quoted_name.size();
        const std::size_t colon = json.find_first_not_of(" \t\r\n", at);
        if (colon != std::string_view::npos && json[colon] == ':') {
            return json.find_first_not_of(" \t\r\n", colon + 1);
        }
    }
    return std::string_view::npos;
}

/// The inside of the first string member of that name, escapes and all; nullopt if there is none.
inline std::optional<std::string_view> string_member(std::string_view json,
                                                     std::string_view quoted_name) {
    while (true) {
        std::size_t from = member_at(json, quoted_name);
        if (from == std::string_view::npos) {
            return std::nullopt;
        }
        if (json[from] != '"') {
            json.remove_prefix(from);
            continue;
        }
        std::size_t end = ++from;
        while (end < json.size() && json[end] != '"') {
            end += json[end] == '\\' ? 2 : 1;
        }
        return json.substr(from, std::min(end, json.size()) - from);
    }
}

}  // namespace weir::bedrock
