#include "gateway/via.h"

#include "codec/sigv4.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

namespace weir::gateway {
namespace {

using codec::equals_ignore_case;

constexpr std::string_view kSpace = " \t";

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
}

std::string_view take_word(std::string_view& text) {
    const auto end = std::min(text.find_first_of(" \t,("), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

/// Removes the rest of a list element and its comma. Comments nest; a backslash quotes one
/// character in them.
void skip_element(std::string_view& text) {
    std::size_t depth = 0;
    std::size_t i = 0;
    for (; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && depth > 0) {
            ++i;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')' && depth > 0) {
            --depth;
        } else if (c == ',' && depth == 0) {
            break;
        }
    }
    text.remove_prefix(std::min(i + 1, text.size()));
}

}  // namespace

std::string new_instance_name() {
    std::random_device device;
    std::array<std::uint8_t, 8> bytes;
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(device());
    }
    return "weir-" + codec::to_hex(bytes);
}

bool via_names(std::string_view value, std::string_view name) {
    while (!value.empty()) {
        skip_space(value);
        const auto protocol = take_word(value);
        skip_space(value);
        if (!protocol.empty() && take_word(value) == name) {
            return true;
        }
        skip_element(value);
    }
    return false;
}

bool has_been_through(const codec::Head& head, std::string_view name) {
    return head.find("via") != nullptr && std::ranges::any_of(head.fields, [&](const auto& field) {
               return equals_ignore_case(field.name, "via") && via_names(field.value, name);
           });
}

void append_via(std::string& out, const codec::Head& head, int http_version,
                std::string_view name) {
    out += "Via: ";
    if (head.find("via") != nullptr) {
        for (const auto& field : head.fields) {
            if (equals_ignore_case(field.name, "via") && !field.value.empty()) {
                out += field.value;
                out += ", ";
            }
        }
    }
    out += http_version == 20 ? "2 " : http_version == 10 ? "1.0 " : "1.1 ";
    out += name;
    out += "\r\n";
}

}  // namespace weir::gateway
