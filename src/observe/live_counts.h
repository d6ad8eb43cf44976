// What the page shows of the metrics: totals by target, client and model, and the latencies of the
// last minute. Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::observe {

/// Totals since the start, as the metrics have them.
struct LiveCounts {
    using ByName = std::map<std::string, std::uint64_t, std::less<>>;
    /// Account, Region and model, as metrics label them.
    using TargetName = std::tuple<std::string, std::string, std::string>;
    /// From Region and model to Region and model.
    using Flow = std::tuple<std::string, std::string, std::string, std::string>;
    /// Of a histogram: how many values up to each bound, the last one infinite.
    using Buckets = std::vector<std::pair<double, std::uint64_t>>;

    struct Client {
        ByName outcomes;
        std::uint64_t quota_tokens = 0;
        std::uint64_t unused_tokens = 0;  ///< held for max_tokens in vain
    };
    struct Latencies {
        Buckets request, first_token, queue;
    };

    std::map<TargetName, ByName> attempts;  ///< by result
    std::map<std::string, Client, std::less<>> clients;
    std::map<std::string, Latencies, std::less<>> models;
    std::map<Flow, std::uint64_t> fallbacks;
    ByName outcomes;
    ByName refusals;  ///< by reason
    std::uint64_t rescued = 0;
    double streams = 0;  ///< open
    double connections_active = 0;
    double connections_idle = 0;
    /// Whether the shared store keeps the books; below 0: no store is configured.
    double store_joined = -1;
    double instances = 1;

    static LiveCounts of(const std::vector<prometheus::MetricFamily>& families);

    /// Attempts with one of these results, over all targets.
    std::uint64_t attempts_with(std::initializer_list<std::string_view> results) const;
};

/// Values of one histogram within a while.
struct Quantiles {
    std::uint64_t count = 0;
    double half = 0;      ///< seconds that half of the values do not exceed
    double most = 0;      ///< seconds that 95 % do not exceed
    bool beyond = false;  ///< `most` is above the highest bound, which it shows
};
/// Of what was added to `before`, within a bucket by its share. `before` may be empty.
Quantiles quantiles(const LiveCounts::Buckets& before, const LiveCounts::Buckets& now);

struct ModelLatencies {
    Quantiles request, first_token, queue;
};

/// Remembers the histograms of the last minute, sampled every few seconds. Not thread-safe.
class RecentLatencies {
public:
    static constexpr std::int64_t kSeconds = 60;

    void add(const LiveCounts& counts, std::int64_t at);
    /// By model, of those that had a request within the last minute.
    std::map<std::string, ModelLatencies> last_minute() const;

private:
    using Models = std::map<std::string, LiveCounts::Latencies, std::less<>>;
    std::deque<std::pair<std::int64_t, Models>> past_;
};

}  // namespace weir::observe
