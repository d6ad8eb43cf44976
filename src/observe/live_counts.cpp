#include "observe/live_counts.h"

#include <algorithm>
#include <array>

namespace weir::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

std::string label(const ClientMetric& metric, std::string_view name) {
    const auto found = std::ranges::find(metric.label, name,
                                         [](const auto& one) -> const auto& { return one.name; });
    return found == metric.label.end() ? std::string() : found->value;
}

std::uint64_t whole(double value) {
    return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

LiveCounts::Buckets buckets(const ClientMetric& metric) {
    LiveCounts::Buckets out;
    for (const auto& bucket : metric.histogram.bucket) {
        out.emplace_back(bucket.upper_bound, bucket.cumulative_count);
    }
    return out;
}

/// A family's name, and what one of its series adds to the counts.
struct Reader {
    std::string_view family;
    void (*read)(LiveCounts& out, const ClientMetric& metric);
};

const std::array kReaders{
    Reader{"weir_requests_total",
           [](LiveCounts& out, const ClientMetric& m) {
               const auto outcome = label(m, "outcome");
               out.outcomes[outcome] += whole(m.counter.value);
               out.clients[label(m, "client")].outcomes[outcome] += whole(m.counter.value);
           }},
    Reader{"weir_refusals_total",
           [](LiveCounts& out, const ClientMetric& m) {
               out.refusals[label(m, "reason")] += whole(m.counter.value);
           }},
    Reader{"weir_attempts_total",
           [](LiveCounts& out, const ClientMetric& m) {
               out.attempts[{label(m, "account"), label(m, "region"), label(m, "model")}]
                           [label(m, "result")] += whole(m.counter.value);
           }},
    Reader{"weir_tokens_total",
           [](LiveCounts& out, const ClientMetric& m) {
               if (label(m, "kind") == "quota") {
                   out.clients[label(m, "client")].quota_tokens += whole(m.counter.value);
               }
           }},
    Reader{"weir_reserved_unused_tokens_total",
           [](LiveCounts& out, const ClientMetric& m) {
               out.clients[label(m, "client")].unused_tokens += whole(m.counter.value);
           }},
    Reader{"weir_fallbacks_total",
           [](LiveCounts& out, const ClientMetric& m) {
               out.fallbacks[{label(m, "from_region"), label(m, "from_model"),
                              label(m, "to_region"), label(m, "to_model")}] +=
                   whole(m.counter.value);
           }},
    Reader{"weir_rescued_total",
           [](LiveCounts& out, const ClientMetric& m) { out.rescued += whole(m.counter.value); }},
    Reader{"weir_request_seconds",
           [](LiveCounts& out, const ClientMetric& m) {
               out.models[label(m, "model")].request = buckets(m);
           }},
    Reader{"weir_first_token_seconds",
           [](LiveCounts& out, const ClientMetric& m) {
               out.models[label(m, "model")].first_token = buckets(m);
           }},
    Reader{"weir_queue_seconds",
           [](LiveCounts& out, const ClientMetric& m) {
               out.models[label(m, "model")].queue = buckets(m);
           }},
    Reader{"weir_streams_open",
           [](LiveCounts& out, const ClientMetric& m) { out.streams = m.gauge.value; }},
    Reader{"weir_connections",
           [](LiveCounts& out, const ClientMetric& m) {
               if (label(m, "side") == "client") {
                   (label(m, "state") == "active" ? out.connections_active : out.connections_idle) =
                       m.gauge.value;
               }
           }},
    Reader{"weir_shared_joined",
           [](LiveCounts& out, const ClientMetric& m) { out.store_joined = m.gauge.value; }},
    Reader{"weir_shared_instances",
           [](LiveCounts& out, const ClientMetric& m) { out.instances = m.gauge.value; }},
};

std::uint64_t up_to(const LiveCounts::Buckets& buckets, std::size_t i) {
    return i < buckets.size() ? buckets[i].second : 0;
}

}  // namespace

LiveCounts LiveCounts::of(const std::vector<MetricFamily>& families) {
    LiveCounts out;
    for (const MetricFamily& family : families) {
        const auto* reader = std::ranges::find(kReaders, family.name, &Reader::family);
        if (reader == kReaders.end()) {
            continue;
        }
        for (const ClientMetric& metric : family.metric) {
            reader->read(out, metric);
        }
    }
    return out;
}

std::uint64_t LiveCounts::attempts_with(std::initializer_list<std::string_view> results) const {
    std::uint64_t sum = 0;
    for (const auto& [target, counts] : attempts) {
        for (const std::string_view result : results) {
            const auto found = counts.find(result);
            sum += found == counts.end() ? 0 : found->second;
        }
    }
    return sum;
}

Quantiles quantiles(const LiveCounts::Buckets& before, const LiveCounts::Buckets& now) {
    Quantiles out;
    if (now.empty()) {
        return out;
    }
    const auto added = [&](std::size_t i) {
        const std::uint64_t old = up_to(before, i);
        return now[i].second - std::min(old, now[i].second);
    };
    out.count = added(now.size() - 1);
    if (out.count == 0) {
        return out;
    }
    const auto at = [&](double share, bool* beyond) {
        const double rank = share * static_cast<double>(out.count);
        double below = 0;
        double low = 0;
        for (std::size_t i = 0; i + 1 < now.size(); ++i) {
            const auto reached = static_cast<double>(added(i));
            if (reached >= rank && reached > below) {
                return low + (now[i].first - low) * (rank - below) / (reached - below);
            }
            below = reached;
            low = now[i].first;
        }
        if (beyond != nullptr) {
            *beyond = true;
        }
        return low;
    };
    out.half = at(0.5, nullptr);
    out.most = at(0.95, &out.beyond);
    return out;
}

void RecentLatencies::add(const LiveCounts& counts, std::int64_t at) {
    constexpr std::size_t kMost = kSeconds + 2;  // whatever the clock does
    past_.emplace_back(at, counts.models);
    // One that is older than a minute is kept: what was added since then is the last minute.
    while (past_.size() > 2 && (past_[1].first <= at - kSeconds || past_.size() > kMost)) {
        past_.pop_front();
    }
}

std::map<std::string, ModelLatencies> RecentLatencies::last_minute() const {
    std::map<std::string, ModelLatencies> out;
    if (past_.empty()) {
        return out;
    }
    const Models& before = past_.front().second;
    const bool first = past_.size() == 1;  // all that there is was added now, as far as is known
    for (const auto& [model, now] : past_.back().second) {
        const auto found = before.find(model);
        const LiveCounts::Latencies none;
        const LiveCounts::Latencies& old = first || found == before.end() ? none : found->second;
        ModelLatencies latencies{quantiles(old.request, now.request),
                                 quantiles(old.first_token, now.first_token),
                                 quantiles(old.queue, now.queue)};
        if (latencies.request.count > 0) {
            out.emplace(model, latencies);
        }
    }
    return out;
}

}  // namespace weir::observe
