// The store that keeps the books of a shared quota: a Valkey or Redis, reached by one script.
#pragma once

#include "net/loop.h"
#include "net/resolver.h"
#include "shared/counters.h"
#include "shared/failure.h"
#include "shared/resp.h"

#include <weir/config.h>
#include <weir/types.h>

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

/// Runs the script, and never makes anybody wait for longer than kPatience (50 ms, and 5 ms of the
/// timer). After a call without an answer in time, or a failure that concerns the whole server, the
/// store is down: call() fails at once, nothing is queued, and the store is probed by itself until
/// it answers in time (Health has the rule). The connection is made in the background and again
/// whenever it ends, with the name resolved anew.
///
/// On its loop's thread, except for construction (before or while the loop runs), the counters, and
/// stop() and destruction after the loop's join(). Must be destroyed before the loop.
class Store {
public:
    struct Call {
        std::string key;                // KEYS[1]; in cluster mode its hash tag chooses the server
        std::vector<std::string> args;  // ARGV
    };
    using Answered = std::function<void(std::expected<Reply, StoreFailure>)>;

    /// `config` as validate() has found it good. `resolver`: null: the process's own.
    Store(net::Loop& loop, const SharedConfig& config, std::string script, LogSink log,
          net::Resolver* resolver = nullptr);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// All calls of one turn of the loop go out in one write. `answered` is called exactly once,
    /// never inside call(); it may make further calls and may stop the store. Calls mostly run in
    /// the order they were made, but not always: a call that met NOSCRIPT or a redirect is sent
    /// again, behind later ones. A call that failed with `may_have_run` may have run, in part as
    /// well, may yet run, or not at all; the others do not run.
    void call(Call call, Answered answered);

    /// In cluster mode: all of its servers are up. For what is shown; a call for one key may well
    /// succeed while another's server is down.
    bool up() const;
    bool up(std::string_view key) const;
    /// While it is down: "no connection: ...", "AUTH refused: ...", "READONLY ..."; else empty.
    std::string_view why() const;

    const Counters& counters() const;

    /// Ends the connections; what is under way is answered with `stopped` before it returns, and
    /// so is each later call, soon.
    void stop();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace weir::shared
