// HTTP/2 by hand: frames as bytes, and a client that says what comes back.
#pragma once

#include "codec/http2_frames.h"

#include "unit/net/support.h"

#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>
#include <optional>

namespace weir::net::test::http2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
inline constexpr std::uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;

inline std::string bytes_of(std::uint64_t number, int size) {
    std::string out;
    for (int i = size - 1; i >= 0; --i) {
        out += static_cast<char>(number >> (8 * i));
    }
    return out;
}

/// `length` and `stream` may lie.
inline std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload,
                         std::optional<std::size_t> length = {}) {
    std::string out = bytes_of(length.value_or(payload.size()), 3);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    out += bytes_of(stream, 4);
    out += payload;
    return out;
}

/// A literal without indexing, RFC 7541 6.2.2; no Huffman.
inline std::string text(std::string_view value) {
    std::string out;
    if (value.size() < 127) {
        out += static_cast<char>(value.size());
    } else {
        out += '\x7F';
        std::size_t rest = value.size() - 127;
        for (; rest >= 128; rest >>= 7) {
            out += static_cast<char>(0x80 | (rest & 0x7F));
        }
        out += static_cast<char>(rest);
    }
    out += value;
    return out;
}
inline std::string field(std::string_view name, std::string_view value) {
    return std::string(1, '\0') + text(name) + text(value);
}

/// A request's header block; `more` goes behind it.
inline std::string block(std::string_view path = "/", std::string_view method = "GET",
                         std::string_view more = {}) {
    std::string out = field(":method", method) + field(":scheme", "http") + field(":path", path) +
                      field(":authority", "localhost");
    out += more;
    return out;
}

inline std::string headers(std::uint32_t stream, std::string_view block,
                           int flags = kEndHeaders | kEndStream) {
    return frame(NGHTTP2_HEADERS, flags, stream, block);
}
inline std::string get(std::uint32_t stream, std::string_view path = "/") {
    return headers(stream, block(path));
}
/// A POST whose body is still to come.
inline std::string post(std::uint32_t stream, std::string_view path = "/",
                        std::string_view more = {}) {
    return headers(stream, block(path, "POST", more), kEndHeaders);
}
inline std::string data(std::uint32_t stream, std::string_view bytes, int flags = kEndStream) {
    return frame(NGHTTP2_DATA, flags, stream, bytes);
}
inline std::string continuation(std::uint32_t stream, std::string_view block, int flags = 0) {
    return frame(NGHTTP2_CONTINUATION, flags, stream, block);
}
inline std::string reset(std::uint32_t stream, std::uint32_t code = NGHTTP2_CANCEL) {
    return frame(NGHTTP2_RST_STREAM, 0, stream, bytes_of(code, 4));
}
inline std::string window(std::uint32_t stream, std::uint32_t more) {
    return frame(NGHTTP2_WINDOW_UPDATE, 0, stream, bytes_of(more, 4));
}
inline std::string ping(std::string_view eight = "12345678", int flags = 0) {
    return frame(NGHTTP2_PING, flags, 0, eight);
}
inline std::string priority(std::uint32_t stream, std::uint32_t depends_on, int weight = 15) {
    return frame(NGHTTP2_PRIORITY, 0, stream, bytes_of(depends_on, 4) + static_cast<char>(weight));
}
inline std::string setting(int id, std::uint32_t value) {
    return bytes_of(static_cast<std::uint64_t>(id), 2) + bytes_of(value, 4);
}
inline std::string settings(std::string_view entries = {}, int flags = 0) {
    return frame(NGHTTP2_SETTINGS, flags, 0, entries);
}

struct Frame {
    codec::Http2FrameHead head;
    std::string payload;

    /// Of RST_STREAM and GOAWAY.
    std::uint32_t code() const {
        const std::size_t at = head.type == NGHTTP2_GOAWAY ? 4 : 0;
        return number(at);
    }
    std::uint32_t number(std::size_t at) const {
        std::uint32_t value = 0;
        for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i) {
            value = value << 8 | static_cast<std::uint8_t>(payload[i]);
        }
        return value;
    }
};

struct Answer {
    std::map<std::string, std::string> fields;  // of the last head that is no 1xx
    std::string body;
    std::vector<int> statuses;  // 100, 200
    std::optional<std::uint32_t> reset;
    bool ended = false;

    int status() const { return statuses.empty() ? 0 : statuses.back(); }
};

/// A blocking client. Acknowledges SETTINGS, and gives back what DATA takes from the windows unless
/// `stingy`.
class Http2Client {
public:
    explicit Http2Client(std::uint16_t port, std::string_view entries = {}) : client_(port) {
        nghttp2_hd_inflate_new(&inflater_);
        client_.send(std::string(kPreface) + settings(entries));
    }
    /// Without a word.
    Http2Client(std::uint16_t port, std::nullptr_t) : client_(port) {
        nghttp2_hd_inflate_new(&inflater_);
    }
    ~Http2Client() { nghttp2_hd_inflate_del(inflater_); }
    Http2Client(const Http2Client&) = delete;
    Http2Client& operator=(const Http2Client&) = delete;

    bool send(std::string_view bytes) { return client_.send(bytes); }
    Client& socket() { return client_; }

    /// The next frame; nothing: the connection is at its end (or ten seconds have passed).
    std::optional<Frame> next() {
        while (held_.size() < 9 || held_.size() < 9 + length()) {
            const std::string more = client_.receive();
            if (more.empty()) {
                return {};
            }
            held_ += more;
        }
        codec::Http2FrameWalk walk;
        Frame frame;
        frame.head = *walk.next(held_).head;
        frame.payload = held_.substr(9, frame.head.length);
        held_.erase(0, 9 + frame.head.length);
        note(frame);
        return frame;
    }
    /// Reads on until `done` or the end.
    bool until(const std::function<bool()>& done) {
        while (!done()) {
            if (!next()) {
                return false;
            }
        }
        return true;
    }
    Answer& answer(std::uint32_t stream) {
        Answer& wanted = answers[stream];
        until([&] { return wanted.ended || wanted.reset || goaway_code; });
        return wanted;
    }
    /// Everything that was sent so far has been read by the server.
    bool round_trip() {
        pongs_ = 0;
        send(ping("roundtrp"));
        return until([this] { return pongs_ > 0; });
    }
    /// The code of the GOAWAY that ends the connection; nothing: it ended without one.
    std::optional<std::uint32_t> farewell() {
        while (next()) {
        }
        return goaway_code;
    }

    std::map<std::uint32_t, Answer> answers;
    std::optional<std::uint32_t> goaway_code;  // the last one's
    std::optional<std::uint32_t> goaway_last;
    std::map<std::uint32_t, std::size_t> window_bytes;  // granted by WINDOW_UPDATE
    std::map<std::uint32_t, std::uint32_t> settings_seen;
    int settings_acks = 0;
    bool stingy = false;
    bool mute = false;  // acknowledges nothing

private:
    std::size_t length() const {
        return static_cast<std::size_t>(static_cast<std::uint8_t>(held_[0])) << 16 |
               static_cast<std::size_t>(static_cast<std::uint8_t>(held_[1])) << 8 |
               static_cast<std::size_t>(static_cast<std::uint8_t>(held_[2]));
    }

    void note(const Frame& frame) {
        const auto stream = static_cast<std::uint32_t>(frame.head.stream);
        const bool last = (frame.head.flags & kEndStream) != 0;
        switch (frame.head.type) {
            case NGHTTP2_HEADERS:
                read_head(answers[stream], frame.payload);
                answers[stream].ended = last;
                break;
            case NGHTTP2_DATA:
                answers[stream].body += frame.payload;
                answers[stream].ended = last;
                if (!stingy && !frame.payload.empty()) {
                    const auto size = static_cast<std::uint32_t>(frame.payload.size());
                    client_.send(window(0, size) + (last ? "" : window(stream, size)));
                }
                break;
            case NGHTTP2_RST_STREAM:
                answers[stream].reset = frame.code();
                break;
            case NGHTTP2_SETTINGS:
                if ((frame.head.flags & NGHTTP2_FLAG_ACK) != 0) {
                    ++settings_acks;
                    break;
                }
                for (std::size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
                    settings_seen[static_cast<std::uint8_t>(frame.payload[at + 1])] =
                        frame.number(at + 2);
                }
                if (!mute) {
                    client_.send(settings({}, NGHTTP2_FLAG_ACK));
                }
                break;
            case NGHTTP2_PING:
                if ((frame.head.flags & NGHTTP2_FLAG_ACK) == 0) {
                    client_.send(ping(frame.payload, NGHTTP2_FLAG_ACK));
                } else {
                    ++pongs_;
                }
                break;
            case NGHTTP2_GOAWAY:
                goaway_last = frame.number(0) & 0x7FFFFFFF;
                goaway_code = frame.code();
                break;
            case NGHTTP2_WINDOW_UPDATE:
                window_bytes[stream] += frame.number(0);
                break;
            default:
                break;
        }
    }

    void read_head(Answer& answer, std::string_view block) {
        answer.fields.clear();
        auto* at = reinterpret_cast<std::uint8_t*>(const_cast<char*>(block.data()));
        std::size_t left = block.size();
        for (;;) {
            nghttp2_nv nv{};
            int flags = 0;
            const auto taken = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, at, left, 1);
            if (taken < 0) {
                std::abort();
            }
            at += taken;
            left -= static_cast<std::size_t>(taken);
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
                const std::string name(reinterpret_cast<const char*>(nv.name), nv.namelen);
                const std::string value(reinterpret_cast<const char*>(nv.value), nv.valuelen);
                if (name == ":status") {
                    answer.statuses.push_back(std::stoi(value));
                }
                answer.fields[name] = value;
            }
            if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
                nghttp2_hd_inflate_end_headers(inflater_);
                return;
            }
        }
    }

    Client client_;
    nghttp2_hd_inflater* inflater_ = nullptr;
    std::string held_;
    int pongs_ = 0;
};

}  // namespace weir::net::test::http2
