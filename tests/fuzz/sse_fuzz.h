// What must hold for any bytes of server-sent events. Run by the fuzzer, and over the corpus by the
// unit tests.
#pragma once

#include "codec/sse.h"

#include "fuzz/check.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::fuzz {

struct Seen {
    std::string event;
    std::string data;
    bool operator==(const Seen&) const = default;
};

/// The events with data of `bytes` that come in pieces of `step`; `taken`: the bytes they took.
inline std::vector<Seen> events(std::string_view bytes, std::size_t step, std::size_t& taken) {
    std::vector<Seen> seen;
    codec::SseReader reader;
    codec::SseEvent event;
    taken = 0;
    for (std::size_t given = 0; given < bytes.size();) {
        given = std::min(bytes.size(), given + step);
        while (true) {
            const std::string piece(bytes.substr(taken, given - taken));  // a buffer of its own
            const auto read = reader.read(piece, event);
            check(read.has_value());
            if (!*read) {
                break;
            }
            const std::size_t size = read->value();
            check(size > 0 && size <= piece.size());
            taken += size;
            check(event.data.find('\r') == std::string_view::npos);
            check(event.event.find_first_of("\r\n") == std::string_view::npos);
            check(event.has_data || event.data.empty());
            if (event.has_data) {
                seen.push_back({std::string(event.event), std::string(event.data)});
            }
        }
    }
    return seen;
}

/// Events by the letter of the standard, over the whole of it, the slow way.
inline std::vector<Seen> by_the_book(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF")) {
        bytes.remove_prefix(3);
    }
    std::vector<Seen> seen;
    Seen now;
    bool has_data = false;
    std::string line;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        if (bytes[at] != '\r' && bytes[at] != '\n') {
            line += bytes[at];
            continue;
        }
        if (bytes[at] == '\r' && at + 1 < bytes.size() && bytes[at + 1] == '\n') {
            ++at;
        }
        if (line.empty()) {
            if (has_data) {
                now.data.pop_back();
                seen.push_back(now);
            }
            now = {};
            has_data = false;
        } else {
            const auto colon = line.find(':');
            const std::string name = line.substr(0, colon);
            std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
            if (value.starts_with(' ')) {
                value.erase(0, 1);
            }
            if (name == "data") {
                now.data += value + "\n";
                has_data = true;
            } else if (name == "event") {
                now.event = value;
            }
        }
        line.clear();
    }
    return seen;
}

inline void sse(std::string_view bytes) {
    std::size_t taken = 0;
    const auto whole = events(bytes, bytes.size() + 1, taken);
    check(whole == by_the_book(bytes));
    for (const std::size_t step : {1, 2, 3, 7, 64}) {
        std::size_t by_pieces = 0;
        check(events(bytes, step, by_pieces) == whole);
        check(by_pieces == taken);
    }
}

}  // namespace weir::fuzz
