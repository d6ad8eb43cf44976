// HTTP/1.1 as bytes and values (RFC 9112), strict, without I/O.
//
// Weir is between two parties that must agree on the end of a message, so every ambiguity is an
// error: both lengths, two lengths, bare LF, obs-fold, space before a colon,
// control bytes, a chunk size with a sign. Results do not depend on how the bytes were split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::codec {

struct Field {
    std::string_view name;
    std::string_view value;  // without optional whitespace round it
};

enum class Framing : std::uint8_t { none, length, chunked, until_close };

enum class Http1Error : std::uint8_t {
    head_too_large,
    too_many_fields,
    bad_request_line,
    bad_status_line,
    bad_version,  // not HTTP/1.0 or HTTP/1.1
    bad_method,
    bad_target,
    bad_field_name,
    bad_field_value,
    bad_line_end,  // bare CR or bare LF
    obs_fold,
    both_lengths,  // Content-Length and Transfer-Encoding
    bad_content_length,
    bad_transfer_encoding,
    bad_host,  // none, several or malformed on HTTP/1.1
    bad_chunk,
    bad_trailer,
    truncated,  // the stream ended inside a message
};
std::string_view to_string(Http1Error error);

/// One bit of 64 for a field's name, ignoring case. Most lookups are for names that a head does not
/// have, and this bit answers most of them.
constexpr std::uint64_t name_bit(std::string_view name) {
    return name.empty() ? 0
                        : std::uint64_t{1} << ((name.size() * 11 +
                                                (static_cast<unsigned char>(name[0]) | 0x20U)) &
                                               63U);
}

/// Views point into the caller's bytes and die with them.
struct Head {
    std::string_view method;  // requests
    std::string_view target;  // requests, exactly as received
    int status = 0;           // responses
    std::string_view reason;  // responses
    int minor_version = 1;
    std::vector<Field> fields;
    std::uint64_t name_bits = ~std::uint64_t{0};  // at least those of fields
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;
    bool expect_continue =
        false;  // "100-continue"; any other Expect leaves this false and the field there

    /// First field of that name, ignoring case.
    const std::string_view* find(std::string_view name) const;
    void add(Field field) {
        name_bits |= name_bit(field.name);
        fields.push_back(field);
    }
    /// After it, fields come by add() alone.
    void clear();
};

/// Of equal length; for equals_ignore_case, whose first look most names do not survive.
bool same_letters(std::string_view a, std::string_view b);
inline bool equals_ignore_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && (a.empty() || ((a[0] ^ b[0]) & ~0x20) == 0) &&
           same_letters(a, b);
}

/// Reads one head from a growing buffer. Not yet complete: nullopt, call again with the same bytes
/// and more. Complete: the number of bytes it took. After a result or an error, reset() before
/// reuse.
class HeadReader {
public:
    enum class Side : std::uint8_t { request, response };
    explicit HeadReader(Side side, std::size_t max_bytes = 64UL << 10, std::size_t max_fields = 200)
        : side_(side), max_bytes_(max_bytes), max_fields_(max_fields) {}

    /// `bytes` starts at the head's first byte. Empty lines before a request are skipped (RFC
    /// 9112 2.2). `to_head_request`: a response to HEAD has no body, regardless of its fields.
    std::expected<std::optional<std::size_t>, Http1Error> read(std::string_view bytes, Head& head,
                                                               bool to_head_request = false);
    void reset() { scanned_ = 0; }

private:
    Side side_;
    std::size_t max_bytes_;
    std::size_t max_fields_;
    std::size_t scanned_ =
        0;  // bytes known to hold no end of head, so that dribbled bytes cost O(n)
};

/// Decodes the framing of a body without copying: takes received bytes, returns views of content.
class BodyReader {
public:
    BodyReader() = default;
    BodyReader(Framing framing, std::uint64_t content_length);

    struct Step {
        std::size_t consumed = 0;  // bytes of the input used up, framing included
        std::string_view content;  // a view into the input; may be empty
        bool done = false;         // the body's last byte has been consumed
    };
    /// Makes one step. `consumed == 0 && !done`: needs more bytes. Call again with the rest until
    /// then. A body without bytes is done at once, also on empty input.
    std::expected<Step, Http1Error> next(std::string_view bytes);

    /// The peer closed: fine for until_close, else Http1Error::truncated.
    std::expected<void, Http1Error> finish();

    bool done() const { return state_ == State::done; }

private:
    std::expected<Step, Http1Error> next_chunked(std::string_view bytes);

    enum class State : std::uint8_t {
        done,
        length,
        until_close,
        chunk_size,
        chunk_data,
        chunk_end,
        trailer
    };
    State state_ = State::done;
    std::uint64_t left_ = 0;
    std::size_t line_ = 0;  // bytes of the chunk-size line or trailer section held so far
    std::string held_;      // an incomplete line carried over a split
};

/// Appends "HTTP/1.1 200 OK\r\n" or "POST /x HTTP/1.1\r\n".
void append_status_line(std::string& out, int status);
void append_request_line(std::string& out, std::string_view method, std::string_view target);
/// Appends a field. The caller has made sure that no CR, LF or NUL is in it. If one is, a debug
/// build aborts; a release writes '_' in its place and counts it in unclean_lines().
void append_field(std::string& out, std::string_view name, std::string_view value);
std::uint64_t unclean_lines();
void append_chunk(std::string& out, std::string_view content);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
std::string_view reason_phrase(int status);

}  // namespace weir::codec
