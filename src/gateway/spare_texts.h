// Memory of the texts that a request needs for a while: bodies, heads.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace weir::gateway {

/// A text that is given back here lends its memory to the next one: the allocator is slow for these
/// sizes when many requests are under way. What is kept is bounded.
class SpareTexts {
public:
    static constexpr std::size_t kLargest = 4096;  // bytes of one
    static constexpr std::size_t kMost = 128;

    SpareTexts() { kept_.reserve(kMost); }

    /// Empty, with the memory of one that was given back, if there is any.
    std::string take() {
        if (kept_.empty()) {
            return {};
        }
        std::string text = std::move(kept_.back());
        kept_.pop_back();
        return text;
    }
    void give_back(std::string&& text) noexcept {
        if (text.capacity() <= kLargest && kept_.size() < kMost) {
            text.clear();
            kept_.push_back(std::move(text));
        }
    }

private:
    std::vector<std::string> kept_;
};

}  // namespace weir::gateway
