// A value or a typed error, for every operation that bad input or the environment can make fail.
#pragma once

#include <expected>
#include <string>

namespace weir {

/// What went wrong and what is allowed, as a message for the person who has to fix it.
struct Error {
    std::string message;

    bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(std::string message) {
    return std::unexpected<Error>(Error{std::move(message)});
}

}  // namespace weir
