// `weir quotas` and `weir quotas case`: the same figures for people, for programs, for AWS support.
#include "cli/quota_cases.h"
#include "observe/figures.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <tuple>

namespace weir::cli {
namespace {

using Json = nlohmann::json;
using observe::figure;
using observe::grouped;

constexpr std::array kKinds{aws::QuotaKind::tokens_per_minute, aws::QuotaKind::requests_per_minute,
                            aws::QuotaKind::tokens_per_day};

std::string known_figure(const std::optional<std::uint64_t>& value) {
    return value ? figure(*value) : "unknown";
}

std::int64_t when(const QuotaCase& one, aws::QuotaKind kind) {
    return kind == aws::QuotaKind::tokens_per_minute     ? one.peak.tokens_at
           : kind == aws::QuotaKind::requests_per_minute ? one.peak.requests_at
                                                         : 0;
}

std::string peak_text(const QuotaCase& one, aws::QuotaKind kind) {
    if (!one.no_usage.empty()) {
        return "unknown";
    }
    const double used = one.used(kind);
    if (used <= 0) {
        return "0";
    }
    const std::int64_t at = when(one, kind);
    return grouped(used) + (at > 0 ? " at " + minute_text(at) : " in 24 h");
}

void add_line(std::string& text, const QuotaCase& one, aws::QuotaKind kind) {
    const auto& line = one.line(kind);
    const auto limit = line ? line->value() : std::nullopt;
    if (!line || !limit) {
        fmt::format_to(std::back_inserter(text), "  {:<20} no quota listed   peak {}\n",
                       to_string(kind), peak_text(one, kind));
        return;
    }
    fmt::format_to(std::back_inserter(text),
                   "  {:<20} applied {:<14} default {:<14} {:<14} {:<11} peak {}; left {}\n",
                   to_string(kind), known_figure(limit), known_figure(line->standard),
                   line->adjustable ? "adjustable" : "not adjustable", line->code,
                   peak_text(one, kind),
                   one.no_usage.empty() ? head_room(one.used(kind), *limit) : "unknown");
    if (*limit == 0) {
        fmt::format_to(std::back_inserter(text),
                       "    0 applied: every call there gets 429. Service Quotas does not raise it "
                       "to the default; open a support case: weir quotas case {} --region {}{}\n",
                       one.model, one.region,
                       one.account.empty() ? "" : " --account " + one.account);
    }
}

std::optional<std::uint64_t> at_once(const QuotaCase& one) {
    const auto limit = one.allowed(aws::QuotaKind::tokens_per_minute);
    return limit && one.max_output > 0 ? std::optional(*limit / one.max_output) : std::nullopt;
}

Json line_json(const QuotaCase& one, aws::QuotaKind kind) {
    const auto& line = one.line(kind);
    Json out;
    const auto limit = line ? line->value() : std::nullopt;
    out["applied"] = limit ? Json(*limit) : Json();
    out["default"] = line && line->standard ? Json(*line->standard) : Json();
    out["adjustable"] = line && line->adjustable;
    out["code"] = line ? Json(line->code) : Json();
    out["name"] = line ? Json(line->full_name) : Json();
    if (one.no_usage.empty()) {
        out["peak"] = one.used(kind);
        out["peak_at"] = when(one, kind) > 0 ? Json(minute_text(when(one, kind))) : Json();
        out["head_room"] =
            limit && *limit > 0 ? Json(1 - one.used(kind) / static_cast<double>(*limit)) : Json();
    }
    return out;
}

/// The hours with the highest minutes, for a table.
struct Hour {
    std::int64_t at = 0;
    double tokens = 0;
    double requests = 0;
    double throttled = 0;
};
std::vector<Hour> highest_hours(const QuotaCase& one, std::size_t most) {
    constexpr std::int64_t kHour = 3600;
    std::map<std::int64_t, Hour> hours;
    for (const auto& [at, minute] : one.minutes) {
        Hour& hour = hours[at / kHour];
        hour.at = at / kHour * kHour;
        hour.tokens = std::max(hour.tokens, minute.quota_tokens(one.burndown));
        hour.requests = std::max(hour.requests, minute.requests);
        hour.throttled += minute.throttled;
    }
    std::vector<Hour> all;
    all.reserve(hours.size());
    for (const auto& [at, hour] : hours) {
        all.push_back(hour);
    }
    std::ranges::sort(all, [](const Hour& a, const Hour& b) {
        return std::tie(b.tokens, a.at) < std::tie(a.tokens, b.at);
    });
    all.resize(std::min(all.size(), most));
    return all;
}

}  // namespace

std::string head_room(double used, std::uint64_t limit) {
    if (limit == 0) {
        return "none";
    }
    const double share = 1 - used / static_cast<double>(limit);
    return share < 0 ? fmt::format("none ({:.0f} % over)", -share * 100)
                     : fmt::format("{:.0f} %", share * 100);
}

std::string cases_text(const std::vector<QuotaCase>& cases, int days) {
    std::string text;
    for (const QuotaCase& one : cases) {
        fmt::format_to(std::back_inserter(text), "{}{}  {}\n",
                       one.account.empty() ? "" : one.account + "/", one.region, one.model);
        if (!one.no_quotas.empty()) {
            fmt::format_to(std::back_inserter(text), "  limits unknown: {}\n", one.no_quotas);
        }
        for (const aws::QuotaKind kind : kKinds) {
            if (one.no_quotas.empty() || kind != aws::QuotaKind::tokens_per_day) {
                add_line(text, one, kind);
            }
        }
        if (!one.no_usage.empty()) {
            fmt::format_to(std::back_inserter(text), "  use unknown: CloudWatch: {}\n",
                           one.no_usage);
        } else if (one.peak.throttled > 0) {
            fmt::format_to(std::back_inserter(text),
                           "  throttled            {} of {} calls, most in a minute {} at {}\n",
                           grouped(one.peak.throttled),
                           grouped(one.peak.throttled + one.peak.invocations),
                           grouped(one.peak.most_throttled), minute_text(one.peak.throttled_at));
        }
        if (const auto calls = at_once(one)) {
            fmt::format_to(std::back_inserter(text),
                           "  max_tokens           unset, a call holds {} tokens until it ends: {} "
                           "calls at once fill the quota. An output token costs {} at the end\n",
                           figure(one.max_output), figure(*calls), one.burndown);
        }
    }
    fmt::format_to(std::back_inserter(text), "Peaks: the highest minute of the last {} days.\n",
                   days);
    return text;
}

std::string cases_json(const std::vector<QuotaCase>& cases, int days) {
    Json rows = Json::array();
    for (const QuotaCase& one : cases) {
        Json row{{"account", account_label(one.account)},
                 {"region", one.region},
                 {"model", one.model},
                 {"output_burndown", one.burndown},
                 {"held_without_max_tokens", one.max_output}};
        const auto calls = at_once(one);
        row["calls_at_once_without_max_tokens"] = calls ? Json(*calls) : Json();
        row["tokens_per_minute"] = line_json(one, aws::QuotaKind::tokens_per_minute);
        row["requests_per_minute"] = line_json(one, aws::QuotaKind::requests_per_minute);
        row["tokens_per_day"] = line_json(one, aws::QuotaKind::tokens_per_day);
        if (one.no_usage.empty()) {
            row["throttled"] = one.peak.throttled;
        }
        row["quotas_error"] = one.no_quotas.empty() ? Json() : Json(one.no_quotas);
        row["usage_error"] = one.no_usage.empty() ? Json() : Json(one.no_usage);
        rows.push_back(std::move(row));
    }
    return Json{{"days", days}, {"quotas", rows}}.dump(2) + "\n";
}

std::string case_markdown(const QuotaCase& one, const CaseSearch& search) {
    constexpr std::size_t kHours = 10;
    std::string text;
    const auto add = [&text]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
        text += '\n';
    };
    add("# Amazon Bedrock: quota of {} in {}\n", one.model, one.region);
    add("Use by CloudWatch (AWS/Bedrock, ModelId {}, sums of 60 s) from {} to {}.\n", one.model,
        minute_text(search.now - std::int64_t{search.days} * 86'400), minute_text(search.now));
    add("| quota | code | applied | AWS's default | highest use | left | we ask for |");
    add("|---|---|---|---|---|---|---|");
    for (const aws::QuotaKind kind : kKinds) {
        const auto& line = one.line(kind);
        const auto limit = line ? line->value() : std::nullopt;
        if (!line || !limit) {
            continue;
        }
        const std::uint64_t least = std::max(*limit, line->standard.value_or(0));
        const std::uint64_t wanted = std::max(recommended(one.used(kind)), least);
        add("| {} | {} | {} | {} | {} | {} | {} |", line->full_name, line->code,
            known_figure(limit), known_figure(line->standard), peak_text(one, kind),
            one.no_usage.empty() ? head_room(one.used(kind), *limit) : "unknown",
            wanted > *limit ? known_figure(wanted) : "no change");
    }
    add("");
    if (!one.no_quotas.empty()) {
        add("The limits could not be read: {}\n", one.no_quotas);
    }
    if (!one.no_usage.empty()) {
        add("The use could not be read: {}\n", one.no_usage);
    }
    add("Tokens are as the quota is charged: input + cache writes + output x {}. \"We ask for\" is "
        "the highest use x 1.14, rounded up to two digits, and at least AWS's default.\n",
        one.burndown);
    if (one.peak.throttled > 0) {
        add("{} of {} calls were throttled, at most {} in one minute ({}).\n",
            grouped(one.peak.throttled), grouped(one.peak.throttled + one.peak.invocations),
            grouped(one.peak.most_throttled), minute_text(one.peak.throttled_at));
    }
    const auto hours = highest_hours(one, kHours);
    if (!hours.empty()) {
        add("## Hours with the highest minutes\n");
        add("| hour | tokens in the highest minute | requests in the highest minute | throttled |");
        add("|---|---|---|---|");
        for (const Hour& hour : hours) {
            add("| {} | {} | {} | {} |", minute_text(hour.at), grouped(hour.tokens),
                grouped(hour.requests), grouped(hour.throttled));
        }
        add("");
    }
    add("## What we do ourselves\n");
    add("All calls go through one gateway (weir) that shares the quota among the programs, holds "
        "calls back before they would be refused, retries with jitter within a budget, and sets "
        "max_tokens where configured. The increase is for traffic that remains.");
    return text;
}

}  // namespace weir::cli
