#include "policy/tariff.h"

#include <algorithm>

namespace weir::policy {

namespace {

const QuotaConfig* quota_of(const Config& config, const Target& target, std::string_view model) {
    const bool reserved = target.tier == Tier::reserved;
    const QuotaConfig* best = nullptr;
    int best_fit = -1;
    for (const QuotaConfig& q : config.quotas) {
        const bool listed = q.endpoint == target.endpoint && q.reserved == reserved &&
                            std::ranges::any_of(q.models, [&](const std::string& m) {
                                return strip_arn(m) == model;
                            });
        if (!listed) {
            continue;
        }
        const bool here = q.region == target.region;
        const bool ours = !q.account.empty() && plain_account(q.account) == target.account;
        if ((!here && !q.region.empty()) || (!ours && !q.account.empty())) {
            continue;
        }
        // The account is the nearer of the two: an account's quota outdoes a Region's of them all.
        if (const int fit = (ours ? 2 : 0) + (here ? 1 : 0); fit > best_fit) {
            best = &q;
            best_fit = fit;
        }
    }
    return best;
}

}  // namespace

std::string_view without_alias(const Config& config, std::string_view model) {
    if (config.aliases.empty()) {
        return model;
    }
    const auto found = config.aliases.find(std::string(model));
    return found == config.aliases.end() ? model : std::string_view(found->second);
}

std::uint64_t Tariff::cost(const Usage& usage) const {
    return quota_tokens(usage, apart ? 0 : burndown);
}

Tariff tariff_of(const Config& config, const Target& target) {
    Tariff tariff;
    tariff.model = strip_arn(without_alias(config, target.model));
    tariff.apart = target.endpoint == Endpoint::mantle || target.tier == Tier::reserved;
    tariff.quota = quota_of(config, target, tariff.model);
    if (tariff.apart) {
        return tariff;
    }
    tariff.burndown = config.models.facts(tariff.model).output_burndown;
    if (tariff.quota != nullptr) {
        tariff.burndown = tariff.quota->output_burndown.value_or(tariff.burndown);
        tariff.reserve_burndown = tariff.quota->reserve_burndown;
    }
    tariff.burndown = std::clamp(tariff.burndown, 1U, 1000U);
    return tariff;
}

}  // namespace weir::policy
