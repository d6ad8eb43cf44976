// The same bytes to weir's HTTP/1.1 codec and to Boost.Beast's parser: two readings, made apart
// from each other, of where a message ends and what it says. Run by the fuzzer, and over the corpus
// by the unit tests. Needs Boost's headers.
#pragma once

#include "codec/http1.h"

#include "fuzz/check.h"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::fuzz {

/// Why the two may differ. What stands here is meant; any other difference is a finding.
enum class Difference : std::uint8_t {
    // Only weir accepts.
    empty_lines,         // before a request: RFC 9112 2.2 asks to skip them, Beast does not
    no_reason_space,     // "HTTP/1.1 200" and the line's end: servers leave the space out
    connection_options,  // that are no tokens name nothing; the ones beside them count
    // Only Beast accepts.
    many_empty_lines,      // more than eight: a bound
    many_fields,           // more than 200: a bound
    status_below_100,      // "HTTP/1.1 099": no class of status
    target,                // none of RFC 9112's forms, or with '#' or bytes past ASCII
    obs_fold,              // in the head or the trailer
    content_length_twice,  // even if they agree: somebody put one there
    content_length_large,  // past 63 bits
    transfer_encoding,     // other than one "chunked", or in HTTP/1.0
    host,                  // none, several, malformed, or another than the target's
    chunk_size_digits,     // more than fifteen, leading zeros among them
    chunk_line_long,       // more than 256 bytes of size and extensions: a bound
    chunk_size_blank,  // right behind the size: padding hides what a lenient reader does with it
    chunk_control,     // control bytes in a quoted extension, bare LF too
    trailer_name,      // would have changed framing or routing in the head
    count
};
using Differences = std::bitset<static_cast<std::size_t>(Difference::count)>;

/// What a reader made of one message.
struct Reading {
    bool head = false;  // the head was accepted
    bool whole = false;
    bool keep_alive = false;
    std::string method;
    std::string target;
    int status = 0;
    std::string reason;
    int minor_version = 0;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    std::size_t consumed = 0;                                  // if `whole`
    std::optional<codec::Http1Error> refused;                  // ours
    boost::beast::error_code beast;                            // theirs
    std::vector<std::string> chunk_lines;                      // theirs: sizes and extensions
    std::vector<std::pair<std::string, std::string>> trailer;  // theirs
};

inline Reading read_with_weir(codec::HeadReader::Side side, std::string_view bytes,
                              bool to_head_request) {
    Reading reading;
    codec::HeadReader reader(side);
    codec::Head head;
    const auto taken = reader.read(bytes, head, to_head_request);
    if (!taken) {
        reading.refused = taken.error();
        return reading;
    }
    if (!*taken)
        return reading;
    reading.head = true;
    reading.keep_alive = head.keep_alive;
    reading.method = head.method;
    reading.target = head.target;
    reading.status = head.status;
    reading.reason = head.reason;
    reading.minor_version = head.minor_version;
    for (const codec::Field& field : head.fields)
        reading.fields.emplace_back(field.name, field.value);
    reading.consumed = **taken;
    codec::BodyReader body(head.framing, head.content_length);
    for (;;) {
        const auto step = body.next(bytes.substr(reading.consumed));
        if (!step) {
            reading.refused = step.error();
            return reading;
        }
        reading.body += step->content;
        reading.consumed += step->consumed;
        if (step->done || step->consumed == 0)
            break;
    }
    reading.whole = body.finish().has_value();
    return reading;
}

/// Beast's parser without its containers, which would throw and fold on their own.
template <bool kRequest>
class BeastReader : public boost::beast::http::basic_parser<kRequest> {
public:
    using Base = boost::beast::http::basic_parser<kRequest>;
    using View = boost::beast::string_view;
    using Code = boost::beast::error_code;

    Reading read(std::string_view bytes, bool to_head_request) {
        this->eager(true);
        this->header_limit(std::numeric_limits<std::uint32_t>::max());
        this->body_limit(std::numeric_limits<std::uint64_t>::max());
        if (to_head_request)
            this->skip(true);
        bytes_ = bytes;
        Code code;
        reading_.consumed = this->put({bytes.data(), bytes.size()}, code);
        if (code == boost::beast::http::error::need_more)
            code = {};
        if (!code && !this->is_done() && this->got_some())
            this->put_eof(code);
        reading_.beast = code;
        reading_.whole = !code && this->is_done();
        if (reading_.whole)
            reading_.keep_alive = this->keep_alive();
        return std::move(reading_);
    }

private:
    static std::string text(View view) { return {view.data(), view.size()}; }

    void on_request_impl(boost::beast::http::verb /*verb*/, View method, View target, int version,
                         Code& code) override {
        code = {};
        reading_.method = text(method);
        reading_.target = text(target);
        reading_.minor_version = version % 10;
    }
    void on_response_impl(int status, View reason, int version, Code& code) override {
        code = {};
        reading_.status = status;
        reading_.reason = text(reason);
        reading_.minor_version = version % 10;
    }
    void on_field_impl(boost::beast::http::field /*known*/, View name, View value,
                       Code& code) override {
        code = {};
        (reading_.head ? reading_.trailer : reading_.fields).emplace_back(text(name), text(value));
    }
    void on_header_impl(Code& code) override {
        code = {};
        reading_.head = true;
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/, Code& code) override {
        code = {};
    }
    std::size_t on_body_impl(View body, Code& code) override {
        code = {};
        reading_.body += text(body);
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t /*size*/, View extensions, Code& code) override {
        code = {};
        const auto end =
            static_cast<std::size_t>(extensions.data() + extensions.size() - bytes_.data());
        std::size_t start = static_cast<std::size_t>(extensions.data() - bytes_.data());
        while (start > 0 && bytes_[start - 1] != '\n')
            --start;
        reading_.chunk_lines.emplace_back(bytes_.substr(start, end - start));
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, View body, Code& code) override {
        code = {};
        reading_.body += text(body);
        return body.size();
    }
    void on_finish_impl(Code& code) override { code = {}; }

    std::string_view bytes_;
    Reading reading_;
};

inline Reading read_with_beast(codec::HeadReader::Side side, std::string_view bytes,
                               bool to_head_request) {
    if (side == codec::HeadReader::Side::request)
        return BeastReader<true>().read(bytes, false);
    return BeastReader<false>().read(bytes, to_head_request);
}

namespace difference {

inline std::vector<std::string> values(const Reading& reading, std::string_view name) {
    std::vector<std::string> found;
    for (const auto& [field, value] : reading.fields)
        if (codec::equals_ignore_case(field, name))
            found.push_back(value);
    return found;
}

inline bool has_folds(std::string_view bytes) {
    return bytes.find("\r\n ") != std::string_view::npos ||
           bytes.find("\r\n\t") != std::string_view::npos;
}

/// Connection or Proxy-Connection, in the head or the trailer, with elements that are no tokens.
inline bool has_odd_options(std::string_view message) {
    while (!message.empty()) {
        const std::string_view line = message.substr(0, message.find("\r\n"));
        message.remove_prefix(std::min(message.size(), line.size() + 2));
        const std::size_t colon = std::min(line.size(), line.find(':'));
        const std::string_view name = line.substr(0, colon);
        if (!codec::equals_ignore_case(name, "connection") &&
            !codec::equals_ignore_case(name, "proxy-connection"))
            continue;
        const std::string_view value = line.substr(std::min(line.size(), colon + 1));
        const boost::beast::http::opt_token_list options({value.data(), value.size()});
        if (!boost::beast::http::validate_list(options))
            return true;
    }
    return false;
}

/// Beast refused `bytes`; weir, whose reading this is, did not.
inline std::optional<Difference> only_weir(std::string_view bytes, const Reading& ours,
                                           const boost::beast::error_code& code) {
    using boost::beast::http::error;
    if (code == error::bad_status && bytes.size() > 13 && bytes.substr(12, 2) == "\r\n" &&
        ours.reason.empty())
        return Difference::no_reason_space;
    if (code == error::bad_value && has_odd_options(bytes))
        return Difference::connection_options;
    return std::nullopt;
}

inline std::optional<Difference> host(const Reading& theirs) {
    const auto hosts = values(theirs, "host");
    const bool plain = hosts.size() == 1 && !hosts[0].empty() &&
                       hosts[0].find_first_not_of(
                           "0123456789abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ-.") == std::string::npos;
    if (plain && theirs.target.starts_with('/'))
        return std::nullopt;
    return Difference::host;
}

inline std::optional<Difference> chunk(const Reading& theirs) {
    for (const std::string& line : theirs.chunk_lines) {
        const std::size_t digits =
            std::min(line.size(), line.find_first_not_of("0123456789abcdefABCDEF"));
        if (digits > 15)
            return Difference::chunk_size_digits;
        if (line.size() + 2 > 256)
            return Difference::chunk_line_long;
        if (digits < line.size() && (line[digits] == ' ' || line[digits] == '\t'))
            return Difference::chunk_size_blank;
        if (std::ranges::any_of(line, [](char c) {
                const auto byte = static_cast<unsigned char>(c);
                return (byte < 0x20 && c != '\t') || byte == 0x7F;
            }))
            return Difference::chunk_control;
    }
    return std::nullopt;
}

/// weir refused the head, or the body behind it; Beast, whose reading this is, did not.
inline std::optional<Difference> only_beast(std::string_view bytes, codec::Http1Error refused,
                                            const Reading& theirs) {
    using codec::Http1Error;
    switch (refused) {
        case Http1Error::too_many_fields:
            if (theirs.fields.size() > 200)
                return Difference::many_fields;
            break;
        case Http1Error::bad_status_line:
            if (theirs.status < 100)
                return Difference::status_below_100;
            break;
        case Http1Error::bad_target: {
            const std::string& target = theirs.target;
            const bool odd = std::ranges::any_of(
                target, [](char c) { return c == '#' || static_cast<unsigned char>(c) >= 0x80; });
            if (odd || !target.starts_with('/') || theirs.method == "CONNECT")
                return Difference::target;
            break;
        }
        case Http1Error::bad_content_length: {
            const auto lengths = values(theirs, "content-length");
            if (lengths.size() > 1 ||
                (lengths.size() == 1 && lengths[0].find(',') != std::string::npos))
                return Difference::content_length_twice;
            if (lengths.size() == 1 && std::strtoull(lengths[0].c_str(), nullptr, 10) >> 63 != 0)
                return Difference::content_length_large;
            break;
        }
        case Http1Error::bad_transfer_encoding: {
            const auto codings = values(theirs, "transfer-encoding");
            if (theirs.minor_version == 0 || codings.size() != 1 ||
                !codec::equals_ignore_case(codings[0], "chunked"))
                return Difference::transfer_encoding;
            break;
        }
        case Http1Error::bad_host:
            if (const auto found = host(theirs))
                return found;
            break;
        case Http1Error::bad_line_end:
        case Http1Error::bad_chunk:
            if (const auto found = chunk(theirs))
                return found;
            break;
        case Http1Error::bad_trailer:
            for (const auto& [name, value] : theirs.trailer)
                for (std::string_view barred :
                     {"content-length", "transfer-encoding", "host", "connection", "keep-alive",
                      "te", "trailer", "upgrade", "expect", "content-encoding", "authorization"})
                    if (codec::equals_ignore_case(name, barred))
                        return Difference::trailer_name;
            break;
        default:
            break;
    }
    // A folded value is cut short for weir, and may be refused for what is left of it.
    return has_folds(bytes) ? std::optional(Difference::obs_fold) : std::nullopt;
}

}  // namespace difference

/// The first byte chooses the side. Gives the differences met.
inline Differences http1_beast(std::string_view bytes) {
    Differences met;
    const auto note = [&met](std::optional<Difference> difference) {
        check(difference.has_value());
        met.set(static_cast<std::size_t>(*difference));
    };
    if (bytes.empty())
        return met;
    const auto choice = static_cast<unsigned char>(bytes[0]);
    const auto side =
        (choice & 1) != 0 ? codec::HeadReader::Side::response : codec::HeadReader::Side::request;
    const bool request = side == codec::HeadReader::Side::request;
    const bool to_head_request = (choice & 2) != 0;
    bytes.remove_prefix(1);

    while (!bytes.empty()) {
        const Reading ours = read_with_weir(side, bytes, to_head_request);
        std::size_t skipped = 0;
        while (request && bytes.substr(skipped).starts_with("\r\n"))
            skipped += 2;
        const std::string_view theirs_bytes = bytes.substr(skipped);
        const Reading theirs = read_with_beast(side, theirs_bytes, to_head_request);

        if (ours.head && !theirs.head) {
            note(difference::only_weir(theirs_bytes, ours, theirs.beast));
            return met;
        }
        if (!ours.head) {
            if (!theirs.head)
                return met;
            check(ours.refused.has_value());
            if (skipped > 16)
                note(Difference::many_empty_lines);
            else
                note(difference::only_beast(theirs_bytes, *ours.refused, theirs));
            return met;
        }
        if (skipped > 0)
            note(Difference::empty_lines);
        check(ours.method == theirs.method && ours.target == theirs.target);
        check(ours.status == theirs.status && ours.reason == theirs.reason);
        check(ours.minor_version == theirs.minor_version);
        check(ours.fields == theirs.fields);
        if (!theirs.whole) {
            if (ours.whole)
                note(difference::only_weir(theirs_bytes, ours, theirs.beast));
            return met;
        }
        if (!ours.whole) {
            check(ours.refused.has_value());
            note(difference::only_beast(theirs_bytes, *ours.refused, theirs));
            return met;
        }
        check(ours.body == theirs.body);
        check(ours.consumed == theirs.consumed + skipped);
        check(!ours.keep_alive || theirs.keep_alive ||
              !difference::values(ours, "proxy-connection").empty());
        bytes.remove_prefix(ours.consumed);
    }
    return met;
}

}  // namespace weir::fuzz
