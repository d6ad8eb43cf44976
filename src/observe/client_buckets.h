// A rate for each client of what one must not have all of: kept traces, explanations of trouble.
#pragma once

#include <weir/time.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace weir::observe {

/// A token bucket for each client. Callers say by themselves that their trace is recorded, and fail
/// as often as they like: without a bound one of them could fill the queue and the collector, or
/// push out what is kept of the others. Not thread-safe.
class ClientBuckets {
public:
    /// Further clients share one.
    static constexpr std::size_t kMostClients = 1000;

    ClientBuckets(double burst, double per_second) : burst_(burst), per_second_(per_second) {}

    /// `client`: a configured one; empty: all others together.
    bool take(std::string_view client, Instant now) {
        auto found = clients_.find(client);
        if (found == clients_.end()) {
            const std::string_view name = clients_.size() < kMostClients ? client : "";
            found = clients_.try_emplace(std::string(name), Bucket{burst_, now}).first;
        }
        Bucket& bucket = found->second;
        const double earned = to_seconds(std::max(now - bucket.at, Duration::zero())) * per_second_;
        bucket = {std::min(burst_, bucket.tokens + earned), std::max(now, bucket.at)};
        if (bucket.tokens < 1) {
            return false;
        }
        bucket.tokens -= 1;
        return true;
    }

private:
    struct Bucket {
        double tokens = 0;
        Instant at{};
    };

    double burst_;
    double per_second_;
    std::map<std::string, Bucket, std::less<>> clients_;
};

}  // namespace weir::observe
