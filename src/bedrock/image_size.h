// An image's width and height, read through the base64 that it came in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

struct ImageSize {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    bool operator==(const ImageSize&) const = default;
};

/// Of PNG, JPEG, GIF and WebP. `inside`: a string of base64 or a `data:` URL, without its
/// quotes. nullopt: another format, or damaged in the few dozen bytes that are read.
std::optional<ImageSize> image_size(std::string_view inside);

}  // namespace weir::bedrock
