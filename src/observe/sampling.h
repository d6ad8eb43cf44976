// Which requests are among a share of all.
#pragma once

#include <weir/split_mix.h>

#include <cstdint>
#include <string_view>

namespace weir::observe {

/// Depends on the id alone: everybody who asks about a request with the same share gets the same
/// answer, and a larger share holds all of a smaller one.
inline bool in_sample(std::string_view id, double share) {
    if (share >= 1) {
        return true;
    }
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
    for (const char c : id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return SplitMix64(hash).uniform() < share;
}

}  // namespace weir::observe
