// One send: a connection, the request, the head of its answer, each within its time.
#pragma once

#include "codec/http1.h"
#include "gateway/patience.h"
#include "gateway/stop.h"
#include "net/loop.h"
#include "net/upstream.h"

#include <weir/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace weir::gateway {

/// Promises: the connection is given back exactly once; what is awaited ends when `stop` has been
/// raised and interrupt() called; a request that may have been read is not said to be unsent.
class Attempt {
public:
    enum class End : std::uint8_t {
        done,
        failed,   // failure() says how
        stopped,  // the client left, or the drain's time is over
    };

    /// `place` names it in messages.
    Attempt(net::Loop& loop, net::Upstreams& upstreams, std::string_view place, const Stop& stop,
            const Clocks& clocks)
        : loop_(loop), upstreams_(upstreams), place_(place), stop_(stop), clocks_(clocks) {}
    ~Attempt() { release(false); }
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;

    /// A connection: kept, unless `fresh` asks for one that was never used.
    net::Task<End> connect(bool fresh);
    /// Writes the request. After a write that failed an early answer may still be there to read: so
    /// go on to read_head() in any case but `failed` and `stopped`.
    net::Task<End> write(std::string_view head, std::string_view body);
    bool written() const { return written_; }
    /// The answer's head, which is kept.
    net::Task<End> read_head();
    const codec::Head& head() const { return head_; }

    const Failure& failure() const { return failure_; }
    /// The next attempt should not use a kept connection: this one had been closed meanwhile.
    bool kept_had_closed() const { return kept_had_closed_; }
    /// Why no connection could be had; empty: one was.
    const std::string& unreachable() const { return unreachable_; }
    /// Time that connecting took; zero for a kept connection.
    Duration connecting() const { return connecting_; }

    Clocks& clocks() { return clocks_; }
    const Clocks& clocks() const { return clocks_; }
    net::Upstream& upstream() { return *connection_; }
    /// Gives the connection back. `reusable`: the answer was read to its end.
    void release(bool reusable);
    /// Ends what is awaited.
    void interrupt();

private:
    End fail(Failure failure);
    End no_head(net::NetError error);
    void keep(const codec::Head& head);
    void connect_late();

    net::Loop& loop_;
    net::Upstreams& upstreams_;
    std::string_view place_;
    const Stop& stop_;
    Clocks clocks_;
    std::unique_ptr<net::Upstream> connection_;
    net::Upstreams::Interrupt interrupt_;
    Patience left_;
    std::string head_bytes_;
    codec::Head head_;  // views into head_bytes_
    Failure failure_;
    std::string unreachable_;
    Duration connecting_{};
    bool late_ = false;  // connecting took too long
    bool written_ = false;
    bool kept_had_closed_ = false;
};

}  // namespace weir::gateway
