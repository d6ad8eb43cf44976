// Small helpers on simdjson's on-demand interface, where the library's own would copy or throw.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

namespace weir::bedrock {

namespace ondemand = simdjson::ondemand;

/// Larger bodies get a parser for themselves, so that none keeps the memory of one.
inline constexpr std::size_t kKeptParserBytes = 1UL << 20;

/// simdjson reads past the end; `body` gets the room without a change of its content.
inline simdjson::padded_string_view padded(std::string& body) {
    if (body.capacity() < body.size() + simdjson::SIMDJSON_PADDING) {
        body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    }
    return simdjson::padded_string_view(body.data(), body.size(), body.capacity());
}

/// Key without its quotes. Unescapes only where there is an escape; may be asked once a field.
inline std::string_view key_of(ondemand::field& field) {
    const char* const start = field.key().raw();
    const char* end = start;
    while (*end != '"') {
        if (*end == '\\') {
            std::string_view key;
            return field.unescaped_key().get(key) == simdjson::SUCCESS ? key : std::string_view();
        }
        ++end;
    }
    return {start, static_cast<std::size_t>(end - start)};
}

/// A scalar as written, without the space after it.
inline std::string_view token_of(ondemand::value& value) {
    const std::string_view token = value.raw_json_token();
    return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

/// Can a value begin with this? simdjson checks only the values that are read.
inline bool begins_value(std::string_view token) {
    constexpr std::string_view kFirst = "\"{[-0123456789tfn";
    return !token.empty() && kFirst.find(token.front()) != std::string_view::npos;
}

/// The inside of a string as written, escapes and all.
inline std::string_view string_inside(std::string_view token) {
    return token.size() >= 2 && token.back() == '"' ? token.substr(1, token.size() - 2)
                                                    : std::string_view();
}

/// As string_inside, empty for anything that is not a string.
inline std::string_view raw_text(ondemand::value& value) {
    const std::string_view token = token_of(value);
    return token.starts_with('"') ? string_inside(token) : std::string_view();
}

}  // namespace weir::bedrock
