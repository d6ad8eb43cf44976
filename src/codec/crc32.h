// CRC-32 as in zlib and Ethernet, eight bytes a step.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::codec {

/// kCrcTables[k][b]: what byte b does to the sum with k zero bytes behind it.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
    CrcTables tables{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        std::uint32_t sum = b;
        for (int bit = 0; bit < 8; ++bit)
            sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xEDB88320U : 0);
        tables[0][b] = sum;
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t b = 0; b < 256; ++b) {
            const std::uint32_t before = tables[k - 1][b];
            tables[k][b] = (before >> 8) ^ tables[0][before & 0xFF];
        }
    return tables;
}
inline constexpr CrcTables kCrcTables = make_crc_tables();

constexpr std::uint32_t crc32(std::string_view bytes) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
    };
    std::uint32_t sum = 0xFFFFFFFFU;
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        sum ^= byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
        sum = kCrcTables[7][sum & 0xFF] ^ kCrcTables[6][(sum >> 8) & 0xFF] ^
              kCrcTables[5][(sum >> 16) & 0xFF] ^ kCrcTables[4][sum >> 24] ^
              kCrcTables[3][byte(i + 4)] ^ kCrcTables[2][byte(i + 5)] ^ kCrcTables[1][byte(i + 6)] ^
              kCrcTables[0][byte(i + 7)];
    }
    for (; i < bytes.size(); ++i)
        sum = (sum >> 8) ^ kCrcTables[0][(sum ^ byte(i)) & 0xFF];
    return ~sum;
}
static_assert(crc32("123456789") == 0xCBF43926U);

}  // namespace weir::codec
