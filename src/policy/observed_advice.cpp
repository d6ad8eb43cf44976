#include "policy/observed_advice.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {
namespace {

/// As `weir plan` advises: over the peak, for the next one is higher.
constexpr double kMargin = 1.14;
/// A share of the quota that max_tokens may leave unusable before anything is said of it.
constexpr double kUsableEnough = 0.9;

/// Up to two significant digits: 199.5 gives 200, 12,345 gives 13,000.
std::uint64_t rounded_up(double value) {
    if (!(value > 0)) {
        return 0;
    }
    const double unit = std::pow(10, std::max(0.0, std::floor(std::log10(value)) - 1));
    return static_cast<std::uint64_t>(std::llround(std::ceil(value / unit - 1e-9) * unit));
}

std::string figure(double value) {
    std::string text = std::to_string(std::llround(value));
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
        text.insert(static_cast<std::size_t>(at), ",");
    }
    return text;
}
std::string figure(std::uint64_t value) {
    return figure(static_cast<double>(value));
}
std::string percent(double share) {
    return std::to_string(std::lround(share * 100)) + " %";
}

/// What the targets of one model have together, and what is known of its answers.
struct Known {
    std::optional<std::uint64_t> requests;  // unset: no limit is known
    std::optional<std::uint64_t> tokens;
    double usable = 1;
    double max_tokens = 0;
    std::uint64_t enough = 0;
};

Known known_of(const std::string& model, const Status& status) {
    Known known;
    for (const TargetStatus& target : status.targets) {
        if (target.model != model) {
            continue;
        }
        for (const LimitStatus& limit : target.limits) {
            auto* sum = limit.kind == LimitKind::requests ? &known.requests
                        : limit.kind == LimitKind::tokens ? &known.tokens
                                                          : nullptr;
            if (sum != nullptr && limit.limit > 0) {
                *sum = sum->value_or(0) + limit.limit;
            }
        }
        // What is learned of a model's answers is the same for each of its targets.
        if (target.mean_max_tokens > known.max_tokens) {
            known.usable = target.usable_share;
            known.max_tokens = target.mean_max_tokens;
            known.enough = target.enough_max_tokens;
        }
    }
    return known;
}

/// The usable share if each call asked for `enough`: what is held in vain shrinks with max_tokens.
double usable_with(const Known& known) {
    const double in_vain = 1 / std::max(known.usable, 1e-6) - 1;
    return 1 / (1 + in_vain * static_cast<double>(known.enough) / known.max_tokens);
}

}  // namespace

void PeakDemand::add(Instant now, Duration window, std::uint64_t requests, std::uint64_t tokens) {
    const auto length =
        std::max<std::int64_t>(1, window.count() / static_cast<std::int64_t>(kParts));
    const std::int64_t number = now.time_since_epoch().count() / length;
    Part& part = parts_[static_cast<std::size_t>(number) % kParts];
    if (part.number != number) {
        part = {number, 0, 0};
    }
    part.requests += requests;
    part.tokens += tokens;
    std::uint64_t all_requests = 0;
    std::uint64_t all_tokens = 0;
    for (const Part& one : parts_) {
        if (one.number > number - static_cast<std::int64_t>(kParts) && one.number <= number) {
            all_requests += one.requests;
            all_tokens += one.tokens;
        }
    }
    peak_requests_ = std::max(peak_requests_, all_requests);
    peak_tokens_ = std::max(peak_tokens_, all_tokens);
}

ObservedAdvice conclude(const ObservedDemand& demand, const Status& status) {
    const Known known = known_of(demand.model, status);
    ObservedAdvice advice;
    advice.model = demand.model;
    std::string& text = advice.text;
    text = demand.model + ": " + figure(demand.calls) + " calls, at most " +
           figure(demand.peak_requests) + " requests and " + figure(demand.peak_tokens) +
           " tokens a minute. ";
    double usable = known.usable;
    if (known.enough > 0 && static_cast<double>(known.enough) < known.max_tokens &&
        known.usable < kUsableEnough) {
        advice.lower_max_tokens_to = known.enough;
        usable = usable_with(known);
        text += "Lower max_tokens from " + figure(known.max_tokens) + " (in the mean) to " +
                figure(known.enough) + ": it leaves " + percent(known.usable) +
                " of the token quota usable, and then " + percent(usable) + ". ";
    }
    const double requests = kMargin * static_cast<double>(demand.peak_requests);
    const double tokens =
        kMargin * static_cast<double>(demand.peak_tokens) / std::max(usable, 0.01);
    if (known.requests && requests > static_cast<double>(*known.requests)) {
        advice.raise_requests_to = rounded_up(requests);
        text += "Raise requests_per_minute from " + figure(*known.requests) + " to " +
                figure(*advice.raise_requests_to) + ". ";
    }
    if (known.tokens && tokens > static_cast<double>(*known.tokens)) {
        advice.raise_tokens_to = rounded_up(tokens);
        text += "Raise tokens_per_minute from " + figure(*known.tokens) + " to " +
                figure(*advice.raise_tokens_to) +
                (usable < kUsableEnough
                     ? ": the peak needs that much while " + percent(usable) + " are usable. "
                     : ". ");
    }
    if (!known.requests && !known.tokens) {
        text += demand.throttled > 0
                    ? "The service throttled " + figure(demand.throttled) +
                          " of them, and no quota is configured: set `quotas` to the account's, "
                          "and observe again."
                    : "No limit was met, and no quota is configured: nothing to change.";
    } else if (!advice.raise_requests_to && !advice.raise_tokens_to) {
        const double share = std::max(known.requests ? static_cast<double>(demand.peak_requests) /
                                                           static_cast<double>(*known.requests)
                                                     : 0.0,
                                      known.tokens ? static_cast<double>(demand.peak_tokens) /
                                                         static_cast<double>(*known.tokens)
                                                   : 0.0);
        text += "The quota has room: its busiest minute used " + percent(share) + " of it";
        text += demand.would_wait + demand.would_refuse > 0
                    ? "; " + figure(demand.would_wait) +
                          " calls of a burst would have waited and " + figure(demand.would_refuse) +
                          " been refused."
                    : ".";
    }
    while (text.ends_with(' ')) {
        text.pop_back();
    }
    return advice;
}

}  // namespace weir::policy
