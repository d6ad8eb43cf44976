#include "codec/eventstream.h"

#include "codec/crc32.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace weir::codec {

namespace {

constexpr std::size_t kPrelude = 12;  // two lengths and their sum
constexpr std::size_t kSum = 4;
constexpr std::size_t kSmallest = kPrelude + kSum;

enum Type : std::uint8_t {
    kTrue,
    kFalse,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kBytes,
    kString,
    kTimestamp,
    kUuid
};

template <class Integer>
Integer load(std::string_view bytes, std::size_t at = 0) {
    std::make_unsigned_t<Integer> value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i)
        value = static_cast<decltype(value)>((std::uint64_t{value} << 8) |
                                             static_cast<unsigned char>(bytes[at + i]));
    return static_cast<Integer>(value);
}

template <class Integer>
void store(std::string& out, Integer value) {
    const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
    for (std::size_t i = sizeof(Integer); i-- > 0;)
        out += static_cast<char>((std::uint64_t{bits} >> (8 * i)) & 0xFF);
}

/// Takes headers off the front of what is left of them.
class HeaderCursor {
public:
    explicit HeaderCursor(std::string_view bytes) : left_(bytes) {}

    bool empty() const { return left_.empty(); }

    std::optional<EventHeader> next() {
        EventHeader header;
        const auto name_length = take<std::uint8_t>();
        if (!name_length || *name_length == 0)
            return std::nullopt;
        const auto name = take_bytes(*name_length);
        const auto type = take<std::uint8_t>();
        if (!name || !type || !read_value(*type, header.value))
            return std::nullopt;
        header.name = *name;
        return header;
    }

private:
    std::optional<std::string_view> take_bytes(std::size_t size) {
        if (left_.size() < size)
            return std::nullopt;
        const std::string_view taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }

    template <class Integer>
    std::optional<Integer> take() {
        const auto bytes = take_bytes(sizeof(Integer));
        if (!bytes)
            return std::nullopt;
        return load<Integer>(*bytes);
    }

    template <class Integer>
    bool read_integer(HeaderValue& value) {
        const auto integer = take<Integer>();
        if (integer)
            value = *integer;
        return integer.has_value();
    }

    bool read_value(std::uint8_t type, HeaderValue& value) {
        switch (type) {
            case kTrue:
            case kFalse:
                value = type == kTrue;
                return true;
            case kInt8:
                return read_integer<std::int8_t>(value);
            case kInt16:
                return read_integer<std::int16_t>(value);
            case kInt32:
                return read_integer<std::int32_t>(value);
            case kInt64:
                return read_integer<std::int64_t>(value);
            case kBytes:
            case kString: {
                const auto length = take<std::uint16_t>();
                const auto bytes = length ? take_bytes(*length) : std::nullopt;
                if (!bytes)
                    return false;
                if (type == kBytes)
                    value = Bytes{*bytes};
                else
                    value = *bytes;
                return true;
            }
            case kTimestamp: {
                const auto ms = take<std::int64_t>();
                if (ms)
                    value = Timestamp{*ms};
                return ms.has_value();
            }
            case kUuid: {
                const auto bytes = take_bytes(sizeof(Uuid));
                if (!bytes)
                    return false;
                Uuid uuid;
                std::ranges::transform(*bytes, uuid.begin(),
                                       [](char c) { return static_cast<std::uint8_t>(c); });
                value = uuid;
                return true;
            }
            default:
                return false;
        }
    }

    std::string_view left_;
};

bool names_differ(const std::vector<EventHeader>& headers) {
    constexpr std::size_t kFew = 16;
    if (headers.size() <= kFew) {
        for (std::size_t i = 1; i < headers.size(); ++i)
            for (std::size_t j = 0; j < i; ++j)
                if (headers[i].name == headers[j].name)
                    return false;
        return true;
    }
    std::vector<std::string_view> names;
    names.reserve(headers.size());
    for (const EventHeader& header : headers)
        names.push_back(header.name);
    std::ranges::sort(names);
    return std::ranges::adjacent_find(names) == names.end();
}

/// A length that does not fit its field would garble the stream. Only weir's own text is written
/// here, so this is a fault of our own: it ends a debug build, and a release leaves the part out.
bool fits(bool holds) {
#ifndef NDEBUG
    if (!holds) {
        std::fputs("weir: a part of an event was too long to write\n", stderr);
        std::abort();
    }
#endif
    return holds;
}

bool fits(const EventHeader& header) {
    constexpr std::size_t kLongest = 0xFFFF;
    const auto* const text = std::get_if<std::string_view>(&header.value);
    const auto* const bytes = std::get_if<Bytes>(&header.value);
    const bool value = (text == nullptr || text->size() <= kLongest) &&
                       (bytes == nullptr || bytes->bytes.size() <= kLongest);
    return fits(value && !header.name.empty() && header.name.size() <= 0xFF);
}

void append_sized(std::string& out, std::string_view bytes) {
    store(out, static_cast<std::uint16_t>(bytes.size()));
    out += bytes;
}

/// Appends a value's type and bytes.
struct ValueWriter {
    std::string& out;

    void type(Type type) const { out += static_cast<char>(type); }
    template <class Integer>
    void typed(Type of, Integer value) const {
        type(of);
        store(out, value);
    }

    void operator()(bool value) const { type(value ? kTrue : kFalse); }
    void operator()(std::int8_t value) const { typed(kInt8, value); }
    void operator()(std::int16_t value) const { typed(kInt16, value); }
    void operator()(std::int32_t value) const { typed(kInt32, value); }
    void operator()(std::int64_t value) const { typed(kInt64, value); }
    void operator()(Timestamp value) const { typed(kTimestamp, value.ms); }
    void operator()(Bytes value) const {
        type(kBytes);
        append_sized(out, value.bytes);
    }
    void operator()(std::string_view value) const {
        type(kString);
        append_sized(out, value);
    }
    void operator()(const Uuid& value) const {
        type(kUuid);
        for (std::uint8_t byte : value)
            out += static_cast<char>(byte);
    }
};

void overwrite(std::string& out, std::size_t at, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        out[at++] = static_cast<char>((value >> shift) & 0xFF);
}

}  // namespace

std::string_view to_string(EventStreamError error) {
    switch (error) {
        case EventStreamError::bad_length:
            return "impossible length";
        case EventStreamError::too_large:
            return "too large";
        case EventStreamError::prelude_crc:
            return "prelude checksum differs";
        case EventStreamError::message_crc:
            return "message checksum differs";
        case EventStreamError::bad_header:
            return "malformed header";
    }
    return "unknown";
}

std::string_view EventMessage::text(std::string_view name) const {
    for (const EventHeader& header : headers)
        if (header.name == name) {
            const auto* value = std::get_if<std::string_view>(&header.value);
            return value != nullptr ? *value : std::string_view();
        }
    return {};
}

std::expected<std::optional<std::size_t>, EventStreamError> read_event(std::string_view bytes,
                                                                       EventMessage& message,
                                                                       std::size_t max_bytes) {
    if (bytes.size() < kPrelude)
        return std::nullopt;
    const std::size_t total = load<std::uint32_t>(bytes);
    const std::size_t header_bytes = load<std::uint32_t>(bytes, 4);
    // The sum first: lengths that arrived damaged say nothing, least of all how long to wait.
    if (crc32(bytes.substr(0, 8)) != load<std::uint32_t>(bytes, 8))
        return std::unexpected(EventStreamError::prelude_crc);
    if (total < kSmallest || header_bytes > total - kSmallest)
        return std::unexpected(EventStreamError::bad_length);
    if (total > max_bytes || header_bytes > kMaxEventHeaders)
        return std::unexpected(EventStreamError::too_large);
    if (bytes.size() < total)
        return std::nullopt;
    if (crc32(bytes.substr(0, total - kSum)) != load<std::uint32_t>(bytes, total - kSum))
        return std::unexpected(EventStreamError::message_crc);

    message.headers.clear();
    HeaderCursor cursor(bytes.substr(kPrelude, header_bytes));
    while (!cursor.empty()) {
        const auto header = cursor.next();
        if (!header)
            return std::unexpected(EventStreamError::bad_header);
        message.headers.push_back(*header);
    }
    if (!names_differ(message.headers))
        return std::unexpected(EventStreamError::bad_header);
    message.payload = bytes.substr(kPrelude + header_bytes, total - kPrelude - header_bytes - kSum);
    return total;
}

void append_event(std::string& out, std::span<const EventHeader> headers,
                  std::string_view payload) {
    const std::size_t start = out.size();
    out.append(kPrelude, '\0');
    for (const EventHeader& header : headers) {
        if (!fits(header))
            continue;
        const std::size_t before = out.size();
        out += static_cast<char>(header.name.size());
        out += header.name;
        std::visit(ValueWriter{out}, header.value);
        if (!fits(out.size() - start - kPrelude <= kMaxEventHeaders))
            out.resize(before);
    }
    const std::size_t header_bytes = out.size() - start - kPrelude;
    if (!fits(payload.size() <= kMaxEventPayload))
        payload = {};
    out += payload;
    overwrite(out, start, static_cast<std::uint32_t>(out.size() - start + kSum));
    overwrite(out, start + 4, static_cast<std::uint32_t>(header_bytes));
    const std::string_view message = std::string_view(out).substr(start);
    overwrite(out, start + 8, crc32(message.substr(0, 8)));
    store(out, crc32(std::string_view(out).substr(start)));
}

}  // namespace weir::codec
