#include "codec/http2_head.h"

#include "codec/http1_grammar.h"

#include <algorithm>

namespace weir::codec {

namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2

bool is_lower_token(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return grammar::is_token_char(c) && (c < 'A' || c > 'Z');
    });
}

bool is_scheme(std::string_view text) {
    return !text.empty() && grammar::is_alpha(text[0]) && std::ranges::all_of(text, [](char c) {
        return grammar::is_alpha(c) || grammar::is_digit(c) || c == '+' || c == '-' || c == '.';
    });
}

bool is_path(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte < 0x7F && c != '#';
    });
}

}  // namespace

std::string_view to_string(Http2Error error) {
    switch (error) {
        case Http2Error::head_too_large:
            return "the head is too large";
        case Http2Error::too_many_fields:
            return "too many header fields";
        case Http2Error::bad_pseudo_field:
            return "pseudo-field unknown, repeated, missing or out of place";
        case Http2Error::bad_method:
            return "malformed method";
        case Http2Error::bad_target:
            return "malformed path or scheme";
        case Http2Error::bad_field_name:
            return "malformed or upper-case field name";
        case Http2Error::bad_field_value:
            return "control byte in a field value, or whitespace round it";
        case Http2Error::connection_field:
            return "a field that HTTP/2 does not have";
        case Http2Error::bad_content_length:
            return "malformed or repeated content-length";
        case Http2Error::bad_host:
            return "missing, repeated or malformed authority";
    }
    return "unknown";
}

Http2HeadReader::Place Http2HeadReader::keep(std::string_view text) {
    const Place place{static_cast<std::uint32_t>(text_.size()),
                      static_cast<std::uint32_t>(text.size())};
    text_ += text;
    return place;
}

Http2HeadReader::Verdict Http2HeadReader::add(std::string_view name, std::string_view value) {
    bytes_ += name.size() + value.size() + kFieldOverhead;
    if (failed_) {
        return std::unexpected(*failed_);
    }
    const auto verdict = check(name, value);
    if (!verdict) {
        failed_ = verdict.error();
    }
    return verdict;
}

Http2HeadReader::Verdict Http2HeadReader::check(std::string_view name, std::string_view value) {
    if (bytes_ > max_bytes_) {
        return std::unexpected(Http2Error::head_too_large);
    }
    if (grammar::find_control(value, 0) != value.size() ||
        (!value.empty() && (grammar::is_blank(value.front()) || grammar::is_blank(value.back())))) {
        return std::unexpected(Http2Error::bad_field_value);
    }
    return name.starts_with(':') ? check_pseudo(name, value) : check_regular(name, value);
}

Http2HeadReader::Verdict Http2HeadReader::check_pseudo(std::string_view name,
                                                       std::string_view value) {
    auto* const slot = name == ":method"      ? &method_
                       : name == ":path"      ? &path_
                       : name == ":scheme"    ? &scheme_
                       : name == ":authority" ? &authority_
                                              : nullptr;
    if (slot == nullptr || *slot || regular_) {
        return std::unexpected(Http2Error::bad_pseudo_field);
    }
    *slot = keep(value);
    return {};
}

Http2HeadReader::Verdict Http2HeadReader::check_regular(std::string_view name,
                                                        std::string_view value) {
    regular_ = true;
    if (!is_lower_token(name)) {
        return std::unexpected(Http2Error::bad_field_name);
    }
    if (lines_.size() == max_fields_) {
        return std::unexpected(Http2Error::too_many_fields);
    }
    if (const auto noted = note(name, value); !noted) {
        return noted;
    }
    Line line;
    line.name = keep(name);
    line.value = keep(value);
    lines_.push_back(line);
    if (name == "host") {
        host_ = line.value;
    }
    return {};
}

/// Looks at the fields that say where a message ends, whom it is for, or that belong to HTTP/1.1.
Http2HeadReader::Verdict Http2HeadReader::note(std::string_view name, std::string_view value) {
    if (name == "connection" || name == "keep-alive" || name == "proxy-connection" ||
        name == "transfer-encoding" || name == "upgrade" || (name == "te" && value != "trailers")) {
        return std::unexpected(Http2Error::connection_field);
    }
    if (name == "content-length") {
        return note_length(value);
    }
    if (name == "host" && host_) {
        return std::unexpected(Http2Error::bad_host);
    }
    if (name == "expect") {
        (equals_ignore_case(value, "100-continue") ? expects_continue_ : expects_other_) = true;
    }
    return {};
}

Http2HeadReader::Verdict Http2HeadReader::note_length(std::string_view value) {
    const auto length = grammar::content_length(value);
    if (length_ || !length) {
        return std::unexpected(Http2Error::bad_content_length);
    }
    length_ = length;
    return {};
}

Http2HeadReader::Verdict Http2HeadReader::finish(bool has_body, Head& head) {
    head.clear();
    if (failed_) {
        return std::unexpected(*failed_);
    }
    if (!method_) {
        return std::unexpected(Http2Error::bad_pseudo_field);
    }
    head.method = view(*method_);
    if (!grammar::is_token(head.method)) {
        return std::unexpected(Http2Error::bad_method);
    }
    const auto authority = authority_ ? view(*authority_) : std::string_view();
    if (head.method == "CONNECT") {
        if (path_ || scheme_) {
            return std::unexpected(Http2Error::bad_pseudo_field);
        }
        head.target = authority;
        if (authority.find(':') == std::string_view::npos) {
            return std::unexpected(Http2Error::bad_host);
        }
    } else {
        if (!path_ || !scheme_) {
            return std::unexpected(Http2Error::bad_pseudo_field);
        }
        head.target = view(*path_);
        const bool asterisk = head.target == "*" && head.method == "OPTIONS";
        if (!is_scheme(view(*scheme_)) || !is_path(head.target) ||
            (head.target[0] != '/' && !asterisk)) {
            return std::unexpected(Http2Error::bad_target);
        }
    }
    // RFC 9113 8.3.1: an authority and a host that differ are a request for two places.
    if ((!authority_ && !host_) ||
        (authority_ && host_ && !equals_ignore_case(authority, view(*host_)))) {
        return std::unexpected(Http2Error::bad_host);
    }
    if (!grammar::is_host(authority_ ? authority : view(*host_))) {
        return std::unexpected(Http2Error::bad_host);
    }
    if (length_ && *length_ > 0 && !has_body) {
        return std::unexpected(Http2Error::bad_content_length);
    }
    head.fields.reserve(lines_.size() + 1);
    if (!host_) {
        head.add(Field{"host", authority});
    }
    for (const Line& line : lines_) {
        head.add(Field{view(line.name), view(line.value)});
    }
    if (length_) {
        head.framing = Framing::length;
        head.content_length = *length_;
    } else {
        head.framing = has_body ? Framing::chunked : Framing::none;
    }
    head.expect_continue = expects_continue_ && !expects_other_ && has_body;
    return {};
}

}  // namespace weir::codec
