// The engine: every decision of weir, as a function of events and their times.
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

struct BookExchange;
struct BookAnswer;

/// A snapshot for metrics, /status and tests. Plain values; taking one costs O(targets + clients).
struct LimitStatus {
    LimitKind kind = LimitKind::none;
    std::uint64_t limit = 0;  ///< 0: not known yet
    std::uint64_t used = 0;   ///< settled and reserved together
    std::uint64_t reserved = 0;
    bool learned = false;  ///< from 429s rather than from configuration
    /// Part of `used`: other instances of weir, by the shared books.
    std::uint64_t by_instances = 0;
    /// What programs that do not go through weir are thought to use now. Not part of `used`.
    std::uint64_t foreign = 0;
    /// The highest use of a window that the service has accepted in the last 60 windows.
    std::uint64_t accepted_peak = 0;
    /// Of a learned limit: since a 429 last confirmed it.
    Duration confirmed_ago{};
};
enum class BreakerState : std::uint8_t { closed = 0, half_open = 1, open = 2 };

/// Some targets. An empty member means any; the account "default" is that of `credentials`.
struct TargetFilter {
    std::string region = {};
    std::string model = {};  ///< as the target has it; of an ARN its last part will do
    std::string account = {};

    bool matches(const Target& target) const;
    /// Every target of the other is one of these.
    bool covers(const TargetFilter& other) const;
    bool operator==(const TargetFilter&) const = default;
};

/// What an operator has ordered for targets.
enum class Hold : std::uint8_t {
    open,    ///< in use, whatever the breaker finds
    drain,   ///< calls that have another target go there
    closed,  ///< nothing is sent there
};
std::string_view to_string(Hold hold);

/// The `by` of an operator; anybody else's orders are those of an alarm.
inline constexpr std::string_view kOperator = "operator";

struct Override {
    Hold hold = Hold::closed;
    TargetFilter targets = {};
    Duration lasts{};  ///< in a status: what is left of it
    std::string reason = {};
    std::string by = std::string(kOperator);
};

/// Calls of this class and of lower ones are refused.
struct Shedding {
    Priority from = Priority::batch;
    Duration lasts{};  ///< in a status: what is left of it
    std::string reason = {};
    std::string by = std::string(kOperator);
};

/// A client's calls are refused, those that wait included.
struct Pause {
    std::string client;
    Duration lasts{};  ///< in a status: what is left of it
    std::string reason = {};
    std::string by = std::string(kOperator);
};

struct TargetStatus {
    std::string region;
    std::string model;
    Endpoint endpoint = Endpoint::runtime;
    Tier tier = Tier::unset;
    std::string account;  ///< empty: that of `credentials`
    std::vector<LimitStatus> limits;
    BreakerState breaker = BreakerState::closed;
    Duration breaker_left{};       ///< of an open breaker: until the target is probed
    std::optional<Override> held;  ///< what an operator has ordered for it
    std::uint64_t in_flight = 0;   ///< granted, sent or begun
    bool daily_closed = false;
    bool misconfigured = false;          ///< several calls got 404 or 403; closed for a while
    std::string misconfigured_cause;     ///< the error that closed it
    std::string misconfigured_call;      ///< the driver's name for the call that closed it
    std::string misconfigured_client;    ///< that call's client
    bool misconfigured_for_all = false;  ///< false: closed for that client only
    Duration misconfigured_for{};        ///< until it is tried again
    std::uint64_t cache_kept = 0;        ///< calls sent there for the prompt cache that is there
    std::uint64_t cache_moved = 0;       ///< calls sent there while their prompt cache is elsewhere
    double usable_share = 1;  ///< of the quota, given what max_tokens holds in vain; 1 when unknown
    double mean_max_tokens = 0;
    double mean_reserved = 0;
    double mean_settled_cost = 0;
    double mean_service_seconds = 0;
    double estimate_ratio = 1;  ///< learned actual / estimated input
    /// A sufficient max_tokens by the plain answers so far; 0: too few are known.
    std::uint64_t enough_max_tokens = 0;
    std::uint64_t right_sized = 0;  ///< calls ever sent with a lowered max_tokens
    std::uint64_t truncated = 0;    ///< of those, cut: repeated with the caller's, if whole
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
/// One quota that several instances share.
struct SharedStatus {
    std::string quota;
    bool joined = false;  ///< the store keeps the books; false: this instance counts alone
    std::uint32_t instances = 1;
};
/// Calls that skipped a target, in total, by reason (family, residency, guardrail, ...).
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
    std::vector<SharedStatus> shared;
    std::vector<Override> overrides;
    std::vector<Shedding> shedding;
    std::vector<Pause> paused;
    std::uint64_t waiting_calls = 0;
    std::uint64_t waiting_bytes = 0;
    std::uint64_t in_flight = 0;
};

/// What an SDK's invocation was refused for good, and what it had been through by then.
struct PastRefusal {
    Refusal refusal;  ///< one of the engine's own: without `upstream`
    Duration left{};  ///< for so long it is repeated
    Duration age{};   ///< since the invocation came
    Duration waited{};
    std::uint32_t attempts = 0;
};

struct EngineState;  // weir/engine_state.h

/// Holds back calls that the service would refuse, grants those that fit, fairly, and refuses at
/// once those that can never be sent.
///
/// No I/O, clock, thread, log or randomness of its own. Not thread-safe: the driver holds one lock
/// around it. `now` must not go back between calls; if it does, the latest time seen is used.
///
/// Invariants: a grant is given only if reservation fits every limit of its target (and client) at
/// that instant; each grant ends exactly once, by settle, report or cancel; events of an unknown or
/// ended call are ignored. After settle, report and cancel the driver calls advance(), because they
/// may have freed room.
class Engine {
public:
    /// `config` must pass validate(). `seed` feeds jitter and nothing else. Nothing of any quota
    /// counts as used before `now`, unless resume() says otherwise.
    Engine(Config config, std::uint64_t seed, Instant now);
    ~Engine();
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;

    /// Takes a new configuration; limiter levels, breakers and waiting calls are kept.
    void reconfigure(Config config, Instant now);

    /// A call arrives. Wait: it is queued under its id until advance() decides or cancel() ends
    /// it.
    Decision offer(const Call& call, Instant now);

    /// Why this call waits; nullopt: it does not.
    std::optional<Standing> standing(CallId id, Instant now) const;

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

    /// Appends the calls whose turn has come or whose time is over, at most 64; call again while it
    /// appends 64.
    void advance(Instant now, std::vector<Wake>& woken);

    /// When advance() next has something to do if nothing else happens; nullopt: never.
    std::optional<Instant> next_wake() const;

    Status status(Instant now) const;

    // Orders of operators, and of alarms in their place: in memory only. They win over the breaker,
    // and an operator's over an alarm's. Limits hold nevertheless.

    /// Replaces what `by` has ordered for the same targets. False: there are too many overrides.
    bool hold(const Override& order, Instant now);
    /// Takes back what `by` has ordered for these targets or for some of them; empty: what anybody
    /// has. The number of orders taken back.
    std::size_t release(const TargetFilter& targets, std::string_view by, Instant now);
    /// Opens the breakers of these targets as failures would: probes close them again.
    std::size_t trip(const TargetFilter& targets, Instant now);
    /// Lets those of them that are open be probed now.
    void probe(const TargetFilter& targets, Instant now);
    /// Replaces what `by` has ordered; for no time: takes it back.
    void shed(const Shedding& order, Instant now);
    /// Replaces what `by` has ordered for this client; for no time: takes it back. False: there are
    /// too many.
    bool pause(const Pause& order, Instant now);

    // Several instances on one quota (Config::shared). The driver carries exchanges to the books
    // and answers back; until it does, the engine counts alone.

    /// Exchanges that are due. Each is ended by answered() or unanswered().
    std::vector<BookExchange> exchanges(Instant now);
    void answered(const BookAnswer& answer, Instant now);
    /// The exchange of this quota got no answer in time, or could not be sent.
    void unanswered(std::string_view quota, Instant now);
    /// No call is under way or comes any more: the next exchanges give back all that is held for
    /// this engine, and are the last.
    void leave(Instant now);
    /// They have been answered.
    bool left() const;
    /// When exchanges() next has something, if nothing else happens; nullopt: never.
    std::optional<Instant> exchange_due() const;

    /// What this engine refused the invocation and still repeats; an SDK's next try may come to
    /// another instance, which is to have it by remember().
    std::optional<PastRefusal> refused(std::string_view client, std::string_view invocation,
                                       Instant now) const;
    void remember(std::string_view client, std::string_view invocation, const PastRefusal& past,
                  Instant now);

    /// What is known of the use of quotas, for resume() of another engine.
    EngineState state(Instant now) const;
    /// What was used before now. To be called before anything else, at most once. Of use that is
    /// not in a complete state it is assumed that there was none, until the service refuses a call
    /// within the first window: then the quota counts as spent before, see UnknownPast.
    void resume(EngineState state, Instant now);

    /// New lines for the log since the last call, each once.
    std::vector<std::string> take_notices();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir
