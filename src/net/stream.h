// A byte stream: TCP, plain or under TLS, with a deadline and an interrupt.
#pragma once

#include "net/io.h"
#include "net/loop.h"

#include <weir/time.h>

#include <asio/buffer.hpp>

#include <memory>
#include <span>
#include <string_view>

namespace weir::net {

class TlsState;

/// At most one read and one write at a time. Deadline and interrupt are sticky: what is under way
/// ends with that error and so does whatever starts later, until clear_deadline() or rearm().
/// Must outlive its operations: destroy it only when none is under way.
class Stream {
public:
    Stream(Loop& loop, TcpSocket socket);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Task<NetResult<std::size_t>> read_some(std::span<char> into);
    /// Writes all of `head` and then all of `body`, in one system call where it can.
    Task<NetResult<void>> write(std::string_view head, std::string_view body = {});

    /// Waits until there is something to read (or end of file), holding no buffer.
    Task<NetResult<void>> wait_readable();

    /// What has ended or will end at this time fails with `timeout`.
    void set_deadline(Duration from_now);
    void clear_deadline();
    /// Fails what is under way and what follows with `interrupted`.
    void interrupt();
    bool interrupted() const;
    void rearm();  // forgets an interrupt or a deadline that fired

    /// End of file or error already waiting on an idle connection; pending bytes count as dead too.
    bool idle_and_healthy();

    void close();  // orderly, where TLS allows without waiting
    void abort();  // RST: the peer must not take this for a clean end
    TcpSocket& socket();
    Loop& loop();
    bool secure() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    friend class TlsContext;
};

}  // namespace weir::net
