// The server side: listeners, connections, and requests that are handed to a handler.
#pragma once

#include "codec/http1.h"
#include "net/loop.h"
#include "net/stream.h"

#include <weir/result.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net {

class TlsContext;

/// One request and its answer in either HTTP version: http1_connection.h, http2_stream.h. All
/// on the connection's loop.
class Downstream {
public:
    virtual ~Downstream() = default;

    virtual const codec::Head& head() const = 0;  // valid until the answer has ended
    virtual Loop& loop() = 0;
    virtual std::string_view peer() const = 0;  // "127.0.0.1:54321"
    virtual bool secure() const = 0;
    virtual int http_version() const = 0;  // 10, 11, 20

    /// The next piece of the request's body; empty: its end. The view lives until the next call.
    /// The first call answers `Expect: 100-continue`. After an error nothing more can be read;
    /// after `timeout` or `protocol` the client may be there and take an answer, else return from
    /// the handler.
    virtual Task<NetResult<std::string_view>> read_body() = 0;

    /// `fields` is a block of whole field lines ("Name: value\r\n" ...) without Content-Length,
    /// Transfer-Encoding, Connection or Date: those are ours to write. HTTP/2 writes the names in
    /// lower case.
    /// A whole answer in one write.
    virtual Task<NetResult<void>> send(int status, std::string_view fields,
                                       std::string_view body) = 0;
    /// A long one: begin, write..., end. The head goes out with the first bytes. `length`: known,
    /// else chunked.
    virtual Task<NetResult<void>> begin(int status, std::string_view fields,
                                        std::optional<std::uint64_t> length) = 0;
    virtual Task<NetResult<void>> write(std::string_view content) = 0;
    /// Sends the head that begin() was given though no content is there yet.
    virtual Task<NetResult<void>> flush() = 0;
    virtual Task<NetResult<void>> end() = 0;
    /// Cuts an answer under way so that the client cannot take it for complete.
    virtual void abort() = 0;
    virtual bool answered() const = 0;  // head has been handed to send() or begin()

    /// Tells `gone` once, on the loop, when the client leaves while nobody reads or writes; bytes
    /// of a next request disarm the watch. unwatch() before the handler returns; after it `gone` is
    /// never called.
    using Gone = void (*)(void* context);
    virtual void watch(Gone gone, void* context) = 0;
    virtual void unwatch() = 0;

    /// The answer will take its time: until its head is sent, or the handler returns, the client
    /// gets an interim answer (`100 Continue`) this often, which keeps its read timeout from
    /// running out. HTTP/1.1 alone; to others it does nothing.
    virtual void reassure(Duration every);
};

struct ServerTls {
    std::string certificate;  // PEM files
    std::string key;
};

/// What a running server can be given anew.
struct ServerLimits {
    /// A request's head, and each wait for more of its body: see BodyPace.
    Duration head_timeout = std::chrono::seconds(10);
    Duration idle_timeout = std::chrono::seconds(75);   // between requests
    Duration write_timeout = std::chrono::seconds(75);  // a write that makes no progress
    std::size_t max_connections = 20'000;
    std::size_t max_head = 64UL << 10;
};

struct ServerSettings : ServerLimits {
    std::vector<std::string> listen;  // "127.0.0.1:7070", "[::1]:7070", "0.0.0.0:7070"; port 0: any
    std::optional<ServerTls> tls;
    /// Told of a malformed request's answer etc.; may be empty.
    std::function<void(std::string_view)> log;
    /// Makes the body (and type) of an error answer that the server itself gives: 400, 408, 413,
    /// 431, 505.
    std::function<std::string(int status, std::string_view message)> error_body;
    /// Field lines that go with such an answer.
    std::string error_fields = "Content-Type: application/json\r\n";
};

/// Accepts on the first loop and hands each connection to the loop with the fewest. Out of
/// descriptors: pauses, says so at most once a second, goes on.
class Server {
public:
    using Handler = std::function<Task<void>(Downstream&)>;

    Server(const std::vector<Loop*>& loops, ServerSettings settings, Handler handler);
    ~Server();  // loops must have stopped
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Binds and listens; the error names the address and the reason. Call before the loops run.
    Result<void> start();
    std::vector<std::uint16_t> ports() const;  // in the order of `listen`, as bound

    /// New connections get these limits; requests that begin on open ones get the timeouts.
    /// Thread-safe.
    void set_limits(const ServerLimits& limits);
    /// The next handshakes use this context, which TlsContext::server() made; what is connected
    /// stays. Only for a server that was started with `tls`. Thread-safe.
    void set_tls(std::shared_ptr<TlsContext> tls);

    /// Stops accepting, closes idle connections, lets requests under way finish with Connection:
    /// close or GOAWAY. Thread-safe. drained(): none left.
    void drain();
    bool drained() const;
    /// Cuts all that is left. Thread-safe.
    void close_all();

    std::size_t connections() const;
    std::size_t active() const;  // with a request under way

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
