#include "policy/invocation_memory.h"

namespace weir::policy {

std::string InvocationMemory::key_of(std::string_view client, std::string_view invocation) {
    std::string key;
    key.reserve(client.size() + invocation.size() + 1);
    key.append(client).push_back('\0');
    return key.append(invocation);
}

InvocationMemory::Entry* InvocationMemory::find(std::string_view client,
                                                std::string_view invocation) {
    if (invocation.empty() || entries_.empty()) {
        return nullptr;
    }
    const auto at = index_.find(key_of(client, invocation));
    if (at == index_.end()) {
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, at->second);
    return &*at->second;
}

InvocationMemory::Entry* InvocationMemory::remember(std::string_view client,
                                                    std::string_view invocation) {
    if (invocation.empty()) {
        return nullptr;
    }
    if (Entry* known = find(client, invocation)) {
        return known;
    }
    entries_.emplace_front();
    entries_.front().key = key_of(client, invocation);
    index_.emplace(entries_.front().key, entries_.begin());
    if (entries_.size() > capacity_) {
        index_.erase(entries_.back().key);
        entries_.pop_back();
    }
    return &entries_.front();
}

void InvocationMemory::forget(std::string_view client, std::string_view invocation) {
    if (invocation.empty() || entries_.empty()) {
        return;
    }
    const auto at = index_.find(key_of(client, invocation));
    if (at != index_.end()) {
        const auto entry = at->second;
        index_.erase(at);
        entries_.erase(entry);
    }
}

}  // namespace weir::policy
