// State that the pool and its connections share.
#pragma once

#include "net/buffer.h"
#include "net/upstream.h"

namespace weir::net {

struct UpstreamConnection::Impl {
    std::unique_ptr<Stream> stream;
    PoolCounts* counts = nullptr;
    std::size_t max_head = 0;
    Instant retire_at{};
    Instant idle_since{};
    bool reused = false;
    bool idle = false;

    // State of one exchange.
    ReadBuffer buffer;
    codec::HeadReader reader{codec::HeadReader::Side::response};
    codec::Head head;
    codec::BodyReader body;
    bool head_read = false;
    bool any_bytes = false;
    bool broken = false;  // an error was met: never reused

    /// Ready for the next exchange? Its answer was read to the end, and nothing came after it.
    bool finished() const {
        return head_read && !broken && body.done() && buffer.empty() && head.keep_alive &&
               head.framing != codec::Framing::until_close;
    }
    void begin_exchange();
};

}  // namespace weir::net
