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
/// the loop, then lets the others have theirs. Deadline and interrupt are sticky: what is under way
/// ends with that error and so does whatever starts later, until clear_deadline() or rearm().
/// Must outlive its operations: destroy it only when none is under way.
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
    /// Writes a request: fails with `closed`, nothing written, where the peer has said something or
    /// closed before. What came before a question is nobody's answer.
    Task<NetResult<void>> write_first(std::string_view head, std::string_view body);
    /// The same as far as it goes without waiting: what is left is cut from the views' front. True:
    /// all is written.
    NetResult<bool> try_write(std::string_view& head, std::string_view& body,
                              std::string_view& tail);
    /// What is there without waiting; nothing: nullopt.
    NetResult<std::optional<std::size_t>> try_read(std::span<char> into);

    /// Waits until there is something to read (or end of file), holding no buffer.
    Task<NetResult<void>> wait_readable();

    /// Waits until the peer takes more (or a connect has ended).
    Task<NetResult<void>> wait_writable();
    /// Waits for wake(), which may come from anything on the loop; the deadline and interrupt() end
    /// it too. For what belongs to a connection before its first byte, like its peer's name.
    Task<NetResult<void>> wait_woken();
    void wake();

    /// A write that makes no progress for this long fails with `timeout`. Zero: never.
    void set_write_stall(Duration longest);

    /// Tells `gone` once, on the loop, when the peer closes while nobody reads. Bytes that arrive
    /// end the watch; with `bytes_too` they are told like an end.
    using Gone = void (*)(void* context);
    void watch(Gone gone, void* context, bool bytes_too = false);
    void unwatch();

    /// What has ended or will end at this time fails with `timeout`.
    void set_deadline(Duration from_now);
    void clear_deadline();
    /// Fails what is under way and what follows with `interrupted`.
    void interrupt();
    bool interrupted() const;
    void rearm();  // forgets an interrupt or a deadline that fired

    /// End of file or error already waiting on an idle connection; pending bytes count as dead too.
    bool idle_and_healthy();

    void close();           // orderly, where TLS allows without waiting
    void abort();           // RST: the peer must not take this for a clean end
    void shutdown_write();  // "no more from here", the other direction stays open
    Socket& socket();
    Loop& loop();
    bool secure() const;

    /// Puts TLS on the stream and shakes hands.
    Task<NetResult<void>> start_tls(std::unique_ptr<TlsState> tls);

private:
    Task<NetResult<void>> write_all(std::string_view head, std::string_view body,
                                    std::string_view tail, bool first);

    struct Impl;
    Impl* impl_;  // shared with what is posted to the loop
};

}  // namespace weir::net
