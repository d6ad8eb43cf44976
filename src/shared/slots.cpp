#include "shared/slots.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace weir::shared {

namespace {

unsigned crc16(std::string_view bytes) {
    unsigned crc = 0;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
        }
        crc &= 0xFFFFU;
    }
    return crc;
}

template <class T>
bool read_number(std::string_view digits, T& into) {
    const auto* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, into);
    return read.ec == std::errc() && read.ptr == end;
}

bool is_slot(const Reply& reply) {
    return reply.kind == Reply::Kind::integer && reply.integer >= 0 && reply.integer < kSlots;
}

/// Redis 7 and Valkey add what else a server is known by: names and values in turn.
std::string_view known_as(const Reply& server) {
    if (server.items.size() < 4) {
        return {};
    }
    const auto& more = server.items[3].items;
    for (std::size_t i = 0; i + 1 < more.size(); i += 2) {
        if (more[i].text == "hostname") {
            return more[i + 1].text;
        }
    }
    return {};
}

/// Nullopt: unknown to the server that was asked, or no server at all.
std::optional<Place> place_of(const Reply& server, const Place& asked, bool by_name) {
    if (server.items.size() < 2 || server.items[1].kind != Reply::Kind::integer ||
        server.items[1].integer < 1 || server.items[1].integer > 65535) {
        return std::nullopt;
    }
    Place place{server.items[0].text, static_cast<std::uint16_t>(server.items[1].integer)};
    if (const auto name = known_as(server); by_name && !name.empty()) {
        place.host = name;
    }
    if (place.host == "?") {
        return std::nullopt;
    }
    if (place.host.empty()) {
        place.host = asked.host;
    }
    return place;
}

}  // namespace

unsigned slot_of(std::string_view key) {
    if (const auto open = key.find('{'); open != std::string_view::npos) {
        const auto close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) {
            key = key.substr(open + 1, close - open - 1);
        }
    }
    return crc16(key) % kSlots;
}

std::optional<SlotMap> SlotMap::from(const Reply& reply, const Place& asked, bool by_name) {
    if (reply.kind != Reply::Kind::array) {
        return std::nullopt;
    }
    SlotMap map;
    std::map<Place, std::uint16_t> known;
    for (const Reply& range : reply.items) {
        if (range.items.size() < 3 || !is_slot(range.items[0]) || !is_slot(range.items[1]) ||
            range.items[0].integer > range.items[1].integer) {
            return std::nullopt;
        }
        const auto place = place_of(range.items[2], asked, by_name);
        if (!place) {
            continue;
        }
        const auto [found, fresh] =
            known.emplace(*place, static_cast<std::uint16_t>(map.places.size()));
        if (fresh) {
            if (map.places.size() == kMostPlaces) {
                return std::nullopt;
            }
            map.places.push_back(*place);
        }
        std::fill(map.owner.begin() + range.items[0].integer,
                  map.owner.begin() + range.items[1].integer + 1, found->second);
    }
    return map;
}

std::optional<Redirect> redirect_of(std::string_view error, const Place& asked) {
    Redirect redirect;
    if (error.starts_with("ASK ")) {
        redirect.ask = true;
        error.remove_prefix(4);
    } else if (error.starts_with("MOVED ")) {
        error.remove_prefix(6);
    } else {
        return std::nullopt;
    }
    const auto space = error.find(' ');
    const auto colon = error.rfind(':');  // an IPv6 address has more of them
    if (space == std::string_view::npos || colon == std::string_view::npos || colon < space ||
        !read_number(error.substr(0, space), redirect.slot) || redirect.slot >= kSlots ||
        !read_number(error.substr(colon + 1), redirect.to.port) || redirect.to.port == 0) {
        return std::nullopt;
    }
    redirect.to.host = error.substr(space + 1, colon - space - 1);
    if (redirect.to.host.empty()) {
        redirect.to.host = asked.host;
    }
    return redirect;
}

}  // namespace weir::shared
