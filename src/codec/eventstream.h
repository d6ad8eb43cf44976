// application/vnd.amazon.eventstream: length-prefixed messages with two CRC-32 sums, without I/O.
// https://smithy.io/2.0/aws/amazon-eventstream.html
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::codec {

enum class EventStreamError : std::uint8_t {
    bad_length,  // total or headers length impossible
    too_large,
    prelude_crc,
    message_crc,
    bad_header,  // cut off, unknown type, empty or doubled name
};
std::string_view to_string(EventStreamError error);

using Uuid = std::array<std::uint8_t, 16>;
struct Timestamp {
    std::int64_t ms = 0;
    bool operator==(const Timestamp&) const = default;
};
struct Bytes {
    std::string_view bytes;
    bool operator==(const Bytes&) const = default;
};
using HeaderValue = std::variant<bool, std::int8_t, std::int16_t, std::int32_t, std::int64_t, Bytes,
                                 std::string_view, Timestamp, Uuid>;
struct EventHeader {
    std::string_view name;
    HeaderValue value;
    bool operator==(const EventHeader&) const = default;
};

/// Views point into the caller's bytes.
struct EventMessage {
    std::vector<EventHeader> headers;
    std::string_view payload;

    /// A string header's value; empty if absent or of another type.
    std::string_view text(std::string_view name) const;
    std::string_view message_type() const { return text(":message-type"); }
    std::string_view event_type() const { return text(":event-type"); }
    std::string_view exception_type() const { return text(":exception-type"); }
};

/// The limits that the specification gives to services. Clients need not hold them, but without one
/// a message of two-byte headers would cost many times its size in memory.
inline constexpr std::size_t kMaxEventPayload = 24UL << 20;
inline constexpr std::size_t kMaxEventHeaders = 128UL << 10;
inline constexpr std::size_t kMaxEventMessage = kMaxEventPayload + kMaxEventHeaders + 16;

/// Looks at the front of `bytes`: nullopt, not all there yet; else the message and how many bytes
/// it took. An error is final for the stream. `max_bytes` bounds total_length.
std::expected<std::optional<std::size_t>, EventStreamError> read_event(
    std::string_view bytes, EventMessage& message, std::size_t max_bytes = kMaxEventMessage);

/// Appends one encoded message. What is too long for its field is a fault of the caller: a debug
/// build aborts, a release leaves that header, or the payload, out.
void append_event(std::string& out, std::span<const EventHeader> headers, std::string_view payload);

}  // namespace weir::codec
