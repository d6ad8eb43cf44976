// One lock round one engine, and the way back from it to the workers.
#pragma once

#include "net/loop.h"

#include <weir/engine.h>
#include <weir/engine_state.h>
#include <weir/shared_books.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// Every call locks, asks the engine, lets it hand on whoever's turn has come, unlocks, and posts
/// each wake to the worker that owns the call. Worker 0 owns the only engine timer. Thread-safe, on
/// loop threads only.
///
/// A wake that finds its call gone is ignored by the receiver: the call was cancelled under this
/// lock, so the grant in the wake has ended already.
class EngineGate {
public:
    /// `deliver` runs on the loop of wake.id.worker.
    using Deliver = std::function<void(const Wake&)>;

    /// `before`: what the process before left.
    EngineGate(Config config, std::uint64_t seed, EngineState before, std::vector<net::Loop*> loops,
               Deliver deliver);
    EngineGate(const EngineGate&) = delete;
    EngineGate& operator=(const EngineGate&) = delete;

    /// `standing`: filled in where the decision is to wait.
    Decision offer(const Call& call, Standing* standing = nullptr);
    void sent(CallId id);
    void began(CallId id);
    Decision report(CallId id, const Failure& failure, std::string_view name = {},
                    Standing* standing = nullptr);
    /// What the engine has to say to the log.
    std::vector<std::string> notices();
    /// What it has to say of its own accord goes there, on worker 0's loop. To be called before the
    /// loops run.
    void tell(LogSink log) { log_ = std::move(log); }
    /// began() and settle() in one go, for answers that come whole.
    void complete(CallId id, const Usage& usage);
    void cancel(CallId id, const std::optional<Usage>& so_far);

    std::optional<Refusal> count_request(std::string_view client);

    void reconfigure(Config config);
    Status status();

    // Orders of operators: see Engine.
    bool hold(const Override& order);
    std::size_t release(const TargetFilter& targets, std::string_view by);
    std::size_t trip(const TargetFilter& targets);
    void probe(const TargetFilter& targets);
    void shed(const Shedding& order);
    bool pause(const Pause& order);

    /// Several instances draw on the same quotas: what the engine has to tell the others goes to
    /// `send`, on worker 0's loop, and what comes back to answered() and unanswered(), there too.
    /// To be called before the loops run.
    using Send = std::function<void(std::vector<BookExchange>)>;
    void share(Send send) { send_ = std::move(send); }
    void answered(const BookAnswer& answer);
    void unanswered(std::string_view quota);
    /// As Engine's; left() for any thread.
    void leave();
    bool left();
    /// An invocation's refusal, for the other instances and from them.
    std::optional<PastRefusal> refused(std::string_view client, std::string_view invocation);
    void remember(std::string_view client, std::string_view invocation, const PastRefusal& past);

    /// For any thread, also after the loops have ended.
    EngineState state();

private:
    template <class Ask>
    auto ask(bool frees_room, Ask ask);
    void advance(Instant now, std::vector<Wake>& woken);
    void post(std::vector<Wake>& woken);
    void arm(Instant when);
    void on_timer();
    std::optional<Instant> next_due() const;

    std::vector<net::Loop*> loops_;
    Deliver deliver_;
    std::mutex mutex_;
    Engine engine_;  // guarded by mutex_
    Instant armed_ =
        Instant::max();         // guarded by mutex_: what the timer is, or is about to be, set to
    Instant timer_deadline_{};  // worker 0's thread only
    net::Timer timer_;          // likewise
    LogSink log_;               // may be empty
    Send send_;                 // empty: this instance counts alone
};

}  // namespace weir::gateway
