// Sixteen bytes at a time, in the compilers' own vectors.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::codec {

using Lanes = std::uint8_t __attribute__((vector_size(16)));
inline constexpr std::size_t kLanes = sizeof(Lanes);

inline Lanes load_lanes(const char* at) {
    Lanes bytes;
    std::memcpy(&bytes, at, kLanes);
    return bytes;
}

/// All bytes of a text of 1 to 15, some of them more than once. By way of registers: a wide load of
/// what was just stored in pieces waits until the stores are through.
inline Lanes load_short_lanes(std::string_view text) {
    using Halves = std::uint64_t __attribute__((vector_size(16)));
    const std::size_t size = text.size();
    const auto ends = [&]<class Word>(Word& first, Word& last) {
        std::memcpy(&first, text.data(), sizeof(Word));
        std::memcpy(&last, text.data() + size - sizeof(Word), sizeof(Word));
    };
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    if (size >= 8) {
        ends(low, high);
    } else {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
        if (size >= 4) {
            ends(first, last);
        } else {
            const auto byte = [&](std::size_t at) {
                return std::uint32_t{static_cast<unsigned char>(text[at])};
            };
            first = last = byte(0) | byte(size / 2) << 8 | byte(size - 1) * 0x0101'0000U;
        }
        low = high = first | std::uint64_t{last} << 32;
    }
    return std::bit_cast<Lanes>(Halves{low, high});
}

/// What a comparison of lanes says: all bits of a lane, or none.
template <class Comparison>
Lanes true_lanes(Comparison comparison) {
    return std::bit_cast<Lanes>(comparison);
}

/// Lanes from `first` to `last`.
inline Lanes lanes_within(Lanes bytes, char first, char last) {
    return true_lanes(bytes - static_cast<std::uint8_t>(first) <=
                      static_cast<std::uint8_t>(last - first));
}
/// Lanes with an ASCII letter.
inline Lanes letter_lanes(Lanes bytes) {
    return lanes_within(bytes | 0x20, 'a', 'z');
}

/// A bit for each lane of true_lanes, the first one's lowest.
inline unsigned lane_bits(Lanes lanes) {
#ifdef __SSE2__
    using Chars = char __attribute__((vector_size(16)));
    return static_cast<unsigned>(__builtin_ia32_pmovmskb128(std::bit_cast<Chars>(lanes)));
#else
    const Lanes weights{1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const Lanes bits = lanes & weights;
    unsigned low = 0;
    unsigned high = 0;
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
        low |= bits[i];
        high |= bits[i + kLanes / 2];
    }
    return low | high << 8;
#endif
}

/// Where from `from` on the first byte stands that `marked` marks in its lanes; the end if none is.
template <class Marked>
std::size_t find_first(std::string_view text, std::size_t from, Marked marked) {
    const std::size_t size = text.size();
    if (size == 0) {
        return 0;
    }
    if (size < kLanes) {
        Lanes some{};
        std::memcpy(&some, text.data(), size);
        const unsigned found = lane_bits(marked(some)) >> from << from;
        return std::min(size, static_cast<std::size_t>(std::countr_zero(found)));
    }
    for (std::size_t i = from; i < size; i += kLanes) {
        const std::size_t at = std::min(i, size - kLanes);  // looks again at some, at the end
        const unsigned found = lane_bits(marked(load_lanes(text.data() + at))) >> (i - at);
        if (found != 0) {
            return i + static_cast<std::size_t>(std::countr_zero(found));
        }
    }
    return size;
}

}  // namespace weir::codec
