// What must hold for any bytes on an HTTP/1.1 connection. Run by the fuzzer, and over the corpus by
// the unit tests.
#pragma once

#include "codec/http1.h"

#include "fuzz/check.h"
#include "unit/codec/http1_session.h"

#include <string>
#include <string_view>

namespace weir::fuzz {

/// Writes a message that was accepted as weir would send it on, chunked if it came so.
inline std::string write_again(codec::HeadReader::Side side,
                               const codec::testing::Message& message) {
    std::string out;
    if (side == codec::HeadReader::Side::request)
        codec::append_request_line(out, message.method, message.target);
    else
        codec::append_status_line(out, message.status);
    for (const auto& [name, value] : message.fields)
        codec::append_field(out, name, value);
    out += "\r\n";
    if (message.framing == codec::Framing::chunked) {
        codec::append_chunk(out, message.body);
        out += codec::kLastChunk;
    } else {
        out += message.body;
    }
    return out;
}

/// The first byte chooses the side and how the rest is cut up.
inline void http1(std::string_view bytes) {
    if (bytes.empty())
        return;
    const auto choice = static_cast<unsigned char>(bytes[0]);
    const auto side =
        (choice & 1) != 0 ? codec::HeadReader::Side::response : codec::HeadReader::Side::request;
    const bool to_head_request = (choice & 2) != 0;
    bytes.remove_prefix(1);

    // The verdict does not depend on the split.
    const auto whole = codec::testing::read_whole(side, bytes, to_head_request);
    check(whole == codec::testing::read_bytewise(side, bytes, to_head_request));
    std::uint32_t state = choice + 1U;
    const auto cut = [&state] {
        state = state * 1664525U + 1013904223U;
        return std::size_t{1} + (state >> 24) % 40;
    };
    check(whole == codec::testing::read_stream(side, bytes, cut, to_head_request));

    // What was accepted means the same to a reader of what weir writes.
    for (const auto& message : whole.messages) {
        // Written as HTTP/1.1, a request of HTTP/1.0 would lack a Host.
        if (!message.complete || message.framing == codec::Framing::none || to_head_request ||
            message.minor_version == 0)
            continue;
        const auto again = codec::testing::read_whole(side, write_again(side, message));
        check(!again.error && again.messages.size() == 1);
        check(again.messages[0].body == message.body && again.messages[0].fields == message.fields);
        check(again.messages[0].framing == message.framing);
    }
}

}  // namespace weir::fuzz
