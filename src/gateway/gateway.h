// The whole gateway: workers, listeners, admin port, reload, drain.
#pragma once

#include "gateway/snapshot.h"

#include <weir/config.h>
#include <weir/engine.h>
#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::gateway {

struct GatewayOptions {
    /// Reads the configuration again, for POST /reload; empty: reload is not offered.
    std::function<Result<Config>()> read_config;
    RegionDirectory::MakeKeys make_keys;
    LogSink log;
    int access_log = -1;  ///< a descriptor; -1: none is written
    std::uint64_t seed = 0;
    /// Seconds until the first credentials expire, for the metrics.
    std::function<std::optional<double>()> credentials_expiry;
};

/// start() and stop() from one thread; everything else from any.
class Gateway {
public:
    Gateway(Config config, GatewayOptions options);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Binds, listens, starts the threads. The error says which address and why.
    Result<void> start();
    std::vector<std::uint16_t> ports() const;
    std::uint16_t admin_port() const;

    /// Takes a new configuration; requests under way keep the old one, limiter levels stay. What
    /// needs a restart (listen, admin, workers, tls) is named in the log and left as it is.
    Result<void> reload(Config config);
    /// A file that could not be read as a configuration: counted, nothing changes.
    void reload_refused();

    /// Readiness off, accepting for drain_delay, then finishing what is under way for up to
    /// `drain`. Blocks.
    void drain();
    void stop();

    Status status();
    std::string metrics();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::gateway
