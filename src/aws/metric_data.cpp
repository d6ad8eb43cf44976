#include "aws/metric_data.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::aws {
namespace {

using Json = nlohmann::json;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMostData = 1000;        // of one call
constexpr std::size_t kMostSent = 900 * 1000;  // of 1 MB, for the rest of the request
constexpr std::size_t kLongestValue = 250;     // characters of a dimension
constexpr std::size_t kMostEmfValues = 100;    // of a metric
constexpr std::size_t kMostEmfMetrics = 100;   // of a line

/// Which labels of a weir metric become dimensions of which CloudWatch metric. Every combination of
/// values is a series that AWS charges for.
struct Row {
    std::string_view from;
    std::string_view to;
    std::string_view unit;
    std::vector<std::pair<std::string_view, std::string_view>> dimensions;  // label, dimension
    std::string_view only_label = {};  // only series with this label ...
    std::string_view only_value = {};  // ... at this value
};

const std::vector<Row>& rows() {
    static const std::vector<Row> kRows{
        {"weir_requests_total", "Requests", "Count", {{"outcome", "Outcome"}}},
        {"weir_requests_total", "Requests", "Count", {{"model", "Model"}, {"outcome", "Outcome"}}},
        {"weir_requests_total",
         "Requests",
         "Count",
         {{"client", "Client"}, {"outcome", "Outcome"}}},
        {"weir_attempts_total",
         "Attempts",
         "Count",
         {{"account", "Account"}, {"model", "Model"}, {"region", "Region"}, {"result", "Result"}}},
        {"weir_refusals_total", "Refusals", "Count", {{"reason", "Reason"}}},
        {"weir_tokens_total",
         "Tokens",
         "Count",
         {{"account", "Account"}, {"kind", "Kind"}, {"model", "Model"}, {"region", "Region"}}},
        {"weir_tokens_total",
         "Tokens",
         "Count",
         {{"client", "Client"}, {"kind", "Kind"}},
         "kind",
         "quota"},
        {"weir_cost_usd_total", "CostUSD", "None", {{"model", "Model"}}},
        {"weir_cost_usd_total", "CostUSD", "None", {{"client", "Client"}}},
        {"weir_reserved_unused_tokens_total", "TokensHeldInVain", "Count", {{"model", "Model"}}},
        {"weir_fallbacks_total",
         "Fallbacks",
         "Count",
         {{"from_model", "FromModel"}, {"from_region", "FromRegion"}}},
        {"weir_rescued_total", "Rescued", "Count", {{"model", "Model"}}},
        {"weir_queue_seconds", "Wait", "Seconds", {{"model", "Model"}}},
        {"weir_request_seconds", "RequestTime", "Seconds", {{"model", "Model"}}},
        {"weir_first_token_seconds", "FirstToken", "Seconds", {{"model", "Model"}}},
        {"weir_pool_wait_seconds", "PoolWait", "Seconds", {{"region", "Region"}}},
        {"weir_waiting", "Waiting", "Count", {{"model", "Model"}}},
        {"weir_credentials_expiry_seconds", "CredentialsExpiry", "Seconds", {}},
    };
    return kRows;
}

std::string_view label(const Sample& sample, std::string_view name) {
    for (const auto& [key, value] : sample.labels) {
        if (key == name) {
            return value;
        }
    }
    return "";
}

std::string key_of(const Sample& sample) {
    std::string key = sample.name;
    for (const auto& [name, value] : sample.labels) {
        key.append("\n").append(name).append("=").append(value);
    }
    return key;
}

/// A dimension has 1 to 255 printable ASCII characters and does not begin with a colon.
std::string dimension_value(std::string_view value) {
    std::string out(value.substr(0, kLongestValue));
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    if (out.starts_with(':')) {
        out[0] = '_';
    }
    return out.find_first_not_of(' ') == std::string::npos ? "none" : out;
}

/// A value that stands for all between two bounds.
double middle(double from, double to) {
    return std::isinf(to) ? from : (from + to) / 2;
}

/// Adds up what falls together.
class Sums {
public:
    void add(std::string_view name, std::string_view unit, Datum::Dimensions dimensions,
             double value, double count) {
        auto& [of, values] = sums_[{std::string(name), std::move(dimensions)}];
        of = unit;
        if (unit == "Seconds" && count > 0) {
            values[value] += count;
        } else if (values.empty()) {
            values[value] = 0;
        } else {
            const double sum = values.begin()->first + value;
            values.clear();
            values[sum] = 0;
        }
    }
    void at_least(std::string_view name, std::string_view unit, Datum::Dimensions dimensions,
                  double value) {
        auto& [of, values] = sums_[{std::string(name), std::move(dimensions)}];
        of = unit;
        if (values.empty() || values.begin()->first < value) {
            values = {{value, 0}};
        }
    }
    std::vector<Datum> take() {
        std::vector<Datum> out;
        for (auto& [key, sum] : sums_) {
            Datum datum{key.first, key.second, sum.first, {}, {}};
            for (const auto& [value, count] : sum.second) {
                datum.values.push_back(value);
                if (count > 0) {
                    datum.counts.push_back(count);
                }
            }
            out.push_back(std::move(datum));
        }
        return out;
    }

private:
    std::map<std::pair<std::string, Datum::Dimensions>,
             std::pair<std::string_view, std::map<double, double>>>
        sums_;
};

Datum::Dimensions dimensions_of(const Row& row, const Sample& sample) {
    Datum::Dimensions out;
    for (const auto& [from, to] : row.dimensions) {
        out.emplace_back(to, dimension_value(label(sample, from)));
    }
    return out;
}

Datum::Dimensions target_of(const Sample& sample) {
    return {{"Account", dimension_value(label(sample, "account"))},
            {"Model", dimension_value(label(sample, "model"))},
            {"Region", dimension_value(label(sample, "region"))}};
}

/// Metrics that two of weir's make together, or that have a meaning of their own.
void derived(const std::vector<Sample>& now, Sums& sums) {
    std::map<Datum::Dimensions, double> limits;
    std::map<std::string, std::pair<double, double>> pools;  // open, allowed
    for (const Sample& one : now) {
        if (one.name == "weir_quota_limit") {
            auto key = target_of(one);
            key.insert(key.begin() + 1, {"Kind", dimension_value(label(one, "kind"))});
            limits[key] = one.value;
        } else if (one.name == "weir_connections" && label(one, "side") == "upstream" &&
                   label(one, "state") == "active") {
            pools[dimension_value(label(one, "region"))].first += one.value;
        } else if (one.name == "weir_pool_limit") {
            pools[dimension_value(label(one, "region"))].second = one.value;
        } else if (one.name == "weir_breaker_state") {
            sums.at_least("BreakerOpen", "None", target_of(one), one.value == 2 ? 1 : 0);
        }
    }
    for (const Sample& one : now) {
        if (one.name == "weir_quota_used") {
            auto key = target_of(one);
            key.insert(key.begin() + 1, {"Kind", dimension_value(label(one, "kind"))});
            if (const auto at = limits.find(key); at != limits.end() && at->second > 0) {
                sums.at_least("QuotaUse", "Percent", key, 100 * one.value / at->second);
            }
        }
    }
    for (const auto& [region, pool] : pools) {
        if (pool.second > 0) {
            sums.at_least("PoolUse", "Percent", {{"Region", region}},
                          100 * pool.first / pool.second);
        }
    }
}

/// The format has no counts and at most 100 values: as many of each as its share of them.
std::vector<double> in_proportion(const Datum& datum) {
    double total = 0;
    for (const double count : datum.counts) {
        total += count;
    }
    const double scale = std::min(1.0, static_cast<double>(kMostEmfValues) / total);
    std::vector<double> out;
    double owed = 0;
    for (std::size_t i = 0; i < datum.counts.size(); ++i) {
        owed += datum.counts[i] * scale;
        for (; owed >= 0.5 && out.size() < kMostEmfValues; owed -= 1) {
            out.push_back(datum.values[i]);
        }
    }
    return out;
}

Json dimensions_json(const Datum::Dimensions& dimensions) {
    Json out = Json::array();
    for (const auto& [name, value] : dimensions) {
        out.push_back({{"Name", name}, {"Value", value}});
    }
    return out;
}

}  // namespace

std::vector<Datum> MetricDeltas::take(const std::vector<Sample>& now, std::size_t max_series) {
    Sums sums;
    for (const Sample& one : now) {
        double added = one.value;
        std::vector<std::pair<double, double>> values;  // of a histogram, with counts
        if (one.type == Sample::Type::counter) {
            double& before = counters_[key_of(one)];
            added = one.value < before ? one.value : one.value - before;  // restarted series
            before = one.value;
        } else if (one.type == Sample::Type::histogram) {
            auto& before = histograms_[key_of(one)];
            before.resize(one.buckets.size());
            double lower = 0;
            std::uint64_t below = 0;
            std::uint64_t below_before = 0;
            for (std::size_t i = 0; i < one.buckets.size(); ++i) {
                const auto [bound, count] = one.buckets[i];
                const std::uint64_t here = count - below;
                const std::uint64_t here_before = before[i] - below_before;
                if (here > here_before) {
                    values.emplace_back(middle(lower, bound),
                                        static_cast<double>(here - here_before));
                }
                below = count;
                below_before = std::exchange(before[i], count);
                lower = bound;
            }
        }
        if (!begun_ && one.type != Sample::Type::gauge) {
            continue;  // what came before is of no minute
        }
        for (const Row& row : rows()) {
            if (row.from != one.name ||
                (!row.only_label.empty() && label(one, row.only_label) != row.only_value)) {
                continue;
            }
            for (const auto& [value, count] : values) {
                sums.add(row.to, row.unit, dimensions_of(row, one), value, count);
            }
            if (one.type == Sample::Type::gauge ||
                (one.type == Sample::Type::counter && added > 0)) {
                sums.add(row.to, row.unit, dimensions_of(row, one), added, 0);
            }
        }
        if (one.name == "weir_fallbacks_total" && added > 0 &&
            label(one, "from_model") != label(one, "to_model")) {
            sums.add("DegradedAnswers", "Count",
                     {{"Model", dimension_value(label(one, "from_model"))}}, added, 0);
        }
    }
    begun_ = true;
    derived(now, sums);
    std::vector<Datum> out = sums.take();
    std::erase_if(out, [&](const Datum& datum) {
        const Key key{datum.name, datum.dimensions};
        if (known_.contains(key)) {
            return false;
        }
        if (known_.size() < max_series) {
            known_.emplace(key, true);
            return false;
        }
        ++left_out_;
        return true;
    });
    return out;
}

std::vector<Json> put_metric_data(const std::vector<Datum>& data, const std::string& name_space,
                                  std::int64_t unix_seconds) {
    std::vector<Json> out;
    std::size_t bytes = 0;
    for (const Datum& datum : data) {
        Json one{{"MetricName", datum.name}, {"Timestamp", unix_seconds}, {"Unit", datum.unit}};
        if (!datum.dimensions.empty()) {
            one["Dimensions"] = dimensions_json(datum.dimensions);
        }
        if (datum.counts.empty() && datum.values.size() == 1) {
            one["Value"] = datum.values.front();
        } else {
            one["Values"] = datum.values;
            one["Counts"] = datum.counts;
        }
        const std::size_t size = one.dump().size() + 1;
        if (out.empty() || out.back()["MetricData"].size() == kMostData ||
            bytes + size > kMostSent) {
            out.push_back({{"Namespace", name_space}, {"MetricData", Json::array()}});
            bytes = 0;
        }
        bytes += size;
        out.back()["MetricData"].push_back(std::move(one));
    }
    return out;
}

std::vector<std::string> emf_lines(const std::vector<Datum>& data, const std::string& name_space,
                                   std::int64_t unix_ms) {
    std::map<Datum::Dimensions, std::vector<std::vector<const Datum*>>> lines;
    for (const Datum& datum : data) {
        auto& of = lines[datum.dimensions];
        if (of.empty() || of.back().size() == kMostEmfMetrics) {
            of.emplace_back();
        }
        of.back().push_back(&datum);
    }
    std::vector<std::string> out;
    for (const auto& [dimensions, groups] : lines) {
        for (const auto& group : groups) {
            Json names = Json::array();
            Json line = Json::object();
            for (const auto& [name, value] : dimensions) {
                names.push_back(name);
                line[name] = value;
            }
            Json metrics = Json::array();
            for (const Datum* datum : group) {
                metrics.push_back({{"Name", datum->name}, {"Unit", datum->unit}});
                line[datum->name] = datum->counts.empty() ? Json(datum->values.front())
                                                          : Json(in_proportion(*datum));
            }
            line["_aws"] = {{"Timestamp", unix_ms},
                            {"CloudWatchMetrics",
                             {{{"Namespace", name_space},
                               {"Dimensions", Json::array({names})},
                               {"Metrics", metrics}}}}};
            out.push_back(line.dump());
        }
    }
    return out;
}

void MetricQueue::drop() {
    dropped_ += queue_.front().second;
    queue_.erase(queue_.begin());
}

void MetricQueue::push(Json batch, std::size_t data) {
    if (queue_.size() == kMost) {
        drop();
    }
    queue_.emplace_back(std::move(batch), data);
}

const Json* MetricQueue::next(std::int64_t now_seconds) const {
    return queue_.empty() || now_seconds < not_before_ ? nullptr : &queue_.front().first;
}

void MetricQueue::sent() {
    sent_ += queue_.front().second;
    queue_.erase(queue_.begin());
    delay_ = 0;
    not_before_ = 0;
}

void MetricQueue::failed(std::int64_t now_seconds, bool again) {
    constexpr std::int64_t kFirst = 30;
    constexpr std::int64_t kLongest = 15 * 60;
    if (!again) {
        drop();
    }
    delay_ = std::min(kLongest, delay_ == 0 ? kFirst : delay_ * 2);
    not_before_ = now_seconds + delay_;
}

}  // namespace weir::aws
