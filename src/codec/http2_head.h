// The head of an HTTP/2 request (RFC 9113 8.2, 8.3) as the same values that HTTP/1.1 has, without
// I/O and without HPACK.
#pragma once

#include "codec/http1.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::codec {

enum class Http2Error : std::uint8_t {
    head_too_large,
    too_many_fields,
    bad_pseudo_field,  // unknown, repeated, missing, or after a regular field
    bad_method,
    bad_target,
    bad_field_name,   // upper case included
    bad_field_value,  // a control byte, or whitespace round it
    connection_field,
    bad_content_length,
    bad_host,  // none, two that differ, or malformed
};
std::string_view to_string(Http2Error error);

/// Takes one request's fields as they are decoded and makes a Head of them: pseudo-fields become
/// method, target and a field "host", the rest stay as they are. A field that is ambiguous when
/// written as HTTP/1.1 is an error. After an error nothing more is stored, so that a header bomb
/// costs no memory.
class Http2HeadReader {
public:
    explicit Http2HeadReader(std::size_t max_bytes = 64UL << 10, std::size_t max_fields = 200)
        : max_bytes_(max_bytes), max_fields_(max_fields) {}

    std::expected<void, Http2Error> add(std::string_view name, std::string_view value);
    /// All fields are there. The views of `head` live as long as this reader. `has_body`: content
    /// follows.
    std::expected<void, Http2Error> finish(bool has_body, Head& head);
    /// The list's size as SETTINGS_MAX_HEADER_LIST_SIZE counts it: 32 bytes a field on top. Goes on
    /// counting after an error.
    std::size_t bytes() const { return bytes_; }

private:
    using Verdict = std::expected<void, Http2Error>;
    struct Place {
        std::uint32_t at = 0;
        std::uint32_t size = 0;
    };
    struct Line {
        Place name;
        Place value;
    };

    Verdict check(std::string_view name, std::string_view value);
    Verdict check_pseudo(std::string_view name, std::string_view value);
    Verdict check_regular(std::string_view name, std::string_view value);
    Verdict note(std::string_view name, std::string_view value);
    Verdict note_length(std::string_view value);
    Place keep(std::string_view text);
    std::string_view view(Place place) const {
        return std::string_view(text_).substr(place.at, place.size);
    }

    std::size_t max_bytes_;
    std::size_t max_fields_;
    std::size_t bytes_ = 0;
    std::string text_;
    std::vector<Line> lines_;
    std::optional<Place> method_, scheme_, path_, authority_, host_;
    std::optional<std::uint64_t> length_;
    std::optional<Http2Error> failed_;
    bool regular_ = false;  // a regular field has been seen: pseudo-fields are over
    bool expects_continue_ = false;
    bool expects_other_ = false;
};

}  // namespace weir::codec
