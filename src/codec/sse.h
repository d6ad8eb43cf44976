// text/event-stream: events between blank lines, without I/O.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace weir::codec {

enum class SseError : std::uint8_t { too_large };

/// One event. Views point into the caller's bytes or into the event itself: good until the next
/// read into it.
struct SseEvent {
    std::string_view event;  // its name; empty: "message"
    std::string_view data;   // lines joined by LF
    bool has_data = false;   // false: comments or a bare name, which no reader is shown

    SseEvent() = default;
    SseEvent(const SseEvent&) = delete;
    SseEvent& operator=(const SseEvent&) = delete;

private:
    friend class SseReader;
    std::string joined_;
};

inline constexpr std::size_t kMaxSseEvent = 24UL << 20;

/// Finds events at the front of a stream's bytes. Lines end by CR, LF or CRLF.
///
/// Promises: the same events with data for any division of the bytes; each byte is searched once,
/// however small the pieces that it comes in.
class SseReader {
public:
    /// Looks at the front of `bytes`: nullopt, not all there yet: call again with the same bytes
    /// and more behind them. Else the event and how many bytes it took: the next call begins behind
    /// those. An error is final for the stream. `max_bytes` bounds one event.
    std::expected<std::optional<std::size_t>, SseError> read(std::string_view bytes,
                                                             SseEvent& event,
                                                             std::size_t max_bytes = kMaxSseEvent);

private:
    std::size_t line_ = 0;  // where the line begins that is not at its end yet
    std::size_t seen_ = 0;  // up to here there is no line's end behind line_
    bool first_ = true;     // a byte order mark may stand at the front
};

}  // namespace weir::codec
