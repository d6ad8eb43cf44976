// Where the prompt cache of a conversation is.
#pragma once

#include <weir/input_counts.h>
#include <weir/time.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace weir::policy {

/// Remembers, for requests whose usage showed a prompt cache, the target that served them last. The
/// service drops a cache five minutes after its last use, and so does this.
///
/// Bounded: when full, the oldest entry is forgotten first.
class CacheHomes {
public:
    explicit CacheHomes(std::size_t capacity) : capacity_(capacity) {}

    /// The target that holds the longest known beginning of the conversation.
    std::optional<std::uint32_t> find(std::span<const InputMark> conversation, Instant now) const;
    void remember(std::uint64_t conversation, std::uint32_t target, Instant now);
    std::size_t size() const { return homes_.size(); }

private:
    struct Home {
        std::uint32_t target = 0;
        Instant until{};
    };

    std::size_t capacity_;
    std::unordered_map<std::uint64_t, Home> homes_;
    std::vector<std::uint64_t> order_;  // a ring of the keys, oldest at next_ when full
    std::size_t next_ = 0;
};

}  // namespace weir::policy
