// A model of the service: what it counts, what it refuses and how long it takes. Written from what
// is known of Bedrock; it shares nothing with the limiter that it is used to judge.
#pragma once

#include "plan/foreign.h"
#include "plan/window.h"

#include <weir/config.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::plan {

/// A Region that answers 503 for a while, or 429 whatever is used.
struct Outage {
    std::string region;
    Duration from{};
    Duration to{};
    bool spell = false;  ///< of 429s

    bool operator==(const Outage&) const = default;
};

/// What the service is like, as opposed to what the engine is told of it.
struct ServiceSetup {
    std::vector<QuotaConfig> quotas;  ///< a model without one is not limited
    ModelTable models;
    WindowShape window;
    bool count_refusals = false;  ///< refused calls count against requests per minute
    std::vector<Outage> outages;
    double foreign = 0;  ///< share of each pool that another program asks for
    ForeignSizes foreign_sizes;
    Duration span{};  ///< of the trace: the other program stops with it
    Duration first_token = std::chrono::milliseconds(400);
    double tokens_per_second = 60;
    std::uint64_t seed = 1;
};

enum class Answer : std::uint8_t { accepted, throttled_requests, throttled_tokens, unavailable };

/// What one model in one Region holds against its quota, and its rules.
class Service {
public:
    /// A model in a Region; several may share one pool.
    using Place = std::uint32_t;

    /// What a call that was accepted holds.
    struct Ticket {
        Window::Charge tokens;
    };

    struct PoolReport {
        std::string region;
        std::string model;  ///< the first of those that share the pool
        std::optional<std::uint64_t> requests_per_minute;
        std::optional<std::uint64_t> tokens_per_minute;
        std::uint64_t settled = 0;  ///< tokens, of our calls that are complete
        ForeignReport foreign;
    };

    explicit Service(ServiceSetup setup);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    Place place(const std::string& region, const std::string& model);

    /// `input` with what is read from caches; `max_output`: the maximum that the request names.
    Answer arrive(Place place, std::uint64_t input, std::uint64_t max_output, Duration now,
                  Ticket& ticket);
    /// The answer is complete. `input` without what was read from caches.
    void complete(Place place, const Ticket& ticket, std::uint64_t input, std::uint64_t output,
                  Duration now);

    /// What the Region answers whatever is asked; accepted: nothing is wrong with it.
    Answer trouble(const std::string& region, Duration now) const;
    const std::string& region_of(Place place) const;
    std::uint32_t burndown(Place place) const { return places_[place].burndown; }
    std::uint32_t pool_of(Place place) const { return places_[place].pool; }
    /// Tokens that stand against the pool's limit; 0 where there is none.
    std::int64_t used(std::uint32_t pool, Duration now);

    /// Lets the other program finish, and says what there was.
    std::vector<PoolReport> report();

private:
    struct Pool;
    struct PlaceState {
        std::uint32_t pool = 0;
        std::uint32_t burndown = 1;
        bool reserve_burndown = false;
    };

    void catch_up(Pool& pool, Duration now);
    Answer ask(Pool& pool, std::int64_t tokens, Duration now, Ticket& ticket);

    ServiceSetup setup_;
    std::vector<std::unique_ptr<Pool>> pools_;
    std::vector<PlaceState> places_;
    std::map<std::pair<std::string, std::string>, Place> by_name_;
    std::map<std::pair<std::string, std::string>, std::uint32_t> pool_by_name_;
};

/// The name of the pool that a model's calls in a Region count in: its quota's first model.
std::string pool_name(const std::vector<QuotaConfig>& quotas, std::string_view region,
                      std::string_view model);

/// Where the minutes of a pool begin: at minus this, modulo the window's length.
Duration phase_of(const ServiceSetup& setup, const std::string& region, const std::string& pool);

/// The row for a model in a Region: one for that Region before one for every Region; null: none.
const QuotaConfig* quota_of(const std::vector<QuotaConfig>& quotas, std::string_view region,
                            std::string_view model);

}  // namespace weir::plan
