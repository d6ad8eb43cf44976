#include "gateway/quota_findings.h"

#include "policy/geography.h"
#include "policy/tariff.h"

#include <algorithm>
#include <set>

namespace weir::gateway {
namespace {

using aws::QuotaKind;

/// Of what the target has settled in the last minute, as a multiple of a limit that cannot be.
constexpr std::uint64_t kContradiction = 2;

LimitKind limit_kind(QuotaKind kind) {
    switch (kind) {
        case QuotaKind::requests_per_minute:
            return LimitKind::requests;
        case QuotaKind::tokens_per_minute:
            return LimitKind::tokens;
        case QuotaKind::tokens_per_day:
            return LimitKind::daily_tokens;
    }
    return LimitKind::none;
}

constexpr std::uint64_t kTinyPart = 100;  // of AWS's default
constexpr std::uint64_t kFewTokens = 10'000;
constexpr std::size_t kMostAliases = 2000;

/// Has the service accepted far more than this?
bool contradicted(const FoundLimit& limit, const Status& status) {
    for (const TargetStatus& target : status.targets) {
        if (target.region != limit.region || target.model != limit.model ||
            target.endpoint != Endpoint::runtime || target.account != limit.account) {
            continue;
        }
        for (const LimitStatus& has : target.limits) {
            if (has.kind == limit_kind(limit.kind) &&
                has.used - std::min(has.used, has.reserved) > kContradiction * limit.value) {
                return true;
            }
        }
    }
    return false;
}

LimitDoubt doubt_of(const FoundLimit& limit, const Status& status) {
    if (limit.value == 0) {
        return LimitDoubt::zero;
    }
    if ((limit.kind != QuotaKind::requests_per_minute && limit.value < kFewTokens) ||
        limit.value < limit.standard.value_or(0) / kTinyPart) {
        return LimitDoubt::tiny;
    }
    return contradicted(limit, status) ? LimitDoubt::contradicted : LimitDoubt::none;
}

std::optional<std::uint64_t>& member_of(QuotaConfig& quota, QuotaKind kind) {
    switch (kind) {
        case QuotaKind::requests_per_minute:
            return quota.requests_per_minute;
        case QuotaKind::tokens_per_minute:
            return quota.tokens_per_minute;
        case QuotaKind::tokens_per_day:
            break;
    }
    return quota.tokens_per_day;
}

/// The quota of this Region alone that the limits go into; null: it is not to be changed.
QuotaConfig* own_quota(Config& config, const PlacedModel& placed) {
    Target target;
    target.region = placed.region;
    target.model = placed.model;
    target.account = placed.account;
    const QuotaConfig* quota = policy::tariff_of(config, target).quota;
    if (quota == nullptr) {
        QuotaConfig made;
        made.models = {placed.model};
        made.region = placed.region;
        made.account = account_label(placed.account);
        return &config.quotas.emplace_back(std::move(made));
    }
    if (quota->models.size() != 1) {
        return nullptr;
    }
    const bool others = quota->account.empty() && !config.accounts.empty();
    if (quota->region != placed.region || others) {
        QuotaConfig copy = *quota;
        copy.region = placed.region;
        copy.account = account_label(placed.account);
        return &config.quotas.emplace_back(std::move(copy));
    }
    return &config.quotas[static_cast<std::size_t>(quota - config.quotas.data())];
}

void take_limits(WithFindings& out, const PlacedModel& placed, const aws::QuotaReading& reading,
                 const Status& status) {
    const aws::ModelQuotas lines = aws::quotas_of(reading, placed.model);
    std::vector<FoundLimit> found;
    for (const aws::QuotaLine* line :
         {lines.requests_per_minute, lines.tokens_per_minute, lines.tokens_per_day}) {
        const auto value = aws::limit_of(line, placed.model);
        if (!value) {
            continue;
        }
        FoundLimit limit{placed.region, placed.model,   line->name.kind,
                         *value,        line->standard, line->code};
        limit.account = placed.account;
        limit.doubt = doubt_of(limit, status);
        found.push_back(std::move(limit));
    }
    const auto good = [](const FoundLimit& f) { return f.doubt == LimitDoubt::none; };
    const bool any = std::ranges::any_of(found, good);
    QuotaConfig* quota = any ? own_quota(out.config, placed) : nullptr;
    for (FoundLimit& limit : found) {
        if (!good(limit)) {
            continue;
        }
        if (quota != nullptr && !member_of(*quota, limit.kind)) {
            member_of(*quota, limit.kind) = limit.value;
        } else {
            limit.doubt = LimitDoubt::overruled;
        }
    }
    std::ranges::move(found, std::back_inserter(out.limits));
}

}  // namespace

std::vector<PlacedModel> models_in_use(const Config& config, const Status& status) {
    std::set<PlacedModel> found;
    const auto add = [&](const std::string& region, std::string_view model,
                         std::string_view account) {
        const std::string_view known = strip_arn(policy::without_alias(config, model));
        if (!known.empty() && known.contains('.')) {
            found.insert({region, std::string(known), std::string(plain_account(account))});
        }
    };
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            if (target.endpoint == Endpoint::runtime) {
                add(target.region, target.model.empty() ? route.model : target.model,
                    target.account);
            }
        }
    }
    for (const QuotaConfig& quota : config.quotas) {
        for (const std::string& model : quota.apart() ? std::vector<std::string>() : quota.models) {
            if (!quota.region.empty()) {
                add(quota.region, model, quota.account);
                continue;
            }
            for (const auto& [region, unused] : config.regions) {
                add(region, model, quota.account);
            }
        }
    }
    for (const TargetStatus& target : status.targets) {
        if (target.endpoint == Endpoint::runtime && target.tier != Tier::reserved) {
            add(target.region, target.model, target.account);
        }
    }
    return {found.begin(), found.end()};
}

WithFindings with_findings(const Config& declared, const FindingsByAccount& findings,
                           const Status& status) {
    WithFindings out{declared, {}};
    for (const auto& [account, found] : findings) {
        for (const auto& [region, profiles] : found.profiles) {
            for (auto& [arn, model] : aws::application_aliases(profiles)) {
                if (out.config.aliases.size() < kMostAliases) {
                    out.config.aliases.try_emplace(arn, model);
                }
            }
        }
    }
    for (const PlacedModel& placed : models_in_use(out.config, status)) {
        const auto found = findings.find(placed.account);
        if (found == findings.end()) {
            continue;
        }
        if (const auto reading = found->second.quotas.find(placed.region);
            reading != found->second.quotas.end()) {
            take_limits(out, placed, reading->second, status);
        }
    }
    return out;
}

std::vector<std::string> residency_doubts(const Config& config, const FindingsByAccount& findings) {
    std::vector<std::string> doubts;
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            const auto found = findings.find(std::string(plain_account(target.account)));
            if (route.residency == "any" || found == findings.end()) {
                continue;
            }
            const auto profiles = found->second.profiles.find(target.region);
            if (profiles == found->second.profiles.end()) {
                continue;
            }
            const std::string_view model = strip_arn(
                policy::without_alias(config, target.model.empty() ? route.model : target.model));
            for (const aws::InferenceProfile& profile : profiles->second) {
                if (profile.id != model) {
                    continue;
                }
                for (const std::string& region : profile.destinations) {
                    if (!policy::region_within(route.residency, region)) {
                        doubts.push_back(
                            "route " + route.model + " has residency " + route.residency +
                            ", but its target " + std::string(model) + " in " + target.region +
                            " may run in " + (region.empty() ? "any commercial Region" : region) +
                            " (GetInferenceProfile)");
                        break;
                    }
                }
            }
        }
    }
    return doubts;
}

}  // namespace weir::gateway
