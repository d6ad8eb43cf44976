#include "bedrock/media.h"

#include "bedrock/rule_tokens.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::bedrock {

namespace {

constexpr std::size_t kShortestBase64 = 1'024;  // below that a mistake costs little either way
constexpr std::size_t kSample = 512;            // bytes looked at, at the front and at the end

template <std::size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& names) {
    return std::ranges::find(names, name) != names.end();
}

bool is_base64_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=' || c == '-' || c == '_';
}

/// Some write "\/" for "/", and "\n" between lines of 76.
bool all_base64(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            if (i + 1 < text.size() && text[i + 1] != '/' && text[i + 1] != 'n' &&
                text[i + 1] != 'r') {
                return false;
            }
            ++i;
        } else if (!is_base64_letter(text[i])) {
            return false;
        }
    }
    return true;
}

bool looks_like_base64(std::string_view text) {
    if (text.size() < kShortestBase64 || !all_base64(text.substr(0, kSample))) {
        return false;
    }
    std::string_view end = text.substr(text.size() - kSample);
    if (!is_base64_letter(end.front())) {
        end.remove_prefix(1);  // the second half of an escape, or a whole one
    }
    return all_base64(end);
}

std::optional<Media> by_type(std::string_view mime) {
    if (mime.starts_with("image")) {
        return Media::image;
    }
    if (mime.starts_with("video") || mime.starts_with("audio")) {
        return Media::recording;
    }
    if (mime.starts_with("text")) {
        return Media::text_file;
    }
    return mime.starts_with("application") ? std::optional(Media::document) : std::nullopt;
}

/// By the base64 of the first bytes.
std::optional<Media> by_beginning(std::string_view base64) {
    struct Row {
        std::string_view beginning;
        Media media;
    };
    static constexpr std::array<Row, 14> kRows = {{
        {"iVBORw0KGgo", Media::image},  // PNG
        {"/9j/", Media::image},         // JPEG
        {"\\/9j\\/", Media::image},
        {"R0lGOD", Media::image},  // GIF
        {"SUkqA", Media::image},   // TIFF
        {"TU0AK", Media::image},
        {"Qk0", Media::image},         // BMP
        {"JVBERi", Media::document},   // PDF
        {"UEsDB", Media::document},    // ZIP: Office
        {"GkXfo", Media::recording},   // Matroska, WebM
        {"T2dnUw", Media::recording},  // Ogg
        {"SUQz", Media::recording},    // MP3
        {"ZkxhQw", Media::recording},  // FLAC
        {"//uQ", Media::recording},
    }};
    for (const Row& row : kRows) {
        if (base64.starts_with(row.beginning)) {
            return row.media;
        }
    }
    if (base64.starts_with("UklGR")) {  // RIFF: what it holds stands at byte 8
        return base64.substr(std::min<std::size_t>(12, base64.size()), 4) == "RUJQ"
                   ? Media::image  // "WEBP"
                   : Media::recording;
    }
    // MP4, MOV, M4A: four bytes of length, then "ftyp".
    return base64.substr(std::min<std::size_t>(6, base64.size()), 4) == "Z0eX"
               ? std::optional(Media::recording)
               : std::nullopt;
}

}  // namespace

double media_tokens(Media media, std::size_t bytes) {
    switch (media) {
        case Media::image:
            return kImageTokens;
        case Media::recording:
            return recording_tokens(bytes);
        case Media::document:
            return document_tokens(bytes);
        case Media::text_file:
            return text_document_tokens(bytes);
        case Media::sealed:
            return sealed_tokens(bytes);
    }
    return 0;
}

std::optional<Media> media_named(std::string_view key) {
    static constexpr std::array<std::string_view, 4> kImages = {"image", "images", "image_url",
                                                                "imageUrl"};
    static constexpr std::array<std::string_view, 4> kRecordings = {"video", "audio", "input_audio",
                                                                    "input_video"};
    if (key.size() < 5) {
        return std::nullopt;
    }
    if (one_of(key, kImages) || key.ends_with("Image") || key.ends_with("_image") ||
        key.ends_with("Images") || key.ends_with("_images")) {
        return Media::image;  // inputImage, maskImage, init_image, ...
    }
    if (one_of(key, kRecordings)) {
        return Media::recording;
    }
    if (key == "file_data") {
        return Media::document;
    }
    if (key.starts_with("encrypted_") || key == "redactedContent") {
        return Media::sealed;
    }
    return std::nullopt;
}

bool is_text_name(std::string_view key) {
    // The first three are nearly all there are.
    static constexpr std::array<std::string_view, 15> kTexts = {
        "text",      "content", "role",      "prompt",       "inputText",
        "system",    "query",   "documents", "texts",        "instructions",
        "arguments", "output",  "thinking",  "chat_history", "negative_prompt"};
    return one_of(key, kTexts);
}

std::size_t decoded_size(std::string_view inside) {
    if (inside.starts_with("data:")) {
        const auto comma = inside.substr(0, kSample).find(',');
        inside.remove_prefix(comma == std::string_view::npos ? 0 : comma + 1);
    }
    return inside.size() / 4 * 3;
}

std::optional<FoundMedia> media_in(std::string_view inside, Media otherwise) {
    if (inside.starts_with("data:")) {
        const std::string_view head = inside.substr(0, inside.substr(0, kSample).find(','));
        if (head.size() < inside.size() && head.ends_with(";base64")) {
            const Media media = by_type(head.substr(5)).value_or(otherwise);
            return FoundMedia{media, decoded_size(inside)};
        }
        return std::nullopt;
    }
    if (!looks_like_base64(inside)) {
        return std::nullopt;
    }
    return FoundMedia{by_beginning(inside).value_or(otherwise), decoded_size(inside)};
}

}  // namespace weir::bedrock
