// What must hold for any bytes of an event stream. Run by the fuzzer, and over the corpus by the
// unit tests.
#pragma once

#include "codec/crc32.h"
#include "codec/eventstream.h"

#include "fuzz/check.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace weir::fuzz {

inline void put_sum(std::string& bytes, std::size_t at, std::uint32_t sum) {
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes[at++] = static_cast<char>((sum >> shift) & 0xFF);
}

/// Makes both lengths and both sums right, for a fuzzer would never guess them.
inline std::string mended(std::string_view body, std::size_t header_bytes) {
    std::string bytes(12, '\0');
    bytes += body;
    bytes += std::string(4, '\0');
    put_sum(bytes, 0, static_cast<std::uint32_t>(bytes.size()));
    put_sum(bytes, 4, static_cast<std::uint32_t>(header_bytes));
    put_sum(bytes, 8, codec::crc32(std::string_view(bytes).substr(0, 8)));
    put_sum(bytes, bytes.size() - 4,
            codec::crc32(std::string_view(bytes).substr(0, bytes.size() - 4)));
    return bytes;
}

/// A message's verdict does not change with what is behind it or how much of it is there.
inline void one_stream(std::string_view bytes) {
    while (!bytes.empty()) {
        codec::EventMessage message;
        const auto got = codec::read_event(bytes, message);
        const std::optional<std::size_t> taken = got.value_or(std::nullopt);
        if (!taken)
            return;
        const std::size_t size = *taken;
        check(size >= 16 && size <= bytes.size());
        codec::EventMessage cut;
        const std::size_t step = size / 64 + 1;
        for (std::size_t given = 0; given < size; given += step)
            check(codec::read_event(bytes.substr(0, given), cut) == std::nullopt);
        std::string again;
        codec::append_event(again, message.headers, message.payload);
        check(again == bytes.substr(0, size));
        bytes.remove_prefix(size);
    }
}

/// First as it is, then as headers and payload of a sound message.
inline void eventstream(std::string_view bytes) {
    one_stream(bytes);
    if (bytes.empty())
        return;
    const std::size_t header_bytes = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    one_stream(mended(bytes, std::min(header_bytes, bytes.size())));
}

}  // namespace weir::fuzz
