// The callbacks by which nghttp2 reports to a connection. For http2_*.cpp only.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

namespace weir::net {

class Http2Connection;

/// A server's session that reports its events to `connection`; its SETTINGS are submitted.
/// Throws bad_alloc.
nghttp2_session* make_http2_session(Http2Connection& connection, std::size_t max_head);

/// Where an answer's body comes from: the stream's `outgoing_`.
nghttp2_data_provider http2_answer_body();

/// Requests at once on one connection.
inline constexpr std::size_t kHttp2Streams = 256;
/// Bytes that a client may send before the handler reads them: on one stream, on the connection.
inline constexpr std::int32_t kHttp2StreamWindow = 256 << 10;
inline constexpr std::int32_t kHttp2Window = 1 << 20;

}  // namespace weir::net
