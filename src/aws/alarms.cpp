#include "aws/alarms.h"

#include "aws/watched.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostChildren = 100;      // of a composite alarm
constexpr std::size_t kMostRule = 10'240;       // characters
constexpr std::size_t kMostDescription = 1024;  // characters
constexpr std::size_t kMostName = 255;
constexpr std::size_t kMostMetrics = 10;  // of one alarm

struct Kind {
    std::string_view name;  // of the page in docs/runbooks
    Severity severity;
    std::string_view first_steps;  // of the description; no word of customers or requests
};

constexpr Kind kThrottles{
    "throttles", Severity::warning,
    "Bedrock refuses calls with 429. First: is it one client (weir_tokens_total by client)? Is "
    "max_tokens far above what answers need? Then ask for more quota."};
constexpr Kind kSteadyThrottles{
    "steady-throttles", Severity::info,
    "Bedrock refuses some calls in every minute: the quota is a little too small, or another "
    "program uses it as well. First: compare weir's use with the service's."};
constexpr Kind kTokenQuota{
    "token-quota", Severity::warning,
    "The tokens of each minute are nearly used up. First: which client takes them? Lower "
    "max_tokens, add a Region, or ask for more quota before it throttles."};
constexpr Kind kRequestQuota{
    "request-quota", Severity::warning,
    "The requests of each minute are nearly used up. First: which client sends them? Add a "
    "Region, or ask for more quota before it throttles."};
constexpr Kind kSuccess{
    "success", Severity::warning,
    "Bedrock fails or refuses more than it should. First: are these 429 or 5xx? One Region or "
    "all? See the AWS Health Dashboard; weir retries and moves calls meanwhile."};
constexpr Kind kUnavailable{
    "unavailable", Severity::warning,
    "Bedrock answers 503 in one Region for one model. First: do other Regions answer? weir's "
    "breaker closes the target by itself and calls move to the route's next one."};
constexpr Kind kAvailability{
    "availability", Severity::critical,
    "Clients of weir get errors. First: GET /status at the admin port: which targets are open? "
    "Is a quota gone everywhere? Then the runbook."};
constexpr Kind kPool{
    "pool-saturation", Severity::warning,
    "Nearly all connections to a Region are in use; more calls wait for one. First: have answers "
    "become slower? Else raise pool.max_connections."};

constexpr const Kind* kKinds[] = {&kThrottles, &kSteadyThrottles, &kTokenQuota,   &kRequestQuota,
                                  &kSuccess,   &kUnavailable,     &kAvailability, &kPool};

Json metric(std::string_view name_space, std::string_view name,
            const std::vector<std::pair<std::string, std::string>>& dimensions) {
    Json list = Json::array();
    for (const auto& [key, value] : dimensions) {
        list.push_back({{"Name", key}, {"Value", value}});
    }
    return {{"Namespace", name_space}, {"MetricName", name}, {"Dimensions", list}};
}

/// One input of metric math; `id` begins with a small letter.
Json stat(std::string id, Json of, int period, std::string_view how = "Sum") {
    return {{"Id", std::move(id)},
            {"MetricStat", {{"Metric", std::move(of)}, {"Period", period}, {"Stat", how}}},
            {"ReturnData", false}};
}

Json expression(std::string text, std::string label) {
    return {{"Id", "e"},
            {"Expression", std::move(text)},
            {"Label", std::move(label)},
            {"ReturnData", true}};
}

/// "FILL(m0,0)+FILL(m1,0)": a metric is absent in a minute without calls.
std::string sum_of(std::string_view letter, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += (i == 0 ? "FILL(" : "+FILL(") + std::string(letter) + std::to_string(i) + ",0)";
    }
    return out;
}

std::string number(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) {
        text.pop_back();
    }
    return text;
}

struct Periods {
    int of;       // evaluated
    int reached;  // that must be over
};

class Maker {
public:
    explicit Maker(const Config& config) : config_(config), own_region_(metrics_region(config)) {}

    Result<std::vector<Alarm>> all() {
        const auto watched = watched_targets(config_);
        if (watched.empty()) {
            return failure(
                "there is nothing to watch: `routes` with Regions or `quotas` with a Region name "
                "what alarms are about");
        }
        for (const Watched& target : watched) {
            if (target.account == kOwnAccount) {  // CloudWatch of another account is its own
                of_service(target);
            }
        }
        for (const WatchedQuota& quota : watched_quotas(config_)) {
            if (quota.models.size() > kMostMetrics) {
                return failure("the quota of " + quota.models.front() + " is shared by " +
                               std::to_string(quota.models.size()) +
                               " models; a CloudWatch alarm reads 10 metrics at most");
            }
            of_quota(quota);
        }
        if (config_.aws.metrics.to != MetricsTo::off) {
            if (own_region_.empty()) {
                return failure(
                    "weir's own metrics have no Region: set `aws.metrics.region` or "
                    "`default_region`");
            }
            of_weir(watched);
        }
        for (const Alarm& alarm : alarms_) {
            if (alarm.name.size() > kMostName) {
                return failure("the name " + alarm.name + " is longer than CloudWatch's 255");
            }
        }
        if (alarms_.empty()) {
            return failure(
                "there is nothing to watch from this account: every target is in another one of "
                "`accounts`, no quota is configured, and `aws.metrics` is off; CloudWatch of each "
                "account sees its own calls alone");
        }
        composites();
        return std::move(alarms_);
    }

private:
    void add(const Kind& kind, const std::string& region, const std::string& about,
             const std::string& what, Json input, Periods periods) {
        Alarm alarm;
        alarm.name = config_.aws.alarms.prefix + "-" + std::string(kind.name) +
                     (about.empty() ? "" : "-" + about);
        alarm.region = region;
        alarm.runbook = kind.name;
        alarm.severity = kind.severity;
        input["AlarmName"] = alarm.name;
        input["AlarmDescription"] = description(kind, what);
        input["EvaluationPeriods"] = periods.of;
        input["DatapointsToAlarm"] = periods.reached;
        input["TreatMissingData"] = "notBreaching";
        input["ActionsEnabled"] = true;
        alarm.input = std::move(input);
        alarms_.push_back(std::move(alarm));
    }

    std::string description(const Kind& kind, const std::string& what) const {
        const std::string& base = config_.aws.alarms.runbooks;
        const std::string link = (base.empty() ? "docs/runbooks" : base) +
                                 (base.ends_with('/') ? "" : "/") + std::string(kind.name) + ".md";
        std::string severity(to_string(kind.severity));
        severity[0] = static_cast<char>(severity[0] - 'a' + 'A');
        std::string text =
            severity + ": " + what + ". " + std::string(kind.first_steps) + " Runbook: " + link;
        text.resize(std::min(text.size(), kMostDescription));
        return text;
    }

    /// The service's own metrics, which are there without any doing of weir's.
    void of_service(const Watched& target) {
        const auto bedrock = [&](std::string_view name) {
            return metric(kBedrockMetrics, name, {{"ModelId", target.model}});
        };
        const std::string where = target.model + " in " + target.region;
        Json simple = bedrock("InvocationThrottles");
        simple["Statistic"] = "Sum";
        simple["Period"] = 5 * kMinutePeriod;
        simple["Threshold"] = config_.aws.alarms.throttles;
        simple["ComparisonOperator"] = "GreaterThanThreshold";
        add(kThrottles, target.region, target.model,
            "more than " + std::to_string(config_.aws.alarms.throttles) +
                " refusals (429) in 5 minutes of " + where,
            simple, {1, 1});
        simple["Period"] = kMinutePeriod;
        simple["Threshold"] = 0;
        add(kSteadyThrottles, target.region, target.model,
            "refusals (429) in each of 3 minutes of " + where, simple, {3, 3});
        // Invocations are the accepted ones; throttled requests are not among them.
        const int period = 10 * kMinutePeriod;
        add(kSuccess, target.region, target.model,
            "success under " + number(config_.aws.alarms.success_percent) +
                " % over 10 minutes of " + where,
            {{"Metrics",
              {stat("a0", bedrock("Invocations"), period),
               stat("t0", bedrock("InvocationThrottles"), period),
               stat("s0", bedrock("InvocationServerErrors"), period),
               expression(share("FILL(a0,0)-FILL(s0,0)", "FILL(a0,0)+FILL(t0,0)"),
                          "successful, %")}},
             {"Threshold", config_.aws.alarms.success_percent},
             {"ComparisonOperator", "LessThanThreshold"}},
            {1, 1});
    }

    /// In percent; 100 while there are too few calls to speak of a share.
    static std::string share(const std::string& good, const std::string& all) {
        return "IF((" + all + ")>=20,100*(" + good + ")/(" + all + "),100)";
    }

    void of_quota(const WatchedQuota& quota) {
        const auto use = [&](const Kind& kind, std::string_view name, std::uint64_t limit,
                             std::string_view of) {
            Json metrics = Json::array();
            for (std::size_t i = 0; i < quota.models.size(); ++i) {
                metrics.push_back(stat(
                    "m" + std::to_string(i),
                    metric(kBedrockMetrics, name, {{"ModelId", quota.models[i]}}), kMinutePeriod));
            }
            metrics.push_back(expression(
                "100*(" + sum_of("m", quota.models.size()) + ")/" + std::to_string(limit),
                "of the quota, %"));
            add(kind, quota.region, quota.models.front(),
                "more than " + number(config_.aws.alarms.quota_percent) + " % of " +
                    std::to_string(limit) + " " + std::string(of) + " a minute of " +
                    quota.models.front() + " in " + quota.region,
                {{"Metrics", metrics},
                 {"Threshold", config_.aws.alarms.quota_percent},
                 {"ComparisonOperator", "GreaterThanThreshold"}},
                {5, 3});
        };
        if (quota.tokens) {
            use(kTokenQuota, "EstimatedTPMQuotaUsage", *quota.tokens, "tokens");
        }
        if (quota.requests) {
            use(kRequestQuota, "Invocations", *quota.requests, "requests");
        }
    }

    /// What only weir tells: 503 apart from 500, what clients get, the connections.
    void of_weir(const std::vector<Watched>& watched) {
        const std::string& name_space = config_.aws.metrics.name_space;
        for (const Watched& target : watched) {
            const auto attempts = [&](const char* result) {
                return metric(name_space, "Attempts",
                              {{"Account", target.account},
                               {"Region", target.region},
                               {"Model", target.model},
                               {"Result", result}});
            };
            const std::string all = "(FILL(u0,0)+FILL(o0,0))";
            const std::string account = target.account == kOwnAccount ? "" : target.account + "-";
            add(kUnavailable, own_region_, account + target.region + "-" + target.model,
                "503 for more than a fifth of the attempts, and 10 at least, in 5 minutes of " +
                    target.model + " in " + target.region,
                {{"Metrics",
                  {stat("u0", attempts("unavailable"), 5 * kMinutePeriod),
                   stat("o0", attempts("ok"), 5 * kMinutePeriod),
                   expression("IF(FILL(u0,0)>=10,100*FILL(u0,0)/" + all + ",0)",
                              "answered with 503, %")}},
                 {"Threshold", 20},
                 {"ComparisonOperator", "GreaterThanThreshold"}},
                {1, 1});
        }
        const char* const failures[] = {"throttled", "unavailable", "server_error", "broken_stream",
                                        "deadline"};
        const int period = 10 * kMinutePeriod;
        Json metrics = {stat("g0", metric(name_space, "Requests", {{"Outcome", "ok"}}), period)};
        std::size_t count = 0;
        for (const char* outcome : failures) {
            metrics.push_back(stat("f" + std::to_string(count++),
                                   metric(name_space, "Requests", {{"Outcome", outcome}}), period));
        }
        metrics.push_back(
            expression(share("FILL(g0,0)", "FILL(g0,0)+" + sum_of("f", count)), "answered, %"));
        add(kAvailability, own_region_, "",
            "fewer than " + number(config_.aws.alarms.success_percent) +
                " % of clients' requests answered, over 10 minutes",
            {{"Metrics", metrics},
             {"Threshold", config_.aws.alarms.success_percent},
             {"ComparisonOperator", "LessThanThreshold"}},
            {1, 1});
        std::set<std::string> regions;
        for (const Watched& target : watched) {
            if (!regions.insert(target.region).second) {
                continue;
            }
            Json input = metric(name_space, "PoolUse", {{"Region", target.region}});
            input["Statistic"] = "Maximum";
            input["Period"] = kMinutePeriod;
            input["Threshold"] = 80;
            input["ComparisonOperator"] = "GreaterThanThreshold";
            add(kPool, own_region_, target.region,
                "more than 80 % of the connections to " + target.region + " in use for 3 minutes",
                input, {3, 3});
        }
    }

    /// One page for one outage: only these ring, and the lesser ones not while the worst does.
    void composites() {
        std::map<std::string, std::map<Severity, std::vector<std::string>>> children;
        for (const Alarm& alarm : alarms_) {
            children[alarm.region][alarm.severity].push_back(alarm.name);
        }
        for (const auto& [region, severities] : children) {
            std::string suppressor;  // of the lesser ones
            for (const auto& [severity, names] : severities) {
                const auto made = composites_of(region, severity, names, suppressor);
                if (suppressor.empty()) {
                    suppressor = made;
                }
            }
        }
    }

    std::string composites_of(const std::string& region, Severity severity,
                              const std::vector<std::string>& names,
                              const std::string& suppressor) {
        const std::string base = config_.aws.alarms.prefix + "-" + std::string(to_string(severity));
        std::string rule;
        std::size_t count = 0;
        int part = 0;
        const auto finish = [&] {
            Alarm alarm;
            alarm.name = base + (++part == 1 ? "" : "-" + std::to_string(part));
            alarm.region = region;
            alarm.runbook = "README";
            alarm.severity = severity;
            alarm.composite = true;
            alarm.input = {
                {"AlarmName", alarm.name},
                {"AlarmRule", rule},
                {"ActionsEnabled", true},
                {"AlarmDescription",
                 "weir: at least one alarm of severity " + std::string(to_string(severity)) +
                     " rings in " + region +
                     ". The console lists which; each one's description says what to do."}};
            if (!suppressor.empty()) {
                alarm.input["ActionsSuppressor"] = suppressor;
                alarm.input["ActionsSuppressorWaitPeriod"] = 2 * kMinutePeriod;
                alarm.input["ActionsSuppressorExtensionPeriod"] = 5 * kMinutePeriod;
            }
            alarms_.push_back(std::move(alarm));
            rule.clear();
            count = 0;
        };
        for (const std::string& name : names) {
            const std::string term = "ALARM(\"" + name + "\")";
            if (count == kMostChildren || rule.size() + term.size() + 4 > kMostRule) {
                finish();
            }
            rule += (rule.empty() ? "" : " OR ") + term;
            ++count;
        }
        finish();
        return base;
    }

    const Config& config_;
    std::string own_region_;
    std::vector<Alarm> alarms_;
};

}  // namespace

std::string_view to_string(Severity severity) {
    switch (severity) {
        case Severity::critical:
            return "critical";
        case Severity::warning:
            return "warning";
        case Severity::info:
            return "info";
    }
    return "";
}

std::vector<std::string> alarm_kinds() {
    std::vector<std::string> names;
    for (const Kind* kind : kKinds) {
        names.emplace_back(kind->name);
    }
    return names;
}

Result<std::vector<Alarm>> make_alarms(const Config& config) {
    return Maker(config).all();
}

}  // namespace weir::aws
