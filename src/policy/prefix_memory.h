// What the service counted for whole requests, so that a conversation's next turn need not be
// estimated from its beginning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

namespace weir::policy {

/// Input tokens by the hash of what was asked. Bounded: the least recently used is forgotten first.
/// Grows with use, to about 80 bytes an entry.
class PrefixMemory {
public:
    explicit PrefixMemory(std::size_t capacity) : capacity_(capacity) {}

    /// Finding it counts as use.
    std::optional<std::uint64_t> find(std::uint64_t hash);
    void remember(std::uint64_t hash, std::uint64_t tokens);
    void clear();
    std::size_t size() const { return entries_.size(); }

private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    struct Entry {
        std::uint64_t hash;
        std::uint64_t tokens;
        std::uint32_t newer = kNone;
        std::uint32_t older = kNone;
    };

    void unlink(std::uint32_t at);
    void link_newest(std::uint32_t at);

    std::size_t capacity_;
    std::vector<Entry> entries_;
    std::unordered_map<std::uint64_t, std::uint32_t> index_;
    std::uint32_t newest_ = kNone;
    std::uint32_t oldest_ = kNone;
};

}  // namespace weir::policy
