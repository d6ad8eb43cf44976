#include "aws/dashboard.h"

#include "aws/text.h"
#include "aws/watched.h"

#include <nlohmann/json.hpp>

#include <array>
#include <ctime>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::aws {
namespace {

using Json = nlohmann::json;
using Dimensions = std::vector<std::pair<std::string, std::string>>;

constexpr int kColumns = 24;
constexpr int kHeight = 6;
constexpr int kHourPeriod = 3600;

/// [namespace, name, dimension, value, ..., {options}]
Json line(std::string_view name_space, std::string_view name, const Dimensions& dimensions,
          Json options) {
    Json out{name_space, name};
    for (const auto& [key, value] : dimensions) {
        out.push_back(key);
        out.push_back(value);
    }
    out.push_back(std::move(options));
    return out;
}

Json hidden(const std::string& id) {
    return {{"id", id}, {"visible", false}};
}

class Board {
public:
    Board(const Config& config, std::chrono::system_clock::time_point now)
        : config_(config),
          now_(now),
          own_region_(metrics_region(config)),
          watched_(watched_targets(config)) {}

    Result<Json> make() {
        if (watched_.empty()) {
            return failure(
                "there is nothing to show: `routes` with Regions or `quotas` with a Region name "
                "what the dashboard is about");
        }
        const bool own = config_.aws.metrics.to != MetricsTo::off && !own_region_.empty();
        if (own) {
            clients();
        }
        for (const std::string& region : watched_regions(config_)) {
            of_region(region, own);
        }
        if (own) {
            inside();
        }
        weeks();
        return Json{{"start", "-PT6H"}, {"periodOverride", "inherit"}, {"widgets", widgets_}};
    }

private:
    Json& add(const std::string& title, const std::string& region, Json metrics, int width,
              std::string_view stat = "Sum", int period = kMinutePeriod) {
        if (x_ + width > kColumns) {
            x_ = 0;
            y_ += kHeight;
        }
        Json properties{{"title", title},
                        {"region", region},
                        {"metrics", std::move(metrics)},
                        {"stat", stat},
                        {"period", period},
                        {"view", "timeSeries"},
                        {"stacked", false},
                        {"yAxis", {{"left", {{"min", 0}}}}}};
        widgets_.push_back({{"type", "metric"},
                            {"x", x_},
                            {"y", y_},
                            {"width", width},
                            {"height", kHeight},
                            {"properties", std::move(properties)}});
        x_ += width;
        return widgets_.back()["properties"];
    }

    void heading(const std::string& markdown) {
        y_ += x_ > 0 ? kHeight : 0;
        x_ = 0;
        widgets_.push_back({{"type", "text"},
                            {"x", 0},
                            {"y", y_},
                            {"width", kColumns},
                            {"height", 2},
                            {"properties", {{"markdown", markdown}}}});
        y_ += 2;
    }

    std::vector<Watched> of(const std::string& region) const {
        std::vector<Watched> out;
        for (const Watched& one : watched_) {
            if (one.region == region) {
                out.push_back(one);
            }
        }
        return out;
    }

    Json bedrock_lines(const std::string& region, std::string_view name) const {
        Json lines = Json::array();
        std::set<std::string> models;
        for (const Watched& one : of(region)) {
            if (one.account == kOwnAccount && models.insert(one.model).second) {
                lines.push_back(
                    line(kBedrockMetrics, name, {{"ModelId", one.model}}, {{"label", one.model}}));
            }
        }
        return lines;
    }

    Json attempt_lines(const std::string& region,
                       const std::vector<std::pair<std::string, std::string>>& results) const {
        Json lines = Json::array();
        for (const Watched& one : of(region)) {
            for (const auto& [result, label] : results) {
                std::string shown = label + one.model;
                if (one.account != kOwnAccount) {
                    shown.append(" (").append(one.account).append(")");
                }
                lines.push_back(own_line("Attempts",
                                         {{"Account", one.account},
                                          {"Region", one.region},
                                          {"Model", one.model},
                                          {"Result", result}},
                                         {{"label", std::move(shown)}}));
            }
        }
        return lines;
    }

    Json own_line(std::string_view name, const Dimensions& dimensions, Json options) const {
        return line(config_.aws.metrics.name_space, name, dimensions, std::move(options));
    }

    /// Every series of a metric with exactly these dimensions.
    Json search(std::string_view dimensions, std::string_view name, std::string_view label,
                std::string_view stat) const {
        return Json::array({Json::array(
            {Json{{"expression", "SEARCH('{" + config_.aws.metrics.name_space + "," +
                                     std::string(dimensions) + "} MetricName=\"" +
                                     std::string(name) + "\"', '" + std::string(stat) + "', 60)"},
                  {"label", label},
                  {"id", "e1"}}})});
    }

    void clients() {
        heading("# weir\nWhat clients get.");
        Json outcomes = Json::array();
        for (const char* outcome : {"ok", "throttled", "unavailable", "server_error",
                                    "broken_stream", "deadline", "client_error", "cancelled"}) {
            outcomes.push_back(own_line("Requests", {{"Outcome", outcome}}, {{"label", outcome}}));
        }
        add("Requests by outcome", own_region_, outcomes, 12);
        add("Wait for quota, p95, seconds", own_region_,
            search("Model", "Wait", "${PROP('Dim.Model')}", "p95"), 12, "p95");
    }

    void of_region(const std::string& region, bool own) {
        heading("## " + region +
                "\n429 is a quota or an overloaded model, 503 is the service: "
                "see docs/runbooks.");
        if (own) {
            add("429 in " + region + " by kind and model", own_region_,
                attempt_lines(region, {{"throttled_requests", "requests: "},
                                       {"throttled_tokens", "tokens: "},
                                       {"throttled_daily", "day: "},
                                       {"overloaded", "overloaded: "}}),
                8);
            add("503 in " + region + " by model", own_region_,
                attempt_lines(region, {{"unavailable", ""}}), 8);
        } else {
            add("429 in " + region + " by model", region,
                bedrock_lines(region, "InvocationThrottles"), 8);
            add("5xx in " + region + " by model (503 alone: set aws.metrics)", region,
                bedrock_lines(region, "InvocationServerErrors"), 8);
        }
        add("Invocations a minute in " + region, region, bedrock_lines(region, "Invocations"), 8);
        quota_use(region, own);
        add("Latency in " + region + ", p90, ms", region,
            bedrock_lines(region, "InvocationLatency"), 8, "p90");
        Json tokens = bedrock_lines(region, "InputTokenCount");
        for (Json& one : bedrock_lines(region, "OutputTokenCount")) {
            one.back()["label"] = "output " + one.back()["label"].get<std::string>();
            tokens.push_back(std::move(one));
        }
        add("Tokens a minute in " + region, region, tokens, 8);
    }

    void quota_use(const std::string& region, bool own) {
        Json lines = Json::array();
        int number = 0;
        const auto use = [&](const WatchedQuota& quota, std::string_view name, std::uint64_t limit,
                             const std::string& label) {
            std::string sum;
            for (const std::string& model : quota.models) {
                const std::string id = "m" + std::to_string(number++);
                lines.push_back(line(kBedrockMetrics, name, {{"ModelId", model}}, hidden(id)));
                sum += (sum.empty() ? "FILL(" : "+FILL(") + id + ",0)";
            }
            lines.push_back(
                Json::array({Json{{"expression", "100*(" + sum + ")/" + std::to_string(limit)},
                                  {"label", label + quota.models.front()},
                                  {"id", "e" + std::to_string(number++)}}}));
        };
        for (const WatchedQuota& quota : watched_quotas(config_)) {
            if (quota.region == region && quota.tokens) {
                use(quota, "EstimatedTPMQuotaUsage", *quota.tokens, "tokens: ");
            }
            if (quota.region == region && quota.requests) {
                use(quota, "Invocations", *quota.requests, "requests: ");
            }
        }
        std::string where = region;
        if (lines.empty() && own) {  // what weir has learned
            for (const Watched& one : of(region)) {
                for (const char* kind : {"tokens", "requests"}) {
                    lines.push_back(own_line(
                        "QuotaUse",
                        {{"Account", one.account},
                         {"Region", one.region},
                         {"Model", one.model},
                         {"Kind", kind}},
                        {{"label", std::string(kind) + ": " + one.model}, {"stat", "Maximum"}}));
                }
            }
            where = own_region_;
        }
        if (lines.empty()) {
            return;
        }
        Json& properties = add("Quota in use in " + region + ", %", where, lines, 8);
        properties["annotations"]["horizontal"] = {
            {{"label", "alarm"}, {"value", config_.aws.alarms.quota_percent}}};
    }

    void inside() {
        heading("## What weir does");
        add("Fallbacks by where from", own_region_,
            search("FromModel,FromRegion", "Fallbacks",
                   "${PROP('Dim.FromRegion')} ${PROP('Dim.FromModel')}", "Sum"),
            8);
        add("Degraded answers", own_region_,
            search("Model", "DegradedAnswers", "${PROP('Dim.Model')}", "Sum"), 8);
        add("Waiting", own_region_, search("Model", "Waiting", "${PROP('Dim.Model')}", "Maximum"),
            8, "Maximum");
        add("Tokens that max_tokens held in vain", own_region_,
            search("Model", "TokensHeldInVain", "${PROP('Dim.Model')}", "Sum"), 8);
        add("Breakers open", own_region_,
            search("Account,Model,Region", "BreakerOpen",
                   "${PROP('Dim.Region')} ${PROP('Dim.Model')}", "Maximum"),
            8, "Maximum");
        add("Connections in use, %", own_region_,
            search("Region", "PoolUse", "${PROP('Dim.Region')}", "Maximum"), 8, "Maximum");
        add("US dollars by model, as far as prices are known", own_region_,
            search("Model", "CostUSD", "${PROP('Dim.Model')}", "Sum"), 12);
        add("US dollars by client, as far as prices are known", own_region_,
            search("Client", "CostUSD", "${PROP('Dim.Client')}", "Sum"), 12);
        add("Quota tokens by client", own_region_,
            search("Client,Kind", "Tokens", "${PROP('Dim.Client')} ${PROP('Dim.Kind')}", "Sum"),
            12);
        add("Requests by client and outcome", own_region_,
            search("Client,Outcome", "Requests", "${PROP('Dim.Client')} ${PROP('Dim.Outcome')}",
                   "Sum"),
            12);
    }

    void weeks() {
        const auto week = std::chrono::hours(24 * 7);
        heading(
            "## This week over last\nThe week before is fixed at the time when this dashboard "
            "was put: `weir dashboard --put` moves it on.");
        for (const std::string& region : watched_regions(config_)) {
            for (const auto& [name, title] : {std::pair("Invocations", "Invocations an hour"),
                                              std::pair("InvocationThrottles", "429 an hour")}) {
                const std::string where = std::string(title) + " in " + region;
                Json& current = add(where + ", this week", region, bedrock_lines(region, name), 12,
                                    "Sum", kHourPeriod);
                current["start"] = "-PT168H";
                Json& before =
                    add(where + ", the week to " + timestamp_of(now_ - week).substr(0, 10), region,
                        bedrock_lines(region, name), 12, "Sum", kHourPeriod);
                before["start"] = timestamp_of(now_ - 2 * week);
                before["end"] = timestamp_of(now_ - week);
            }
        }
    }

    const Config& config_;
    std::chrono::system_clock::time_point now_;
    std::string own_region_;
    std::vector<Watched> watched_;
    Json widgets_ = Json::array();
    int x_ = 0;
    int y_ = 0;
};

}  // namespace

Result<Json> make_dashboard(const Config& config, std::chrono::system_clock::time_point now) {
    return Board(config, now).make();
}

}  // namespace weir::aws
