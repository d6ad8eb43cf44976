// The requests of one HTTP/2 connection.
#pragma once

#include "net/http2_stream.h"

#include <memory>
#include <utility>
#include <vector>

namespace weir::net {

/// By how far they have come: the head is still arriving (open), it
/// is complete (ready), the handler runs (live; they belong to their coroutines). A request that is
/// ready counts as live.
class Http2Streams {
public:
    void open(std::unique_ptr<Http2Stream> stream) { opening_.push_back(std::move(stream)); }
    void accept(Http2Stream& stream);
    /// It ends before its head was complete.
    void forget(const Http2Stream& stream);
    /// To be started.
    std::vector<std::unique_ptr<Http2Stream>> take_ready() { return std::exchange(ready_, {}); }
    void leave(const Http2Stream& stream);
    const std::vector<Http2Stream*>& live() const { return live_; }
    /// Ends all of them.
    void fail(NetError why);
    /// The connection goes first: at shutdown, when coroutines end in any order.
    void orphan();

private:
    std::vector<std::unique_ptr<Http2Stream>> opening_;
    std::vector<std::unique_ptr<Http2Stream>> ready_;
    std::vector<Http2Stream*> live_;
};

}  // namespace weir::net
