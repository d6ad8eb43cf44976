// The whole gateway: workers, listeners, admin port, reload, drain.
#pragma once

#include "gateway/admin.h"
#include "gateway/local_client.h"
#include "gateway/snapshot.h"

#include <weir/config.h>
#include <weir/engine.h>
#include <weir/engine_state.h>
#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

struct GatewayOptions {
    /// Reads the configuration again, for POST /reload; empty: reload is not offered.
    std::function<Result<Config>()> read_config;
    /// Told before POST /reload reads it, and again when it is in force or refused; may be empty.
    std::function<void(bool under_way)> reloading;
    RegionDirectory::MakeKeys make_keys;
    LogSink log;
    int access_log = -1;  ///< a descriptor; -1: none is written
    std::uint64_t seed = 0;
    /// Use of the quotas before the start. Replaces the state file.
    std::optional<EngineState> before;
    /// Told of each configuration that a reload has put in force; may be empty.
    std::function<void(const Config&)> reloaded;
};

/// start() and stop() from one thread; everything else from any.
class Gateway {
public:
    Gateway(Config config, GatewayOptions options);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Binds, listens, starts the threads. The error says which address and why. Without addresses
    /// only serve() brings requests.
    Result<void> start();
    std::vector<std::uint16_t> ports() const;
    std::uint16_t admin_port() const;

    /// Takes a new configuration, or says why not and keeps the old one; requests under way keep
    /// theirs, limiter levels stay. Certificates, keys and trusted certificates are read again.
    /// What only a restart can change is left as it is and named (settings.h). Logged, with `by` as
    /// who asked. Blocks on the disk: not for a loop's thread.
    Result<ReloadAnswer> reload(const Result<Config>& read, std::string_view by);

    /// For a request of this process: the loop on which it is to be served, in turn.
    net::Loop& next_loop();
    /// Serves it; `client` hears of its end. From start() on; who calls stop() waits for all ends
    /// first.
    void serve(std::shared_ptr<LocalClient> client);
    /// From now on nothing waits or begins, and what is under way gets an answer or a typed end.
    void end_calls();

    /// Whether every worker's loop turns within this time. Blocks, between start() and stop().
    bool lives(Duration within);
    /// The longest that drain() and stop() take together.
    Duration longest_drain() const;

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
