// A value or a typed error, for everything that bad input or the outside world can make fail.
#pragma once

#include <expected>
#include <string>

namespace weir {

/// What went wrong and what would have been right, in words meant for the person who must mend it.
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
