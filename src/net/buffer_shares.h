// Which client and which connection hold how much of the memory for messages under way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace weir::net {

/// May a holder of `held` bytes take so many more? Bounded by what is still free after it, so that
/// the last bytes are never one holder's (Choudhury and Hahne, "Dynamic Queue Length Thresholds",
/// 1998): alone it gets three quarters of all; two get three sevenths each, and a seventh stays for
/// the next. The only message of a holder (`of_this`) is always admitted: other limits bound
/// it.
constexpr bool within_share(std::uint64_t held, std::uint64_t of_this, std::uint64_t bytes,
                            std::uint64_t free_after) {
    constexpr std::uint64_t kTimesFree = 3;
    return held == of_this || (held + bytes) / kTimesFree <= free_after;
}

/// A fixed table of counters for each kind of holder. Two names may share a counter. Callers cannot
/// choose which names collide, because the seed is secret. Thread-safe.
class BufferShares {
public:
    using Counter = std::atomic<std::uint64_t>;
    /// Where the bytes of one holder are counted.
    struct Holder {
        Counter* client = nullptr;
        Counter* connection = nullptr;
    };

    explicit BufferShares(std::uint64_t seed) : seed_(seed) {}

    Holder holder(std::string_view client, std::string_view connection) {
        return {&counter(clients_, client), &counter(connections_, connection)};
    }

private:
    using Table = std::array<Counter, 1024>;

    Counter& counter(Table& table, std::string_view name) const {
        std::uint64_t hash = seed_ ^ 0xcbf29ce484222325;  // FNV-1a, then mixed
        for (const char c : name) {
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        }
        hash ^= hash >> 32;
        hash *= 0x9e3779b97f4a7c15;
        return table[(hash >> 40) % table.size()];
    }

    std::uint64_t seed_;
    Table clients_{};
    Table connections_{};
};

}  // namespace weir::net
