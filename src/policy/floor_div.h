#pragma once

#include <cstdint>

namespace weir::policy {

/// The quotient rounded down, also below zero: times before a clock's zero lie in buckets too.
constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    const std::int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

}  // namespace weir::policy
