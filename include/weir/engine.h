// The engine: every decision weir makes, as a function of what happened and when.
#pragma once

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// A snapshot for metrics, /status and tests. Plain values; taking one costs O(targets + clients).
struct LimitStatus {
    LimitKind kind = LimitKind::none;
    std::uint64_t limit = 0;  ///< 0: not known yet
    std::uint64_t used = 0;   ///< settled and reserved together
    std::uint64_t reserved = 0;
    bool learned = false;  ///< from 429s rather than from configuration
};
enum class BreakerState : std::uint8_t { closed = 0, half_open = 1, open = 2 };

struct TargetStatus {
    std::string region;
    std::string model;
    Endpoint endpoint = Endpoint::runtime;
    Tier tier = Tier::unset;
    std::vector<LimitStatus> limits;
    BreakerState breaker = BreakerState::closed;
    std::uint64_t in_flight = 0;  ///< granted, sent or begun
    bool daily_closed = false;
    bool misconfigured = false;  ///< calls agree that it is unfit (404, 403); closed for a while
    std::string misconfigured_cause;     ///< the error that closed it
    std::string misconfigured_call;      ///< the driver's name for the call that closed it
    std::string misconfigured_client;    ///< that call's client
    bool misconfigured_for_all = false;  ///< false: closed for that client only
    Duration misconfigured_for{};        ///< until it is tried again
    std::uint64_t cache_kept = 0;        ///< calls sent there for the prompt cache that is there
    std::uint64_t cache_moved = 0;       ///< calls sent there while their prompt cache is elsewhere
    double usable_share = 1;  ///< of the quota, given what max_tokens holds in vain; 1 when unknown
    double mean_max_tokens = 0;
    double mean_settled_cost = 0;
    double mean_service_seconds = 0;
    double estimate_ratio = 1;  ///< learned actual / estimated input
    /// A max_tokens that would do, by the lengths of plain answers so far; 0: too few are known.
    std::uint64_t enough_max_tokens = 0;
    std::uint64_t right_sized = 0;  ///< calls ever sent with a lowered max_tokens
    std::uint64_t truncated = 0;    ///< of those, cut by it: repeated with the caller's, if whole
};
struct ClientStatus {
    std::string name;
    std::vector<LimitStatus> limits;
    std::uint64_t waiting = 0;
};
struct WaitingStatus {
    std::string model;
    Priority priority = Priority::standard;
    std::uint64_t calls = 0;
};
/// Calls passed over a target, ever, by reason (family, residency, guardrail, misconfigured, ...).
struct SkippedStatus {
    std::string region;
    std::string model;
    std::string reason;
    std::uint64_t calls = 0;
};
struct Status {
    std::vector<TargetStatus> targets;
    std::vector<ClientStatus> clients;
    std::vector<WaitingStatus> waiting;
    std::vector<SkippedStatus> skipped;
    std::uint64_t waiting_calls = 0;
    std::uint64_t waiting_bytes = 0;
    std::uint64_t in_flight = 0;
};

/// Holds back what would be refused, hands out what fits, fairly, and says at once what can never
/// go.
///
/// No I/O, clock, thread, log or randomness of its own. Not thread-safe: the driver holds one lock
/// round it. `now` must not run backwards between calls; if it does, it is read as the latest seen.
///
/// Invariants: a grant is given only if reservation fits every limit of its target (and client) at
/// that instant; each grant ends exactly once, by settle, report or cancel; word of an unknown or
/// ended call is ignored. After settle, report and cancel the driver calls advance(): they may have
/// freed room.
class Engine {
public:
    /// `config` must pass validate(). `seed` feeds jitter and nothing else.
    Engine(Config config, std::uint64_t seed, Instant now);
    ~Engine();
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;

    /// Takes a new configuration; limiter levels, breakers and waiting calls are kept.
    void reconfigure(Config config, Instant now);

    /// A call arrives. Wait: it is queued under its id until advance() hands it on or cancel() ends
    /// it.
    Decision offer(const Call& call, Instant now);

    /// The attempt's last request byte is written: from here on the service counts it.
    void sent(CallId id, Instant now);

    /// The attempt's answer is known good; content may go to the client. Nothing is retried after
    /// this.
    void began(CallId id, Instant now);

    /// The attempt failed; what next? Always final after began(). `name` is the driver's name for
    /// the call, shown in status where this failure has effects on other calls.
    Decision report(CallId id, const Failure& failure, Instant now, std::string_view name = {});

    /// The call is complete, with this usage.
    void settle(CallId id, const Usage& usage, Instant now);

    /// The client left: waiting, granted, sent or begun. `so_far`: usage seen or estimated by then.
    void cancel(CallId id, std::optional<Usage> so_far, Instant now);

    /// A request that is passed on without the engine's limits, counted in this client's
    /// requests_per_minute. A refusal: they are used up.
    std::optional<Refusal> count_request(std::string_view client, Instant now);

    /// Appends those whose turn has come or whose time is over, at most 64; call again while it
    /// appends 64.
    void advance(Instant now, std::vector<Wake>& woken);

    /// When advance() next has something to do if nothing else happens; nullopt: never.
    std::optional<Instant> next_wake() const;

    Status status(Instant now) const;

    /// What is worth a line in the log since the last call, each said once.
    std::vector<std::string> take_notices();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir
