// What weir's metrics cost in CloudWatch.
#include "aws/metric_data.h"
#include "aws/watched.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

namespace weir::aws {

std::size_t expected_series(const Config& config) {
    const auto watched = watched_targets(config);
    std::set<std::string> models;
    std::set<std::string> regions;
    for (const Watched& one : watched) {
        models.insert(one.model);
        regions.insert(one.region);
    }
    const std::size_t targets = std::max<std::size_t>(1, watched.size());
    const std::size_t m = std::max<std::size_t>(1, models.size());
    const std::size_t r = std::max<std::size_t>(1, regions.size());
    const std::size_t clients = config.clients.size() + 1;  // and those without a name
    const std::size_t of_requests = 6 + 4 * m + 3 * clients;
    const std::size_t of_targets = (4 + 5 + 2 + 1 + 1) * targets;  // attempts, tokens, quota, ...
    const std::size_t of_models = (1 + 1 + 3 + 1 + 1 + 1) * m;     // waits, times, money, ...
    const std::size_t of_regions = 2 * r;
    return std::min(config.aws.metrics.max_series,
                    of_requests + of_targets + of_models + of_regions + 2 * clients + 6);
}

std::string price_of_metrics(const Config& config) {
    const auto usd = [](std::size_t series) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.2f", 0.30 * static_cast<double>(series));
        return std::string(text.data());
    };
    const std::size_t expected = expected_series(config);
    const std::size_t most = config.aws.metrics.max_series;
    return "about " + std::to_string(expected) + " series, " + usd(expected) +
           " USD a month; at most " + std::to_string(most) + " (max_series), " + usd(most) +
           " USD; and " +
           (config.aws.metrics.to == MetricsTo::emf ? "0.50 USD for each GB of log"
                                                    : "0.44 USD for the calls of an instance") +
           " (us-east-1, price list of 2026-11)";
}

}  // namespace weir::aws
