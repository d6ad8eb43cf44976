// Images, recordings, documents and sealed bytes in a body: found, and charged by rule instead of
// by their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

enum class Media : std::uint8_t {
    image,
    recording,  // video or sound
    document,   // PDF, Office
    text_file,  // text behind base64
    sealed,     // encrypted reasoning and the like: only the service reads it
};

/// Tokens of one such part, of `bytes` decoded bytes.
double media_tokens(Media media, std::size_t bytes);

/// What a member of this name holds, whatever its family; nullopt: the name tells nothing.
std::optional<Media> media_named(std::string_view key);

/// Does a member of this name hold text for the model? Base64 in it is read as text, too.
bool is_text_name(std::string_view key);

struct FoundMedia {
    Media media = Media::image;
    std::size_t bytes = 0;  // decoded
};
/// What a string is, as it stands between its quotes: a `data:` URL, or a long run of base64, by
/// its first bytes. nullopt: text. `otherwise`: what base64 of no known beginning is.
std::optional<FoundMedia> media_in(std::string_view inside, Media otherwise);

/// Decoded bytes of a string of base64 or a `data:` URL.
std::size_t decoded_size(std::string_view inside);

}  // namespace weir::bedrock
