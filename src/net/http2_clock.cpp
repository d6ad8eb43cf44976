// When an HTTP/2 connection ends: idle, stalled, or because the server stops.
#include "net/http2_clock.h"

#include "net/http2_connection.h"

namespace weir::net {

void Http2Connection::set_clock() {
    if (!over_) {
        clock_.count(!streams_.live().empty(), state_.head_timeout.load(),
                     state_.idle_timeout.load());
    }
}

void Http2Connection::clock_fired() {
    if (!over_) {
        const Http2Offence passed = clock_.expired();
        terminate(passed.code, passed.why);
        flush_soon();
    }
}

void Http2Connection::drain() {
    if (over_ || !drain_.announce()) {
        return;
    }
    must(nghttp2_submit_shutdown_notice(session_));
    must(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr));
    flush_soon();
}

void Http2Connection::finish_drain() {
    if (over_ || !drain_.conclude()) {
        return;
    }
    must(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                               nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                               nullptr, 0));
    flush_soon();
}

}  // namespace weir::net
