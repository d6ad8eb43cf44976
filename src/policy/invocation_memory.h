// What has been decided for an SDK's invocation, over its own retries.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::policy {

/// Keyed by client and amz-sdk-invocation-id. Bounded: the least recently used is forgotten first.
class InvocationMemory {
public:
    struct Entry {
        Instant arrival{};
        Duration waited{};
        std::uint32_t attempts = 0;
        std::optional<Refusal> refusal;  ///< final, to be repeated until...
        Instant until{};                 ///< ...this
        std::string key;
    };

    explicit InvocationMemory(std::size_t capacity) : capacity_(capacity) {}

    /// Nothing for an empty invocation or an unknown one. Valid until the next call.
    Entry* find(std::string_view client, std::string_view invocation);
    /// Found or made; null for an empty invocation.
    Entry* remember(std::string_view client, std::string_view invocation);
    void forget(std::string_view client, std::string_view invocation);
    /// Goes through all of them.
    template <class Which>
    void forget_if(Which which) {
        std::erase_if(entries_, [&](const Entry& entry) {
            if (!which(entry)) {
                return false;
            }
            index_.erase(entry.key);
            return true;
        });
    }
    std::size_t size() const { return entries_.size(); }

private:
    static std::string key_of(std::string_view client, std::string_view invocation);

    std::size_t capacity_;
    std::list<Entry> entries_;  // most recent first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
};

}  // namespace weir::policy
