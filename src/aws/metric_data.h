// Weir's metrics as CloudWatch takes them: what was added since the last minute, by the labels that
// are worth their price. Pure: no call, no clock.
#pragma once

#include <weir/config.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::aws {

/// One series of a scrape.
struct Sample {
    enum class Type : std::uint8_t { counter, gauge, histogram };

    Type type = Type::counter;
    std::string name;
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;  // of a counter or gauge; of a histogram the sum
    /// Of a histogram: upper bounds with the number of values up to each, the last one infinite.
    std::vector<std::pair<double, std::uint64_t>> buckets = {};
};

struct Datum {
    using Dimensions = std::vector<std::pair<std::string, std::string>>;

    std::string name;
    Dimensions dimensions;  // by name
    std::string_view unit;
    std::vector<double> values;  // with counts: as often as those say
    std::vector<double> counts;  // empty: each once
};

/// Not thread-safe.
class MetricDeltas {
public:
    /// What there is to say of `now` after the scrape before: nothing of counters the first time,
    /// nor of those that stand still. At most `max_series` are ever said, those seen first.
    std::vector<Datum> take(const std::vector<Sample>& now, std::size_t max_series);

    /// Series said so far, and data left out for want of room.
    std::size_t series() const { return known_.size(); }
    std::uint64_t left_out() const { return left_out_; }

private:
    using Key = std::pair<std::string, Datum::Dimensions>;

    bool begun_ = false;
    std::map<std::string, double> counters_;  // by name and labels
    std::map<std::string, std::vector<std::uint64_t>> histograms_;
    std::map<Key, bool> known_;
    std::uint64_t left_out_ = 0;
};

/// Inputs of PutMetricData, each within the service's limits: 1,000 data, 1 MB.
std::vector<nlohmann::json> put_metric_data(const std::vector<Datum>& data,
                                            const std::string& name_space,
                                            std::int64_t unix_seconds);

/// One line of the embedded metric format for each set of dimensions.
std::vector<std::string> emf_lines(const std::vector<Datum>& data, const std::string& name_space,
                                   std::int64_t unix_ms);

/// How many series a configuration leads to under traffic, `max_series` at most.
std::size_t expected_series(const Config& config);
/// "about 120 series: 36.00 USD a month ...".
std::string price_of_metrics(const Config& config);

/// Batches that wait to be sent: after a failure nothing is tried for a while, and what is too much
/// is dropped, the oldest first.
class MetricQueue {
public:
    static constexpr std::size_t kMost = 60;  // batches

    void push(nlohmann::json batch, std::size_t data);
    /// The oldest, if it may be tried at `now`; null: nothing to do.
    const nlohmann::json* next(std::int64_t now_seconds) const;
    void sent();
    /// `again`: worth another try, later than `now` by 30 s doubling to 15 minutes.
    void failed(std::int64_t now_seconds, bool again);

    std::uint64_t data_sent() const { return sent_; }
    std::uint64_t data_dropped() const { return dropped_; }
    std::size_t waiting() const { return queue_.size(); }

private:
    void drop();

    std::vector<std::pair<nlohmann::json, std::size_t>> queue_;
    std::int64_t not_before_ = 0;
    std::int64_t delay_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace weir::aws
