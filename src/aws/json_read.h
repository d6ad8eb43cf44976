// Reads JSON of services and files that are not trusted. A member that is absent, of another type
// or too long reads as empty.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::aws {

/// Returns a discarded value (`is_discarded()`) if `text` is not JSON or nests deeper than
/// codec::kMostJsonDepth. Does not throw.
nlohmann::json parse_json(std::string_view text);

inline const nlohmann::json& member(const nlohmann::json& object, const char* name) {
    static const nlohmann::json kNone;
    if (!object.is_object()) {
        return kNone;
    }
    const auto found = object.find(name);
    return found == object.end() ? kNone : *found;
}

/// A string of any length, such as a token. Empty if absent or not a string.
inline std::string string_of(const nlohmann::json& object, const char* name) {
    const nlohmann::json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : "";
}

/// Empty: absent, not a text, longer than `most`, or with control characters.
inline std::string text_of(const nlohmann::json& object, const char* name,
                           std::size_t most = 2048) {
    const nlohmann::json& value = member(object, name);
    if (!value.is_string()) {
        return "";
    }
    const auto& text = value.get_ref<const std::string&>();
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return "";
        }
    }
    return text.size() > most ? "" : text;
}

inline bool flag_of(const nlohmann::json& object, const char* name) {
    const nlohmann::json& value = member(object, name);
    return value.is_boolean() && value.get<bool>();
}

inline std::optional<double> number_of(const nlohmann::json& object, const char* name) {
    const nlohmann::json& value = member(object, name);
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

}  // namespace weir::aws
