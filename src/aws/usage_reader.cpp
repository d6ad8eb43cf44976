#include "aws/usage_reader.h"

#include "aws/json_read.h"
#include "aws/watched.h"

#include <array>
#include <cmath>
#include <set>
#include <utility>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr int kUsagePages = 50;
constexpr int kPageOfPoints = 50'000;  // below the 8 MiB that an answer may have
constexpr double kMostUsed = 1e12;

struct Metric {
    const char* id;
    const char* name;
    double UsedMinute::* to;
};
constexpr std::array<Metric, 5> kMetrics{{
    {"requests", "Invocations", &UsedMinute::requests},
    {"throttled", "InvocationThrottles", &UsedMinute::throttled},
    {"input", "InputTokenCount", &UsedMinute::input},
    {"written", "CacheWriteInputTokens", &UsedMinute::cache_write},
    {"output", "OutputTokenCount", &UsedMinute::output},
}};

Json queries(const std::string& model_id) {
    Json all = Json::array();
    for (const Metric& metric : kMetrics) {
        all.push_back({{"Id", metric.id},
                       {"MetricStat",
                        {{"Metric",
                          {{"Namespace", kBedrockMetrics},
                           {"MetricName", metric.name},
                           {"Dimensions", {{{"Name", "ModelId"}, {"Value", model_id}}}}}},
                         {"Period", 60},
                         {"Stat", "Sum"}}}});
    }
    return all;
}

void take_points(const Json& result, std::int64_t from, std::int64_t to, UsedMinutes& minutes) {
    const std::string id = text_of(result, "Id");
    const Json& times = member(result, "Timestamps");
    const Json& values = member(result, "Values");
    if (!times.is_array() || !values.is_array()) {
        return;
    }
    for (const Metric& metric : kMetrics) {
        if (id != metric.id) {
            continue;
        }
        for (std::size_t i = 0; i < std::min(times.size(), values.size()); ++i) {
            if (!times[i].is_number() || !values[i].is_number()) {
                continue;
            }
            const double at = times[i].get<double>();
            const double value = values[i].get<double>();
            if (value > 0 && value < kMostUsed && at >= static_cast<double>(from) &&
                at < static_cast<double>(to)) {
                minutes[static_cast<std::int64_t>(at) / 60 * 60].*metric.to += value;
            }
        }
    }
}

}  // namespace

ApiResult<UsedMinutes> read_minutes(const ApiClient& api, const std::string& region,
                                    const std::string& model_id, std::int64_t from, std::int64_t to,
                                    const std::atomic<bool>& stop) {
    Json input{{"MetricDataQueries", queries(model_id)},
               {"StartTime", from},
               {"EndTime", to},
               {"ScanBy", "TimestampAscending"},
               {"MaxDatapoints", kPageOfPoints}};
    UsedMinutes minutes;
    std::set<std::string> seen;
    for (int page = 0; page < kUsagePages; ++page) {
        const auto answer =
            api.json({ApiService::cloudwatch, region}, "GetMetricData", input, stop);
        if (!answer) {
            return std::unexpected(answer.error());
        }
        const Json& results = member(*answer, "MetricDataResults");
        if (!results.is_array()) {
            return std::unexpected(ApiError{200, "", "the answer has no MetricDataResults", ""});
        }
        for (const Json& result : results) {
            take_points(result, from, to, minutes);
        }
        const std::string next = text_of(*answer, "NextToken", 10'000);
        if (next.empty() || !seen.insert(next).second) {
            break;
        }
        input["NextToken"] = next;
    }
    return minutes;
}

ApiResult<std::vector<std::string>> read_used_models(const ApiClient& api,
                                                     const std::string& region,
                                                     const std::atomic<bool>& stop) {
    Json input{{"Namespace", kBedrockMetrics}, {"MetricName", "Invocations"}};
    std::set<std::string> models;
    std::set<std::string> seen;
    for (int page = 0; page < kUsagePages; ++page) {
        const auto answer = api.json({ApiService::cloudwatch, region}, "ListMetrics", input, stop);
        if (!answer) {
            return std::unexpected(answer.error());
        }
        const Json& metrics = member(*answer, "Metrics");
        if (!metrics.is_array()) {
            return std::unexpected(ApiError{200, "", "the answer has no Metrics", ""});
        }
        for (const Json& metric : metrics) {
            const Json& dimensions = member(metric, "Dimensions");
            if (dimensions.is_array() && dimensions.size() == 1 &&
                text_of(dimensions[0], "Name") == "ModelId") {
                models.insert(text_of(dimensions[0], "Value"));
            }
        }
        const std::string next = text_of(*answer, "NextToken", 10'000);
        if (next.empty() || !seen.insert(next).second) {
            break;
        }
        input["NextToken"] = next;
    }
    models.erase("");
    return std::vector<std::string>(models.begin(), models.end());
}

UsagePeak peak_of(const UsedMinutes& minutes, std::uint32_t burndown) {
    UsagePeak peak;
    for (const auto& [at, minute] : minutes) {
        const auto raise = [at = at](double value, double& most, std::int64_t& when) {
            if (value > most) {
                most = value;
                when = at;
            }
        };
        raise(minute.quota_tokens(burndown), peak.tokens, peak.tokens_at);
        raise(minute.requests, peak.requests, peak.requests_at);
        raise(minute.throttled, peak.most_throttled, peak.throttled_at);
        peak.throttled += minute.throttled;
        peak.invocations += minute.requests;
    }
    return peak;
}

}  // namespace weir::aws
