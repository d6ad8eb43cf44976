// Finds images, recordings, documents and encrypted bytes in a body, which are charged by rule and
// not by their bytes.
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

/// The content of a member with this name, in any family; nullopt: the name does not tell.
std::optional<Media> media_named(std::string_view key);

/// True if a member with this name holds text for the model. Base64 in it is text, too.
bool is_text_name(std::string_view key);

struct FoundMedia {
    Media media = Media::image;
    std::size_t bytes = 0;  // decoded
};
/// The content of a string (without its quotes): a `data:` URL, or a long run of base64, by its
/// first bytes. nullopt: text. `otherwise`: the result for base64 with an unknown beginning.
std::optional<FoundMedia> media_in(std::string_view inside, Media otherwise);

/// Decoded bytes of a string of base64 or a `data:` URL.
std::size_t decoded_size(std::string_view inside);

}  // namespace weir::bedrock
