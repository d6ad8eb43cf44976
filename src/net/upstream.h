// The way to a server: names, connections, TLS, proxies, and the pool that keeps them.
#pragma once

#include "codec/http1.h"
#include "net/loop.h"
#include "net/stream.h"

#include <weir/result.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::net {

class Resolver;

/// Where to connect: scheme, host, port, and how. Immutable.
struct Endpoint {
    bool tls = false;
    std::string host;  // name or address, no brackets
    std::uint16_t port = 0;
    std::string path_prefix;  // of the URL, without a trailing slash; mostly empty
    std::string authority;    // for the Host header: port only if it is not the scheme's own
    std::string ca;           // PEM file; empty: AWS_CA_BUNDLE, else the system's store
    std::string proxy_host;   // empty: none. HTTP CONNECT
    std::uint16_t proxy_port = 0;
    std::string proxy_authorization;  // "Basic ..." if the proxy's URL had user:password

    /// `proxy`: URL, or empty for HTTPS_PROXY / https_proxy / NO_PROXY of the environment (https
    /// only).
    static Result<Endpoint> parse(std::string_view url, std::string_view ca = {},
                                  std::string_view proxy = {});
};

struct PoolSettings {
    Duration connect_timeout = std::chrono::seconds(5);
    Duration idle =
        std::chrono::seconds(300);  // a connection idle this long is closed: under 350 s
    Duration keepalive = std::chrono::seconds(45);  // TCP keep-alive
    Duration retire = std::chrono::seconds(3600);  // age, with jitter, after which it is not reused
    std::size_t max_head = 64UL << 10;
};

/// Counts over all workers, for metrics.
struct PoolCounts {
    std::atomic<std::int64_t> active{0};
    std::atomic<std::int64_t> idle{0};
};

/// One HTTP/1.1 client connection, for one exchange at a time. Holds no read buffer while idle.
class UpstreamConnection {
public:
    /// Internal to net: the pool makes and keeps them.
    struct Impl;
    explicit UpstreamConnection(std::unique_ptr<Impl> impl);
    ~UpstreamConnection();

    /// Fails with `closed`, nothing sent, where the peer has spoken or closed before.
    Task<NetResult<void>> write(std::string_view head, std::string_view body);
    /// Reads the final response head; 1xx are swallowed. Views live until the next call of
    /// read_body.
    Task<NetResult<const codec::Head*>> read_head(bool to_head_request = false);
    /// The next piece of the body, as it comes; empty: the end. The view lives until the next call.
    Task<NetResult<std::string_view>> read_body();
    /// Whether what read_body() gave last was the end of it.
    bool body_ended() const;

    Stream& stream();
    bool reused() const;              // has served an exchange before
    bool any_bytes_received() const;  // in this exchange
    const Endpoint& endpoint() const;

private:
    friend class Pool;
    std::unique_ptr<Impl> impl_;
};

/// A worker's connections to one endpoint. Has no cap of its own: the engine bounds calls in
/// flight.
class Pool {
public:
    Pool(Loop& loop, Endpoint endpoint, PoolSettings settings, PoolCounts* counts = nullptr,
         Resolver* resolver = nullptr);
    ~Pool();  // closes what is idle; leases must have ended
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    struct Interrupt {  // lets a bystander end a connect() under way
        Stream* connecting = nullptr;
        bool raised = false;
        void raise();
    };
    /// The idle connection that was used last; null: none is there.
    std::unique_ptr<UpstreamConnection> take_idle();
    /// A new one. Its stream is interrupted through `interrupt` if the caller's client leaves.
    Task<NetResult<std::unique_ptr<UpstreamConnection>>> connect(Interrupt& interrupt);
    /// The one, else the other. `fresh`: never one used before.
    Task<NetResult<std::unique_ptr<UpstreamConnection>>> acquire(bool fresh, Interrupt& interrupt);

    /// Gives it back. `reusable`: the exchange ended cleanly; it is kept if its peer allows
    /// keep-alive, its body was read to the end and it is not over age.
    void release(std::unique_ptr<UpstreamConnection> connection, bool reusable);

    const Endpoint& endpoint() const;
    void close_idle();
    /// New connections follow these settings, and trust what TrustReload has read since; idle
    /// connections made with other trusted certificates are closed.
    void renew(const PoolSettings& settings);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
