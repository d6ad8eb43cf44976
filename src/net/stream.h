// A byte stream: TCP, plain or under TLS, with a deadline and an interrupt.
#pragma once

#include "net/io.h"
#include "net/loop.h"
#include "net/socket.h"

#include <weir/time.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace weir::net {

class TlsState;

/// At most one read and one write at a time. Each moves a bounded number of bytes in one turn of
/// the loop, then yields. Deadline and interrupt are sticky: the operation in flight ends with that
/// error, and so do later ones, until clear_deadline() or rearm().
/// Must outlive its operations: destroy it only when none is in flight.
class Stream {
public:
    Stream(Loop& loop, Socket socket);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Task<NetResult<std::size_t>> read_some(std::span<char> into);
    /// Writes all of `head`, then `body`, then `tail`, in one system call where it can.
    Task<NetResult<void>> write(std::string_view head, std::string_view body = {},
                                std::string_view tail = {});
    /// Writes a request. Fails with `closed`, and writes nothing, if the peer has sent bytes or
    /// closed before: bytes that precede the request are no answer to it.
    Task<NetResult<void>> write_first(std::string_view head, std::string_view body);
    /// The same without waiting: written bytes are removed from the front of the views. True:
    /// all is written.
    NetResult<bool> try_write(std::string_view& head, std::string_view& body,
                              std::string_view& tail);
    /// Bytes that are available without waiting; nullopt: none.
    NetResult<std::optional<std::size_t>> try_read(std::span<char> into);

    /// Waits until there is something to read (or end of file), holding no buffer.
    Task<NetResult<void>> wait_readable();

    /// Waits until the peer takes more (or a connect has ended).
    Task<NetResult<void>> wait_writable();
    /// Waits for wake(), which anything on the loop may call; the deadline and interrupt() also end
    /// it. For steps before the first byte, such as resolving the peer's name.
    Task<NetResult<void>> wait_woken();
    void wake();

    /// A write that makes no progress for this long fails with `timeout`. Zero: never.
    void set_write_stall(Duration longest);

    /// Calls `gone` once, on the loop, when the peer closes while no read is in flight. Arriving
    /// bytes end the watch; with `bytes_too` they count as an end.
    using Gone = void (*)(void* context);
    void watch(Gone gone, void* context, bool bytes_too = false);
    void unwatch();

    /// Operations that are in flight at this time, or start later, fail with `timeout`.
    void set_deadline(Duration from_now);
    void clear_deadline();
    /// Fails the operation in flight and later ones with `interrupted`.
    void interrupt();
    bool interrupted() const;
    void rearm();  // forgets an interrupt or a deadline that fired

    /// End of file or error already waiting on an idle connection; pending bytes count as dead too.
    bool idle_and_healthy();

    void close();           // orderly, where TLS allows without waiting
    void abort();           // RST, so that the peer does not see a clean end
    void shutdown_write();  // FIN; the other direction stays open
    Socket& socket();
    Loop& loop();
    bool secure() const;

    /// Adds TLS to the stream and does the handshake.
    Task<NetResult<void>> start_tls(std::unique_ptr<TlsState> tls);

private:
    Task<NetResult<void>> write_all(std::string_view head, std::string_view body,
                                    std::string_view tail, bool first);

    struct Impl;
    Impl* impl_;  // shared with posts on the loop
};

}  // namespace weir::net
