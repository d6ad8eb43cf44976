// Cluster mode: which slot a key has, and which server has a slot.
#pragma once

#include "shared/resp.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

inline constexpr unsigned kSlots = 16384;

/// CRC-16/XMODEM of the key's hash tag: what is between its first '{' and the next '}', if that is
/// not empty; else of the whole key.
unsigned slot_of(std::string_view key);

struct Place {
    std::string host;
    std::uint16_t port = 0;

    auto operator<=>(const Place&) const = default;
};

/// Of the primaries alone.
struct SlotMap {
    static constexpr std::uint16_t kNobody = 0xFFFF;
    static constexpr std::size_t kMostPlaces = 2000;

    std::vector<Place> places;
    std::vector<std::uint16_t> owner = std::vector<std::uint16_t>(kSlots, kNobody);  // in places

    /// From the reply to CLUSTER SLOTS. `asked`: the server that gave it, which may leave its own
    /// host out. `by_name`: a host's name is preferred to its address, for certificates. Nullopt:
    /// that is no such reply.
    static std::optional<SlotMap> from(const Reply& reply, const Place& asked, bool by_name);
};

struct Redirect {
    bool ask = false;  // for this call alone; else for all of the slot
    unsigned slot = 0;
    Place to;
};

/// "MOVED 3999 127.0.0.1:6381", "ASK ..."; nullopt: another error.
std::optional<Redirect> redirect_of(std::string_view error, const Place& asked);

}  // namespace weir::shared
