// What nghttp2 tells a connection while it reads and makes frames. For http2_*.cpp alone.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

namespace weir::net {

class Http2Connection;

/// A server's session that tells `connection` what happens in it; its SETTINGS are submitted.
/// Throws bad_alloc.
nghttp2_session* make_http2_session(Http2Connection& connection, std::size_t max_head);

/// Where an answer's body comes from: the stream's `pending_`.
nghttp2_data_provider http2_answer_body();

/// Requests at once on one connection.
inline constexpr std::size_t kHttp2Streams = 256;
/// What a client may send ahead of the handler that reads it: on one stream, on the connection.
inline constexpr std::int32_t kHttp2StreamWindow = 256 << 10;
inline constexpr std::int32_t kHttp2Window = 1 << 20;
/// Bytes of frames made ahead of the socket.
inline constexpr std::size_t kHttp2Out = 64UL << 10;

}  // namespace weir::net
