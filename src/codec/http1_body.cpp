// Taking a body apart. Content is handed out as views into the input; only a chunk-size or trailer
// line that a read cut in two is copied, and its length is bounded.
#include "codec/hex.h"
#include "codec/http1.h"
#include "codec/http1_grammar.h"

#include <algorithm>

namespace weir::codec {

namespace {

/// A chunk-size line with its extensions and CR LF. Nothing here uses extensions; they are bounded
/// because a sender of many one-byte chunks could hide megabytes in them.
constexpr std::size_t kMaxChunkLine = 256;
/// The whole trailer section. Trailers are checked and dropped.
constexpr std::size_t kMaxTrailer = 8192;

/// Fifteen digits fit 63 bits; leading zeros are allowed within them.
constexpr std::size_t kMaxSizeDigits = 15;

/// The length of the quoted string at the front of `text`, quotes included; 0 if it is none.
std::size_t quoted_length(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"')
            return i + 1;
        if (text[i] == '\\')
            ++i;
    }
    return 0;
}

/// *( ";" name [ "=" value ] ), blanks allowed round ";" and "=" but not right behind the size, nor
/// at the end.
bool extensions_are_sound(std::string_view text) {
    const auto token_length = [](std::string_view from) {
        const auto end = std::ranges::find_if_not(from, grammar::is_token_char);
        return static_cast<std::size_t>(end - from.begin());
    };
    const auto skip_blanks = [&text] {
        while (!text.empty() && grammar::is_blank(text.front()))
            text.remove_prefix(1);
    };
    if (grammar::find_control(text, 0) != text.size())
        return false;
    if (!text.empty() && grammar::is_blank(text.back()))
        return false;
    while (!text.empty()) {
        if (text.front() != ';')
            return false;
        text.remove_prefix(1);
        skip_blanks();
        const std::size_t name = token_length(text);
        if (name == 0)
            return false;
        text.remove_prefix(name);
        skip_blanks();
        if (text.starts_with('=')) {
            text.remove_prefix(1);
            skip_blanks();
            const std::size_t value =
                text.starts_with('"') ? quoted_length(text) : token_length(text);
            if (value == 0)
                return false;
            text.remove_prefix(value);
            skip_blanks();
        }
    }
    return true;
}

std::optional<std::uint64_t> chunk_size(std::string_view line) {
    std::uint64_t size = 0;
    std::size_t digits = 0;
    while (digits < line.size() && hex_value(line[digits]) >= 0) {
        if (digits == kMaxSizeDigits)
            return std::nullopt;
        size = (size << 4) | static_cast<std::uint64_t>(hex_value(line[digits]));
        ++digits;
    }
    if (digits == 0 || !extensions_are_sound(line.substr(digits)))
        return std::nullopt;
    return size;
}

/// A trailer that would change framing, routing or the connection had it stood in the head.
bool trailer_is_sound(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !grammar::is_token(line.substr(0, colon)))
        return false;
    if (grammar::find_control(line, colon + 1) != line.size())
        return false;
    const std::string_view name = line.substr(0, colon);
    for (std::string_view forbidden :
         {"content-length", "transfer-encoding", "host", "connection", "keep-alive", "te",
          "trailer", "upgrade", "expect", "content-encoding", "authorization"})
        if (equals_ignore_case(name, forbidden))
            return false;
    return true;
}

}  // namespace

BodyReader::BodyReader(Framing framing, std::uint64_t content_length) {
    switch (framing) {
        case Framing::none:
            break;
        case Framing::length:
            left_ = content_length;
            state_ = content_length == 0 ? State::done : State::length;
            break;
        case Framing::chunked:
            state_ = State::chunk_size;
            break;
        case Framing::until_close:
            state_ = State::until_close;
            break;
    }
}

std::expected<BodyReader::Step, Http1Error> BodyReader::next(std::string_view bytes) {
    switch (state_) {
        case State::done:
            return Step{0, {}, true};
        case State::until_close:
            return Step{bytes.size(), bytes, false};
        case State::length:
            bytes = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), left_));
            left_ -= bytes.size();
            if (left_ == 0)
                state_ = State::done;
            return Step{bytes.size(), bytes, left_ == 0};
        default:
            return next_chunked(bytes);
    }
}

std::expected<BodyReader::Step, Http1Error> BodyReader::next_chunked(std::string_view bytes) {
    Step step;
    const auto rest = [&] { return bytes.substr(step.consumed); };

    // Gives the line without its end, or nullopt when it is not all there and has been put by.
    // `limit` is how long it may still be, line end included.
    const auto take_line =
        [&](std::size_t limit,
            Http1Error too_long) -> std::expected<std::optional<std::string_view>, Http1Error> {
        const std::string_view input = rest();
        const std::size_t found = input.find('\n');
        const std::size_t taken = found == std::string_view::npos ? input.size() : found + 1;
        const std::size_t length = held_.size() + taken;
        if (length > limit || (found == std::string_view::npos && length == limit))
            return std::unexpected(too_long);
        step.consumed += taken;
        if (found == std::string_view::npos) {
            held_.append(input);
            return std::nullopt;
        }
        std::string_view line = input.substr(0, taken);
        if (!held_.empty())
            line = held_.append(line);
        if (!line.ends_with("\r\n"))
            return std::unexpected(Http1Error::bad_line_end);
        line_ = line.size();
        return line.substr(0, line.size() - 2);
    };

    for (;;) {
        switch (state_) {
            case State::chunk_data:
                step.content = rest();
                step.content =
                    step.content.substr(0, std::min<std::uint64_t>(step.content.size(), left_));
                step.consumed += step.content.size();
                left_ -= step.content.size();
                if (left_ == 0) {
                    state_ = State::chunk_end;
                    left_ = 2;
                }
                return step;

            case State::chunk_end:
                while (left_ > 0) {
                    if (step.consumed == bytes.size())
                        return step;
                    if (bytes[step.consumed] != (left_ == 2 ? '\r' : '\n'))
                        return std::unexpected(Http1Error::bad_chunk);
                    ++step.consumed;
                    --left_;
                }
                state_ = State::chunk_size;
                break;

            case State::chunk_size: {
                if (step.consumed == bytes.size())
                    return step;
                const auto taken = take_line(kMaxChunkLine, Http1Error::bad_chunk);
                if (!taken)
                    return std::unexpected(taken.error());
                const std::optional<std::string_view> line = *taken;
                if (!line)
                    return step;
                const auto size = chunk_size(*line);
                if (!size)
                    return std::unexpected(Http1Error::bad_chunk);
                held_.clear();
                left_ = *size;
                state_ = *size == 0 ? State::trailer : State::chunk_data;
                if (*size == 0)
                    left_ = kMaxTrailer;
                break;
            }

            case State::trailer: {
                if (step.consumed == bytes.size())
                    return step;
                const auto taken =
                    take_line(static_cast<std::size_t>(left_), Http1Error::bad_trailer);
                if (!taken)
                    return std::unexpected(taken.error());
                const std::optional<std::string_view> line = *taken;
                if (!line)
                    return step;
                if (line->empty()) {
                    state_ = State::done;
                } else if (!trailer_is_sound(*line)) {
                    return std::unexpected(Http1Error::bad_trailer);
                }
                left_ -= line_;
                held_.clear();
                break;
            }

            default:  // done: after the trailer
                step.done = true;
                return step;
        }
    }
}

std::expected<void, Http1Error> BodyReader::finish() {
    if (state_ == State::until_close)
        state_ = State::done;
    if (state_ != State::done)
        return std::unexpected(Http1Error::truncated);
    return {};
}

}  // namespace weir::codec
