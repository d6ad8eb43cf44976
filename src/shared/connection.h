// One connection to a server, as the coroutines that read and write it share it.
#pragma once

#include "net/signal.h"
#include "net/stream.h"
#include "shared/counters.h"
#include "shared/failure.h"
#include "shared/resp.h"

#include <weir/time.h>

#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace weir::shared {

struct Expected {
    Instant made;
    bool call = false;  // of send(): an answer in time proves that the server is up
    std::function<void(std::expected<Reply, StoreFailure>)> answered;
};

/// Shared by the coroutines that read and write it, which end with it.
struct Connection {
    Connection(net::Loop& loop, std::unique_ptr<net::Stream> with)
        : stream(std::move(with)), to_write(loop) {}

    void end(StoreFailure because) {
        if (!closing) {
            closing = true;
            why = std::move(because);
            stream->interrupt();
            to_write.notify();
        }
    }

    std::unique_ptr<net::Stream> stream;
    net::Signal to_write;
    std::string out;
    std::deque<Expected> expected;
    ReplyReader reader;
    bool closing = false;
    StoreFailure why;  // while closing
};

/// Sends what is said in one turn of the loop in one write, until the connection ends.
net::Task<void> write(net::Loop& loop, std::shared_ptr<Connection> to, Counters& counters);

}  // namespace weir::shared
