// Charges by rule and not by bytes, in tokens: frames, tools, media.
#pragma once

#include "bedrock/image_size.h"

#include <weir/models.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace weir::bedrock {

constexpr double kRequestTokens = 8;    // what frames every prompt
constexpr double kMessageTokens = 4;    // role and turn marks
constexpr double kToolsTokens = 350;    // the instructions that come with tools (Claude: 313-346)
constexpr double kImageTokens = 1'600;  // Claude: width * height / 750, scaled down to about 1,600

/// Claude divides the pixels by 750 and scales larger images down. Nova's table goes from 800
/// tokens (900 x 450) to 2,600 (1,300 x 1,300). Other families: as an image of unknown size.
inline double image_tokens(Family family, const std::optional<ImageSize>& size) {
    if (!size || (family != Family::anthropic && family != Family::nova)) {
        return kImageTokens;
    }
    const double pixels = static_cast<double>(size->width) * static_cast<double>(size->height);
    return family == Family::anthropic ? std::clamp(pixels / 750, 16.0, kImageTokens)
                                       : std::min(130 + pixels / 600, 2'600.0);
}

/// PDF, Office: a page of 50-100 KB is read as text and image.
inline double document_tokens(std::size_t bytes) {
    return std::min(300'000.0, 1'500 + 0.03 * static_cast<double>(bytes));
}

/// Text, Markdown, CSV, HTML, mostly behind base64.
inline double text_document_tokens(std::size_t bytes) {
    return 0.33 * static_cast<double>(bytes);
}

/// Video and sound: Nova takes 288 tokens a second of video.
inline double recording_tokens(std::size_t bytes) {
    return std::min(300'000.0, 2'000 + 0.005 * static_cast<double>(bytes));
}

inline bool is_text_format(std::string_view format) {
    return format == "txt" || format == "md" || format == "csv" || format == "html" ||
           format.starts_with("text/");
}

/// Encrypted reasoning: a token has three to five bytes of it, and the service does not count what
/// the model no longer needs. Few turns reason longer than the bound.
inline double sealed_tokens(std::size_t bytes) {
    return std::min(8'000.0, 0.15 * static_cast<double>(bytes));
}

}  // namespace weir::bedrock
