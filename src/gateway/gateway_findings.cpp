// What AWS says of limits and profiles, put in force beside the configuration.
#include "gateway/gateway_impl.h"
#include "observe/figures.h"

namespace weir::gateway {
namespace {

using observe::figure;

std::string sentence(const FoundLimit& limit) {
    const std::string what = figure(limit.value) + " " + std::string(to_string(limit.kind)) +
                             " (Service Quotas, " + limit.code +
                             (limit.standard && *limit.standard != limit.value
                                  ? "; AWS's default is " + figure(*limit.standard)
                                  : "") +
                             ")";
    switch (limit.doubt) {
        case LimitDoubt::none:
            return what;
        case LimitDoubt::zero:
        case LimitDoubt::tiny:
            return what + ": AWS has granted this account next to nothing. Calls there get 429 " +
                   "until it does, and retrying does not help: open a support case, `weir quotas "
                   "case " +
                   limit.model + (limit.account.empty() ? "" : " --account " + limit.account) +
                   "` writes it. Weir learns the limit from 429s";
        case LimitDoubt::contradicted:
            return what +
                   ": the service accepts more than that, so weir learns the limit from 429s";
        case LimitDoubt::overruled:
            return what + "; `quotas` has another figure or a pool of several models, which counts";
    }
    return what;
}

}  // namespace

/// Each once, and again when it has changed.
void Gateway::Impl::tell_limits(const std::vector<FoundLimit>& limits) {
    std::map<std::string, std::string> now;
    for (const FoundLimit& limit : limits) {
        const std::string where = limit.model + " in " + limit.region +
                                  (limit.account.empty() ? "" : " of account " + limit.account);
        const std::string key = where + "\n" + std::string(to_string(limit.kind));
        const std::string& text = now[key] = sentence(limit);
        const auto before = sources.told_limits.find(key);
        const bool plain = limit.doubt == LimitDoubt::none || limit.doubt == LimitDoubt::overruled;
        const auto level = plain ? LogLevel::info : LogLevel::warn;
        if (before == sources.told_limits.end()) {
            log(level, "quota of " + where + ": " + text);
        } else if (before->second != text) {
            log(level,
                "quota of " + where + " has changed: " + text + "; before: " + before->second);
        }
    }
    sources.told_limits = std::move(now);
}

void Gateway::Impl::take_findings(const FindingsByAccount& found) {
    const std::lock_guard lock(sources.mutex);
    sources.findings = found;
    auto joined = with_findings(sources.declared, sources.findings, gate->status());
    for (const std::string& doubt : residency_doubts(joined.config, sources.findings)) {
        if (sources.told_doubts.insert(doubt).second) {
            log(LogLevel::warn, doubt);
        }
    }
    tell_limits(joined.limits);
    const auto old = in_force.snapshot();
    if (values_of(old->config) == values_of(joined.config)) {
        return;
    }
    const auto made = make_snapshot(std::move(joined.config));
    if (!made) {
        return;  // it was made from the same Regions before
    }
    in_force.set(*made, in_force.status());
    gate->reconfigure((*made)->config);
    shadow->reconfigure((*made)->config);
    give_workers(*made);
}

}  // namespace weir::gateway
