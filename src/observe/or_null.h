// What is not known is null in JSON.
#pragma once

#include "observe/life.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string_view>

namespace weir::observe {

/// Of a text that is empty.
inline nlohmann::ordered_json or_null(std::string_view text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

/// Milliseconds; of kNever.
inline nlohmann::ordered_json ms_or_null(Moment micros) {
    return micros == kNever ? nlohmann::ordered_json()
                            : nlohmann::ordered_json(static_cast<double>(micros) / 1000);
}

}  // namespace weir::observe
