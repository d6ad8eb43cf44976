#include "observe/figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace weir::observe {

std::string figure(std::uint64_t value) {
    return grouped(static_cast<double>(value));
}

std::string grouped(double value) {
    const std::string digits = std::to_string(std::llround(value));
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) {
            text += ',';
        }
        text += digits[i];
    }
    return text;
}

std::string percent(double share) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f %%",
                  share < 1 ? std::min(share * 100, 99.9) : 100.0);
    return text.data();
}

bool fits_the_whole(std::uint64_t used, std::uint64_t cost, std::uint64_t limit) {
    return limit > 0 && cost <= limit && used <= limit - cost;
}

}  // namespace weir::observe
