// What must hold for any bytes on an HTTP/2 connection. Run by the fuzzer, and over the corpus by
// the unit tests.
#pragma once

#include "codec/http2_frames.h"
#include "net/server_state.h"

#include "fuzz/check.h"

#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace weir::fuzz {

/// What is asked over HTTP/2 must mean the same once it is written as HTTP/1.1.
inline void check_head(const codec::Head& head) {
    std::string written;
    codec::append_request_line(written, head.method, head.target);
    for (const codec::Field& field : head.fields) {
        codec::append_field(written, field.name, field.value);
    }
    const bool chunked = head.framing == codec::Framing::chunked;
    if (chunked) {
        codec::append_field(written, "transfer-encoding", "chunked");
    }
    written += "\r\n";
    codec::HeadReader reader(codec::HeadReader::Side::request, written.size() + 1, 202);
    codec::Head again;
    const auto taken = reader.read(written, again);
    check(taken && *taken && **taken == written.size());
    check(again.method == head.method && again.target == head.target);
    check(again.fields.size() == head.fields.size() + (chunked ? 1 : 0));
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        check(again.fields[i].name == head.fields[i].name);
        check(again.fields[i].value == head.fields[i].value);
    }
    check(again.framing == head.framing ||
          (head.framing == codec::Framing::length && head.content_length == 0));
    check(again.content_length == head.content_length);
}

/// Frames that come back, as far as a client must be able to rely on them.
class Http2Reply {
public:
    void take(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto step = walk_.next(bytes);
            left_ -= std::min(left_, step.bytes);
            if (step.head) {
                check(left_ <= 1);
                left_ = std::size_t{step.head->length} + 1;
                note(*step.head);
            }
            bytes.remove_prefix(step.bytes);
        }
    }

private:
    void note(const codec::Http2FrameHead& head) {
        check(head.length <= 16384);
        if (head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_DATA) {
            check(head.stream > 0 && head.stream % 2 == 1);
            check(!std::exchange(ended_[head.stream], (head.flags & NGHTTP2_FLAG_END_STREAM) != 0));
        }
    }

    codec::Http2FrameWalk walk_;
    std::size_t left_ = 0;
    std::map<std::int32_t, bool> ended_;
};

/// The first byte chooses how the rest is cut up; that comes behind a preface and SETTINGS.
inline void http2(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    const auto choice = static_cast<unsigned char>(bytes[0]);
    std::string input = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    input += std::string_view("\0\0\0\x04\0\0\0\0\0", 9);
    input += bytes.substr(1);

    net::Loop loop(0);
    net::ServerLoop home(loop);
    auto state = std::make_shared<net::ServerState>();
    state->loops.push_back(std::make_unique<net::ServerLoop>(loop));
    state->handler = [](net::Downstream& request) -> net::Task<void> {
        check_head(request.head());
        std::string body;
        for (;;) {
            const auto piece = co_await request.read_body();
            if (!piece) {
                co_return;
            }
            if (piece->empty()) {
                break;
            }
            body += *piece;
        }
        if (request.head().framing == codec::Framing::length) {
            check(body.size() == request.head().content_length);
        }
        co_await request.begin(200, "A: b\r\n", std::nullopt);
        co_await request.write(body);
        co_await request.end();
    };

    std::array<int, 2> ends{};
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
    home.connections = 1;
    loop.spawn(net::serve_connection(state, &home, ends[0], {}));
    Http2Reply reply;
    std::array<char, 16384> block{};
    const auto turn = [&] {
        for (;;) {
            const auto ran = loop.poll();
            const auto got = ::recv(ends[1], block.data(), block.size(), 0);
            if (got > 0) {
                reply.take({block.data(), static_cast<std::size_t>(got)});
            } else if (ran == 0) {
                return;
            }
        }
    };
    std::string_view left = input;
    const std::size_t piece = choice == 0 ? left.size() : choice;
    while (!left.empty()) {
        const auto sent = ::send(ends[1], left.data(), std::min(piece, left.size()), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            break;  // it has heard enough
        }
        left.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
        turn();
    }
    ::shutdown(ends[1], SHUT_WR);
    while (home.connections != 0) {
        turn();
    }
    check(home.active == 0 && home.streams == 0);
    ::close(ends[1]);
}

}  // namespace weir::fuzz
