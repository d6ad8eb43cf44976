#include "cli/quota_cases.h"

#include "gateway/quota_findings.h"
#include "plan/advice.h"
#include "policy/tariff.h"

#include <algorithm>
#include <deque>
#include <map>

namespace weir::cli {
namespace {

constexpr std::int64_t kDay = 86'400;

double most_in_a_day(const aws::UsedMinutes& minutes, std::uint32_t burndown) {
    std::deque<std::pair<std::int64_t, double>> window;
    double sum = 0;
    double most = 0;
    for (const auto& [at, minute] : minutes) {
        while (!window.empty() && window.front().first <= at - kDay) {
            sum -= window.front().second;
            window.pop_front();
        }
        const double tokens = minute.quota_tokens(burndown);
        sum += tokens;
        window.emplace_back(at, tokens);
        most = std::max(most, sum);
    }
    return most;
}

std::optional<aws::QuotaLine> copy_of(const aws::QuotaLine* line) {
    return line == nullptr ? std::nullopt : std::optional(*line);
}

/// What is asked about: configured models, or those that have been used.
std::vector<gateway::PlacedModel> placed_models(AwsAccess& access, const CaseSearch& search) {
    auto placed = gateway::models_in_use(access.config(), Status{});
    const std::string account = search.account.value_or("");
    if (search.account) {
        std::erase_if(placed, [&](const auto& one) { return one.account != account; });
    }
    if (!search.model.empty()) {
        const std::string model(strip_arn(policy::without_alias(access.config(), search.model)));
        std::erase_if(placed, [&](const auto& one) { return one.model != model; });
        if (placed.empty()) {
            for (const std::string& region :
                 search.region.empty() ? access.regions() : std::vector{search.region}) {
                placed.push_back({region, model, account});
            }
        }
    } else if (placed.empty()) {
        for (const std::string& region : access.regions()) {
            const auto used =
                aws::read_used_models(access.api(region, account), region, access.stop());
            for (const std::string& model : used ? *used : std::vector<std::string>()) {
                placed.push_back({region, std::string(strip_arn(model)), account});
            }
        }
    }
    if (!search.region.empty()) {
        std::erase_if(placed, [&](const auto& one) { return one.region != search.region; });
    }
    return placed;
}

}  // namespace

const std::optional<aws::QuotaLine>& QuotaCase::line(aws::QuotaKind kind) const {
    switch (kind) {
        case aws::QuotaKind::requests_per_minute:
            return requests_per_minute;
        case aws::QuotaKind::tokens_per_minute:
            return tokens_per_minute;
        case aws::QuotaKind::tokens_per_day:
            break;
    }
    return tokens_per_day;
}

double QuotaCase::used(aws::QuotaKind kind) const {
    const double most = kind == aws::QuotaKind::requests_per_minute ? peak.requests
                        : kind == aws::QuotaKind::tokens_per_minute ? peak.tokens
                                                                    : day_peak;
    const auto& quota = line(kind);
    return quota ? most / static_cast<double>(aws::multiple_of(*quota, model)) : most;
}

bool account_is_known(const Config& config, const std::string& account, std::ostream& err) {
    const bool known = plain_account(account).empty() || config.accounts.contains(account);
    if (!known) {
        err << "weir quotas: --account " << account << ": `accounts` has no such name\n";
    }
    return known;
}

std::vector<QuotaCase> read_cases(AwsAccess& access, const CaseSearch& search) {
    std::map<std::pair<std::string, std::string>, aws::ApiResult<aws::QuotaReading>> readings;
    std::vector<QuotaCase> cases;
    for (const auto& [region, model, account] : placed_models(access, search)) {
        const aws::ApiClient& api = access.api(region, account);
        const std::pair place(account, region);
        if (!readings.contains(place)) {
            readings.emplace(place, aws::read_quotas(api, region, access.stop()));
        }
        QuotaCase one;
        one.account = account;
        one.region = region;
        one.model = model;
        Target target;
        target.region = region;
        target.model = model;
        target.account = account;
        one.burndown = policy::tariff_of(access.config(), target).burndown;
        one.max_output = access.config().models.facts(model).max_output;
        if (const auto& reading = readings.at(place)) {
            const aws::ModelQuotas lines = aws::quotas_of(*reading, model);
            one.tokens_per_minute = copy_of(lines.tokens_per_minute);
            one.requests_per_minute = copy_of(lines.requests_per_minute);
            one.tokens_per_day = copy_of(lines.tokens_per_day);
        } else {
            one.no_quotas = reading.error().text();
        }
        const std::int64_t from = search.now - search.days * kDay;
        auto minutes = aws::read_minutes(api, region, model, from, search.now, access.stop());
        if (minutes) {
            one.minutes = std::move(*minutes);
            one.peak = aws::peak_of(one.minutes, one.burndown);
            one.day_peak = most_in_a_day(one.minutes, one.burndown);
        } else {
            one.no_usage = minutes.error().text();
        }
        cases.push_back(std::move(one));
    }
    return cases;
}

std::uint64_t recommended(double peak) {
    return peak <= 0 ? 0 : plan::round_up(plan::kQuotaMargin * peak);
}

}  // namespace weir::cli
