#include "codec/sse.h"

namespace weir::codec {

namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";

/// Takes a line off the front of an event's bytes; what ended it goes with it.
std::string_view take_line(std::string_view& bytes) {
    const auto end = bytes.find_first_of("\r\n");
    const std::string_view line = bytes.substr(0, end);
    if (end == std::string_view::npos) {
        bytes = {};
        return line;
    }
    const bool pair = bytes.substr(end).starts_with("\r\n");
    bytes.remove_prefix(end + (pair ? 2 : 1));
    return line;
}

}  // namespace

std::expected<std::optional<std::size_t>, SseError> SseReader::read(std::string_view bytes,
                                                                    SseEvent& event,
                                                                    std::size_t max_bytes) {
    std::size_t size = 0;
    while (size == 0) {
        const auto end = bytes.find_first_of("\r\n", seen_);
        if (end == std::string_view::npos || end >= max_bytes) {
            seen_ = bytes.size();
            if (bytes.size() > max_bytes) {
                return std::unexpected(SseError::too_large);
            }
            return std::nullopt;
        }
        const bool blank = end == line_;
        const bool cr = bytes[end] == '\r';
        if (cr && end + 1 == bytes.size() && !blank) {
            seen_ = end;  // whether a LF belongs to it is not known, and nothing hangs on it yet
            return std::nullopt;
        }
        line_ = end + (cr && bytes.substr(end + 1).starts_with('\n') ? 2 : 1);
        seen_ = line_;
        if (blank) {
            size = line_;
        }
    }
    line_ = seen_ = 0;

    std::string_view rest = bytes.substr(0, size);
    if (first_ && rest.starts_with(kMark)) {
        rest.remove_prefix(kMark.size());
    }
    first_ = false;
    event.event = event.data = {};
    event.has_data = false;
    bool joined = false;
    while (!rest.empty()) {
        const std::string_view line = take_line(rest);
        const auto colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        std::string_view value =
            colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
        if (value.starts_with(' ')) {
            value.remove_prefix(1);
        }
        if (name == "event") {
            event.event = value;
        } else if (name == "data" && !event.has_data) {
            event.data = value;
            event.has_data = true;
        } else if (name == "data") {
            if (!joined) {
                event.joined_ = event.data;
                joined = true;
            }
            event.joined_.append(1, '\n').append(value);
        }
    }
    if (joined) {
        event.data = event.joined_;
    }
    return size;
}

}  // namespace weir::codec
