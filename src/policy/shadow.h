// `mode: observe`: what the engine would have done, beside traffic that goes on untouched.
#pragma once

#include <weir/engine.h>
#include <weir/shared_books.h>

#include "policy/observed_advice.h"
#include "policy/tariff.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::policy {

/// What would have become of the calls of one client to one model, and what did.
struct ObservedCounts {
    std::uint64_t calls = 0;
    std::uint64_t would_wait = 0;
    std::uint64_t would_refuse = 0;
    std::uint64_t would_move = 0;        ///< to another Region or model
    std::uint64_t would_right_size = 0;  ///< go with a lower max_tokens
    double wait_seconds = 0;             ///< of all that would have waited, together
    double longest_wait_seconds = 0;
    std::uint64_t reserved = 0;   ///< quota tokens held for calls that were answered,
    std::uint64_t settled = 0;    ///< and what they cost in the end
    std::uint64_t throttled = 0;  ///< refused by the service as it was
    std::uint64_t failed = 0;     ///< failed otherwise as it was
};

struct ObservedRow {
    std::string model;
    std::string client;
    ObservedCounts counts;
};

/// Drives an engine of its own along live traffic: each call is offered when it comes, its virtual
/// attempt starts when the engine would have let it go, and takes as long and costs as much as the
/// real one did. Time inside catches up with `now` at each call, so it needs no timer, unless
/// several instances share their quotas: then due() says when it has something to do.
///
/// In shared books it is an instance like any other: it logs what it would have sent, when it would
/// have sent it, and asks for room for what it would have let wait.
///
/// Not thread-safe. Bounded: calls under way and the engine's own queue; 200 rows, the rest as one.
class Shadow {
public:
    Shadow(Config config, std::uint64_t seed, Instant now);

    void reconfigure(Config config, Instant now);

    /// A call comes, and goes on at once.
    void offer(const Call& call, Instant now);

    /// How the real call ended.
    struct Outcome {
        enum class Kind : std::uint8_t { answered, throttled, failed };
        Kind kind = Kind::answered;
        Usage usage;
        Duration service{};
    };
    void ended(CallId id, const Outcome& outcome, Instant now);

    // As Engine's.
    std::vector<BookExchange> exchanges(Instant now);
    void answered(const BookAnswer& answer, Instant now);
    void unanswered(std::string_view quota, Instant now);
    void leave(Instant now) { engine_.leave(now); }
    bool left() const { return engine_.left(); }
    std::vector<SharedStatus> shared(Instant now) const { return engine_.status(now).shared; }
    /// When exchanges() is to be called next.
    std::optional<Instant> due() const;

    std::vector<ObservedRow> rows(Instant now);
    /// What follows from them, for each model.
    std::vector<ObservedAdvice> advice(Instant now);

private:
    enum class State : std::uint8_t { waiting, running, refused };
    struct Entry {
        ObservedCounts* counts = nullptr;
        PeakDemand* peak = nullptr;
        State state = State::waiting;
        std::string model;
        std::string home_region;
        std::uint64_t input_estimate = 0;
        Instant arrival{};
        Instant start{};
        Tariff tariff;
        std::uint64_t reservation = 0;
        std::optional<std::uint64_t> max_output;
        std::optional<Outcome> outcome;
    };
    struct IdHash {
        std::size_t operator()(const CallId& id) const {
            return std::hash<std::uint64_t>{}(id.generation * 31 + id.slot) ^ id.worker;
        }
    };
    using Entries = std::unordered_map<CallId, Entry, IdHash>;

    ObservedCounts& counts_for(std::string_view model, std::string_view client);
    PeakDemand& peak_for(std::string_view model);
    void decided(CallId id, const Decision& decision, Instant now);
    void finish(Entries::iterator at, Instant now);
    void advance(Instant now);
    void catch_up(Instant now);
    Instant next() const;

    Config config_;
    Engine engine_;
    Entries entries_;
    std::multimap<Instant, CallId> ends_;  // of virtual attempts, when they are known
    std::map<std::pair<std::string, std::string>, ObservedCounts> counts_;
    std::map<std::string, PeakDemand, std::less<>> peaks_;  // by model; as many as rows at most
};

}  // namespace weir::policy
