#include "policy/prefix_memory.h"

#include <utility>

namespace weir::policy {

void PrefixMemory::unlink(std::uint32_t at) {
    const Entry& e = entries_[at];
    (e.newer == kNone ? newest_ : entries_[e.newer].older) = e.older;
    (e.older == kNone ? oldest_ : entries_[e.older].newer) = e.newer;
}

void PrefixMemory::link_newest(std::uint32_t at) {
    entries_[at].newer = kNone;
    entries_[at].older = newest_;
    (newest_ == kNone ? oldest_ : entries_[newest_].newer) = at;
    newest_ = at;
}

std::optional<std::uint64_t> PrefixMemory::find(std::uint64_t hash) {
    const auto known = index_.find(hash);
    if (known == index_.end()) {
        return std::nullopt;
    }
    unlink(known->second);
    link_newest(known->second);
    return entries_[known->second].tokens;
}

void PrefixMemory::remember(std::uint64_t hash, std::uint64_t tokens) {
    if (capacity_ == 0) {
        return;
    }
    if (find(hash)) {
        entries_[newest_].tokens = tokens;
        return;
    }
    std::uint32_t at = oldest_;
    if (entries_.size() < capacity_) {
        at = static_cast<std::uint32_t>(entries_.size());
        entries_.push_back({hash, tokens});
        index_.emplace(hash, at);
    } else {
        unlink(at);
        // The index keeps its node: at its bound the memory allocates nothing.
        auto node = index_.extract(entries_[at].hash);
        node.key() = hash;
        node.mapped() = at;
        index_.insert(std::move(node));
        entries_[at] = {hash, tokens};
    }
    link_newest(at);
}

void PrefixMemory::clear() {
    entries_.clear();
    index_.clear();
    newest_ = oldest_ = kNone;
}

}  // namespace weir::policy
