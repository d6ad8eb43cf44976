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
    std::string tls_name;     // what the certificate must carry; empty: the host
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

/// A connection to a server, for one exchange at a time, as whoever makes the exchange sees it. On
/// its loop's thread.
class Upstream {
public:
    virtual ~Upstream() = default;

    /// Fails with `closed`, nothing sent, where the peer has spoken or closed before.
    virtual Task<NetResult<void>> write(std::string_view head, std::string_view body) = 0;
    /// Reads the final response head; 1xx are swallowed. Views live until the next call of
    /// read_body.
    virtual Task<NetResult<const codec::Head*>> read_head() = 0;
    /// The next piece of the body, as it comes; empty: the end. The view lives until the next call.
    virtual Task<NetResult<std::string_view>> read_body() = 0;
    /// Whether what read_body() gave last was the end of it.
    virtual bool body_ended() const = 0;

    virtual bool reused() const = 0;              // has served an exchange before
    virtual bool any_bytes_received() const = 0;  // in this exchange

    // As Stream has them.
    virtual void set_deadline(Duration from_now) = 0;
    virtual void clear_deadline() = 0;
    virtual void rearm() = 0;
    virtual void interrupt() = 0;
};

/// Where connections to one place are had.
class Upstreams {
public:
    virtual ~Upstreams() = default;

    struct Interrupt {  // lets a bystander end a connect() under way
        Stream* connecting = nullptr;
        bool raised = false;
        void raise();
    };
    /// The idle connection that was used last; null: none is there.
    virtual std::unique_ptr<Upstream> take_idle() = 0;
    /// A new one. Its stream is interrupted through `interrupt` if the caller's client leaves.
    virtual Task<NetResult<std::unique_ptr<Upstream>>> connect(Interrupt& interrupt) = 0;
    /// Gives back one that came from here. `reusable`: the exchange ended cleanly; it is kept if
    /// its peer allows keep-alive, its body was read to the end and it is not over age.
    virtual void release(std::unique_ptr<Upstream> connection, bool reusable) = 0;
    /// New connections follow these settings, and trust what TrustReload has read since; idle
    /// connections made with other trusted certificates are closed.
    virtual void renew(const PoolSettings& settings) = 0;
};

/// One HTTP/1.1 client connection. Holds no read buffer while idle.
class UpstreamConnection final : public Upstream {
public:
    /// Internal to net: the pool makes and keeps them.
    struct Impl;
    explicit UpstreamConnection(std::unique_ptr<Impl> impl);
    ~UpstreamConnection() override;

    Task<NetResult<void>> write(std::string_view head, std::string_view body) override;
    Task<NetResult<const codec::Head*>> read_head() override;
    Task<NetResult<std::string_view>> read_body() override;
    bool body_ended() const override;
    bool reused() const override;
    bool any_bytes_received() const override;
    void set_deadline(Duration from_now) override;
    void clear_deadline() override;
    void rearm() override;
    void interrupt() override;
    Stream& stream();

private:
    friend class Pool;
    std::unique_ptr<Impl> impl_;
};

/// A worker's connections to one endpoint. Has no cap of its own: the engine bounds calls in
/// flight.
class Pool final : public Upstreams {
public:
    Pool(Loop& loop, Endpoint endpoint, PoolSettings settings, PoolCounts* counts = nullptr,
         Resolver* resolver = nullptr);
    ~Pool() override;  // closes what is idle; leases must have ended
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    std::unique_ptr<Upstream> take_idle() override;
    Task<NetResult<std::unique_ptr<Upstream>>> connect(Interrupt& interrupt) override;
    void release(std::unique_ptr<Upstream> connection, bool reusable) override;
    /// An idle one, else a new one. `fresh`: never one used before.
    Task<NetResult<std::unique_ptr<Upstream>>> acquire(bool fresh, Interrupt& interrupt);

    void renew(const PoolSettings& settings) override;
    const Endpoint& endpoint() const;
    void close_idle();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
