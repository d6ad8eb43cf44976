#include "bedrock/image_size.h"

#include "codec/base64.h"

#include <string>

namespace weir::bedrock {

namespace {

/// Bytes by their place; nothing is decoded but what is asked for.
class Bytes {
public:
    explicit Bytes(std::string_view base64) : base64_(base64) {}

    /// Sets `broken` where there is no such byte.
    std::uint32_t at(std::size_t place) {
        const std::size_t group = place / 3 * 4;
        std::string decoded;
        if (group < base64_.size()) {
            codec::append_base64_decoded(decoded, base64_.substr(group, 4));
        }
        if (decoded.size() <= place % 3) {
            broken = true;
            return 0;
        }
        return static_cast<unsigned char>(decoded[place % 3]);
    }
    std::uint32_t big(std::size_t place, int bytes) {
        std::uint32_t value = 0;
        for (int i = 0; i < bytes; ++i) {
            value = value << 8 | at(place + static_cast<std::size_t>(i));
        }
        return value;
    }
    std::uint32_t little(std::size_t place, int bytes) {
        std::uint32_t value = 0;
        for (int i = bytes; i-- > 0;) {
            value = value << 8 | at(place + static_cast<std::size_t>(i));
        }
        return value;
    }
    bool is(std::size_t place, std::string_view text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (at(place + i) != static_cast<unsigned char>(text[i])) {
                return false;
            }
        }
        return true;
    }

    bool broken = false;

private:
    std::string_view base64_;
};

std::optional<ImageSize> jpeg_size(Bytes& bytes) {
    constexpr int kMostSegments = 32;
    std::size_t at = 2;
    for (int i = 0; i < kMostSegments && !bytes.broken; ++i) {
        if (bytes.at(at) != 0xff) {
            return std::nullopt;
        }
        const std::uint32_t marker = bytes.at(at + 1);
        const bool frame =
            marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (frame) {
            return ImageSize{bytes.big(at + 7, 2), bytes.big(at + 5, 2)};
        }
        at += 2 + bytes.big(at + 2, 2);
    }
    return std::nullopt;
}

std::optional<ImageSize> webp_size(Bytes& bytes) {
    if (bytes.is(12, "VP8X")) {
        return ImageSize{1 + bytes.little(24, 3), 1 + bytes.little(27, 3)};
    }
    if (bytes.is(12, "VP8L")) {
        const std::uint32_t bits = bytes.little(21, 4);
        return ImageSize{1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)};
    }
    return bytes.is(12, "VP8 ") ? std::optional(ImageSize{bytes.little(26, 2) & 0x3fff,
                                                          bytes.little(28, 2) & 0x3fff})
                                : std::nullopt;
}

std::optional<ImageSize> size_of(Bytes& bytes) {
    if (bytes.is(0, "\x89PNG") && bytes.is(12, "IHDR")) {
        return ImageSize{bytes.big(16, 4), bytes.big(20, 4)};
    }
    if (bytes.is(0, "\xff\xd8\xff")) {
        return jpeg_size(bytes);
    }
    if (bytes.is(0, "GIF8")) {
        return ImageSize{bytes.little(6, 2), bytes.little(8, 2)};
    }
    return bytes.is(0, "RIFF") && bytes.is(8, "WEBP") ? webp_size(bytes) : std::nullopt;
}

}  // namespace

std::optional<ImageSize> image_size(std::string_view inside) {
    constexpr std::size_t kLongestHead = 128;
    if (inside.starts_with("data:")) {
        const auto comma = inside.substr(0, kLongestHead).find(',');
        if (comma == std::string_view::npos) {
            return std::nullopt;
        }
        inside.remove_prefix(comma + 1);
    }
    Bytes bytes(inside);
    const auto size = size_of(bytes);
    const bool sound = size && !bytes.broken && size->width > 0 && size->height > 0;
    return sound ? size : std::nullopt;
}

}  // namespace weir::bedrock
