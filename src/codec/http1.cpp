// Reading a head. Two passes: `read` looks for the end of it, line by line, and refuses what can
// never become one; `Parser` then takes the whole apart. The first pass judges every line before
// the second sees any, so that the verdict is the same whatever the split.
#include "codec/http1.h"

#include "codec/http1_grammar.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::codec {

namespace {

using grammar::find_below;
using grammar::find_control;
using grammar::is_alpha;
using grammar::is_blank;
using grammar::is_digit;
using grammar::is_host;
using grammar::is_token_char;
using grammar::trim_blank;

using Verdict = std::expected<void, Http1Error>;

/// RFC 9112 2.2 asks to skip at least one empty line before a request. A bound keeps dribbled line
/// ends from being looked at over and over.
constexpr std::size_t kMaxLeadingLines = 8;

/// The authority of an absolute-form target; empty if it is not one.
std::string_view authority_of(std::string_view target) {
    const std::size_t colon = target.find("://");
    if (colon == std::string_view::npos || colon == 0 || !is_alpha(target[0]))
        return {};
    for (char c : target.substr(0, colon))
        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
            return {};
    const std::string_view rest = target.substr(colon + 3);
    return rest.substr(0, rest.find_first_of("/?"));
}

/// Takes a complete head apart; `text_` ends with its empty line.
class Parser {
public:
    Parser(std::string_view text, Head& head, std::size_t max_fields)
        : text_(text), head_(head), max_fields_(max_fields) {}

    Verdict request() {
        head_.clear();
        if (auto ok = request_line(); !ok)
            return ok;
        if (auto ok = fields(); !ok)
            return ok;
        if (auto ok = check_host(); !ok)
            return ok;
        return frame(Framing::none);
    }

    Verdict response(bool to_head_request) {
        head_.clear();
        if (auto ok = status_line(); !ok)
            return ok;
        if (auto ok = fields(); !ok)
            return ok;
        if (auto ok = frame(Framing::until_close); !ok)
            return ok;
        const bool no_body =
            to_head_request || head_.status < 200 || head_.status == 204 || head_.status == 304;
        if (no_body) {
            head_.framing = Framing::none;
            head_.content_length = 0;
        }
        if (head_.framing == Framing::until_close)
            head_.keep_alive = false;
        return {};
    }

private:
    static std::unexpected<Http1Error> fail(Http1Error error) { return std::unexpected(error); }

    /// Moves past the CRLF at `at_`; anything else there is the given error, or a bare CR.
    Verdict line_end(Http1Error otherwise) {
        if (text_[at_] != '\r')
            return fail(otherwise);
        if (text_[at_ + 1] != '\n')
            return fail(Http1Error::bad_line_end);
        at_ += 2;
        return {};
    }

    /// "HTTP/1.0" or "HTTP/1.1"; `otherwise` if it is no version at all.
    Verdict version(std::string_view text, Http1Error otherwise) {
        if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) ||
            text[6] != '.' || !is_digit(text[7]))
            return fail(otherwise);
        if (text[5] != '1' || text[7] > '1')
            return fail(Http1Error::bad_version);
        head_.minor_version = text[7] - '0';
        return {};
    }

    Verdict request_line() {
        std::size_t end = 0;
        while (is_token_char(text_[end]))
            ++end;
        head_.method = text_.substr(0, end);
        if (end == 0 || text_[end] != ' ')
            return fail(text_[end] == '\r' ? Http1Error::bad_request_line : Http1Error::bad_method);
        const std::size_t start = end + 1;
        end = find_below<0x21>(text_, start);
        head_.target = text_.substr(start, end - start);
        if (text_[end] == '\r' && text_[end + 1] == '\n')
            return fail(Http1Error::bad_request_line);  // HTTP/0.9
        if (text_[end] != ' ' || !target_is_sound())
            return fail(Http1Error::bad_target);
        at_ = find_control(text_, end + 1);
        if (auto ok = version(text_.substr(end + 1, at_ - end - 1), Http1Error::bad_request_line);
            !ok)
            return ok;
        return line_end(Http1Error::bad_request_line);
    }

    bool target_is_sound() const {
        const std::string_view target = head_.target;
        if (target.empty())
            return false;
        const std::size_t sound = find_first(target, 0, [](Lanes bytes) {
            return true_lanes(bytes == '#') | true_lanes(bytes >= 0x80);
        });
        if (sound < target.size())
            return false;
        if (head_.method == "CONNECT")
            return is_host(target) && target.find(':') != std::string_view::npos;
        if (target[0] == '/')
            return true;
        if (target == "*")
            return head_.method == "OPTIONS";
        return is_host(authority_of(target));
    }

    Verdict status_line() {
        const std::size_t space = text_.find(' ');
        const std::size_t end = find_control(text_, 0);
        if (space > end)
            return fail(Http1Error::bad_status_line);
        if (auto ok = version(text_.substr(0, space), Http1Error::bad_status_line); !ok)
            return ok;
        const std::string_view rest = text_.substr(space + 1, end - space - 1);
        if (rest.size() < 3 || !is_digit(rest[0]) || !is_digit(rest[1]) || !is_digit(rest[2]) ||
            rest[0] == '0')
            return fail(Http1Error::bad_status_line);
        // The space before an empty reason is required, and often left out; nothing hangs on it.
        if (rest.size() > 3 && rest[3] != ' ')
            return fail(Http1Error::bad_status_line);
        head_.status = (rest[0] - '0') * 100 + (rest[1] - '0') * 10 + (rest[2] - '0');
        head_.reason = rest.size() > 4 ? rest.substr(4) : std::string_view();
        at_ = end;
        return line_end(Http1Error::bad_status_line);
    }

    Verdict fields() {
        while (text_[at_] != '\r') {
            if (is_blank(text_[at_]))
                return fail(Http1Error::obs_fold);
            const std::size_t end = grammar::find_token_end(text_, at_);
            if (end == at_ || text_[end] != ':')
                return fail(Http1Error::bad_field_name);
            const std::string_view name = text_.substr(at_, end - at_);
            const std::size_t start = end + 1;
            at_ = find_control(text_, start);
            const std::string_view value = trim_blank(text_.substr(start, at_ - start));
            if (auto ok = line_end(Http1Error::bad_field_value); !ok)
                return ok;
            if (head_.fields.size() == max_fields_)
                return fail(Http1Error::too_many_fields);
            head_.add(Field{name, value});
            if (auto ok = note(name, value); !ok)
                return ok;
        }
        return line_end(Http1Error::bad_line_end);
    }

    /// Reads the fields that say where the message and the connection end.
    Verdict note(std::string_view name, std::string_view value) {
        switch (name.size()) {
            case 4:
                if (equals_ignore_case(name, "host"))
                    return note_host(value);
                return {};
            case 6:
                if (equals_ignore_case(name, "expect")) {
                    const bool known = equals_ignore_case(value, "100-continue");
                    (known ? expects_continue_ : expects_other_) = true;
                }
                return {};
            case 10:
                if (equals_ignore_case(name, "connection"))
                    grammar::each_element(value, [this](std::string_view token) {
                        close_ = close_ || equals_ignore_case(token, "close");
                        stay_ = stay_ || equals_ignore_case(token, "keep-alive");
                    });
                return {};
            case 14:
                if (equals_ignore_case(name, "content-length"))
                    return note_length(value);
                return {};
            case 17:
                if (equals_ignore_case(name, "transfer-encoding"))
                    return note_encoding(value);
                return {};
            default:
                return {};
        }
    }

    Verdict note_host(std::string_view value) {
        if (has_host_)
            return fail(Http1Error::bad_host);
        has_host_ = true;
        host_ = value;
        return {};
    }

    Verdict note_length(std::string_view value) {
        const auto length = grammar::content_length(value);
        if (has_length_ || !length)
            return fail(Http1Error::bad_content_length);
        has_length_ = true;
        head_.content_length = *length;
        return {};
    }

    Verdict note_encoding(std::string_view value) {
        if (chunked_ || head_.minor_version == 0 || !equals_ignore_case(value, "chunked"))
            return fail(Http1Error::bad_transfer_encoding);
        chunked_ = true;
        return {};
    }

    Verdict check_host() {
        if (!has_host_)
            return head_.minor_version == 0 ? Verdict{} : fail(Http1Error::bad_host);
        if (!is_host(host_))
            return fail(Http1Error::bad_host);
        const bool absolute = head_.target[0] != '/' && head_.target[0] != '*';
        if (absolute && head_.method != "CONNECT" &&
            !equals_ignore_case(authority_of(head_.target), host_))
            return fail(Http1Error::bad_host);  // two hosts: which did the client mean?
        return {};
    }

    Verdict frame(Framing without_length) {
        if (has_length_ && chunked_)
            return fail(Http1Error::both_lengths);
        head_.framing = chunked_      ? Framing::chunked
                        : has_length_ ? Framing::length
                                      : without_length;
        head_.keep_alive = !close_ && (head_.minor_version == 1 || stay_);
        head_.expect_continue = expects_continue_ && !expects_other_ && head_.minor_version == 1;
        return {};
    }

    std::string_view text_;
    Head& head_;
    std::size_t max_fields_;
    std::size_t at_ = 0;
    std::string_view host_;
    bool has_host_ = false;
    bool has_length_ = false;
    bool chunked_ = false;
    bool close_ = false;
    bool stay_ = false;
    bool expects_continue_ = false;
    bool expects_other_ = false;
};

/// Where the first line starts; nullopt if that cannot be told yet.
std::expected<std::optional<std::size_t>, Http1Error> skip_empty_lines(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size() && bytes[at] == '\r') {
        if (at == 2 * kMaxLeadingLines)
            return std::unexpected(Http1Error::bad_request_line);
        if (at + 1 == bytes.size())
            return std::nullopt;
        if (bytes[at + 1] != '\n')
            return std::unexpected(Http1Error::bad_line_end);
        at += 2;
    }
    if (at == bytes.size())
        return std::nullopt;
    if (bytes[at] == '\n')
        return std::unexpected(Http1Error::bad_line_end);
    if (!is_token_char(bytes[at]))
        return std::unexpected(
            Http1Error::bad_method);  // a TLS hello, say: no use waiting for more
    return at;
}

/// Equal but for the case of letters.
bool same_folded(Lanes a, Lanes b) {
    return lane_bits(true_lanes(((a ^ b) & ~(letter_lanes(a) & 0x20)) == 0)) == 0xFFFF;
}

/// The line ends of a text, from `from` on.
class LineEnds {
public:
    LineEnds(std::string_view text, std::size_t from) : text_(text), block_(from), next_(from) {}

    /// Where the next one stands; npos: none.
    std::size_t next() {
        while (bits_ == 0) {
            if (next_ >= text_.size())
                return std::string_view::npos;
            block_ = next_;
            if (next_ + kLanes > text_.size()) {
                next_ = text_.size();
                for (std::size_t i = block_; i < next_; ++i)
                    bits_ |= unsigned{text_[i] == '\n'} << (i - block_);
            } else {
                next_ += kLanes;
                bits_ = lane_bits(true_lanes(load_lanes(text_.data() + block_) == '\n'));
            }
        }
        const auto first = static_cast<std::size_t>(std::countr_zero(bits_));
        bits_ &= bits_ - 1;
        return block_ + first;
    }

private:
    std::string_view text_;
    std::size_t block_;  // whose line ends bits_ has, and where the next one begins
    std::size_t next_;
    unsigned bits_ = 0;
};

}  // namespace

const std::string_view* Head::find(std::string_view name) const {
    if ((name_bits & name_bit(name)) == 0)
        return nullptr;
    for (const Field& field : fields)
        if (equals_ignore_case(field.name, name))
            return &field.value;
    return nullptr;
}

void Head::clear() {
    // One by one: copies of what was just stored in pieces wait for the stores.
    method = {};
    target = {};
    reason = {};
    status = 0;
    minor_version = 1;
    fields.clear();
    name_bits = 0;
    framing = Framing::none;
    content_length = 0;
    keep_alive = true;
    expect_continue = false;
}

bool same_letters(std::string_view a, std::string_view b) {
    const std::size_t size = a.size();
    if (size < kLanes)
        return size == 0 || same_folded(load_short_lanes(a), load_short_lanes(b));
    for (std::size_t i = 0; i + kLanes < size; i += kLanes)
        if (!same_folded(load_lanes(a.data() + i), load_lanes(b.data() + i)))
            return false;
    return same_folded(load_lanes(a.data() + size - kLanes), load_lanes(b.data() + size - kLanes));
}

std::expected<std::optional<std::size_t>, Http1Error> HeadReader::read(std::string_view bytes,
                                                                       Head& head,
                                                                       bool to_head_request) {
    std::size_t start = 0;
    if (side_ == Side::request) {
        const auto first = skip_empty_lines(bytes);
        if (!first)
            return std::unexpected(first.error());
        const std::optional<std::size_t> known = *first;
        if (!known)
            return std::nullopt;
        start = *known;
    } else {
        constexpr std::string_view kStart = "HTTP/";
        if (!bytes.starts_with(kStart) && !kStart.starts_with(bytes))
            return std::unexpected(Http1Error::bad_status_line);
    }

    LineEnds lines(bytes, std::max(scanned_, start));
    for (;;) {
        const std::size_t found = lines.next();
        const bool none = found == std::string_view::npos;
        const std::size_t end = none ? bytes.size() : found + 1;
        if (end > max_bytes_ || (none && end == max_bytes_))
            return std::unexpected(Http1Error::head_too_large);
        scanned_ = end;
        if (none)
            return std::nullopt;
        if (end < start + 2 || bytes[end - 2] != '\r')
            return std::unexpected(Http1Error::bad_line_end);
        if (end >= start + 4 && bytes[end - 3] == '\n') {
            Parser parser(bytes.substr(start, end - start), head, max_fields_);
            const auto ok =
                side_ == Side::request ? parser.request() : parser.response(to_head_request);
            if (!ok)
                return std::unexpected(ok.error());
            return end;
        }
    }
}

}  // namespace weir::codec
