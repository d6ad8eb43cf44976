#include "simulator/quota.h"

#include <algorithm>
#include <limits>

namespace weir::simulator {
namespace {

constexpr Duration kDay = std::chrono::hours(24);

std::optional<Window> window_of(std::optional<std::uint64_t> limit, WindowKind kind,
                                Duration length, Duration phase, Instant now) {
    if (!limit) {
        return std::nullopt;
    }
    return Window(kind, *limit, length, phase, now);
}

}  // namespace

Quota::Quota(const ModelSettings& settings, WindowKind kind, Duration window, Duration phase,
             Instant now)
    : burndown_(settings.output_burndown),
      refused_count_(settings.refused_count),
      requests_(window_of(settings.requests_per_minute, kind, window, phase, now)),
      tokens_(window_of(settings.tokens_per_minute, kind, window, phase, now)),
      daily_(window_of(settings.tokens_per_day, WindowKind::sliding, kDay, Duration{}, now)) {}

Verdict Quota::start(std::uint64_t input, std::uint64_t max_output, Instant now, Ticket& ticket) {
    const std::uint64_t reservation = input + max_output;
    Verdict verdict = Verdict::accepted;
    if (requests_ && !requests_->fits(1, now)) {
        verdict = Verdict::requests;
    } else if (tokens_ && !tokens_->fits(reservation, now)) {
        verdict = Verdict::tokens;
    } else if (daily_ && !daily_->fits(reservation, now)) {
        verdict = Verdict::daily;
    }
    if (verdict != Verdict::accepted) {
        if (requests_ && refused_count_) {
            requests_->charge_refused(now);
        }
        return verdict;
    }
    if (requests_) {
        requests_->charge(1, now);
    }
    if (tokens_) {
        ticket.tokens = tokens_->charge(reservation, now);
    }
    if (daily_) {
        ticket.daily = daily_->charge(reservation, now);
    }
    return verdict;
}

std::uint64_t Quota::cost(const TokenUse& use) const {
    return use.input + use.cache_write + burndown_ * use.output;
}

void Quota::settle(const Ticket& ticket, const TokenUse& use, Instant now) {
    if (ticket.tokens) {
        tokens_->settle(*ticket.tokens, cost(use), now);
    }
    if (ticket.daily) {
        daily_->settle(*ticket.daily, cost(use), now);
    }
}

SplitQuota::SplitQuota(const SplitLimits& limits, WindowKind kind, Duration window, Duration phase,
                       Instant now)
    : input_(window_of(limits.input_tokens_per_minute, kind, window, phase, now)),
      output_(window_of(limits.output_tokens_per_minute, kind, window, phase, now)) {}

bool SplitQuota::start(std::uint64_t input, std::uint64_t max_output, Instant now, Ticket& ticket) {
    const std::uint64_t reservation = input + max_output;
    if (input_ && !input_->fits(reservation, now)) {
        return false;
    }
    if (input_) {
        ticket.input = input_->charge(reservation, now);
    }
    return true;
}

std::uint64_t SplitQuota::output_room(Instant now) {
    if (!output_) {
        return std::numeric_limits<std::uint64_t>::max();
    }
    const std::uint64_t used = output_->used(now);
    return std::max<std::uint64_t>(1, output_->limit() - std::min(used, output_->limit()));
}

void SplitQuota::write(std::uint64_t output, Instant now, Ticket& ticket) {
    if (output_) {
        ticket.output = output_->charge(output, now);
    }
}

void SplitQuota::settle(const Ticket& ticket, const TokenUse& use, Instant now) {
    if (ticket.input) {
        input_->settle(*ticket.input, use.input + use.cache_write, now);
    }
    if (ticket.output) {
        output_->settle(*ticket.output, use.output, now);
    }
}

}  // namespace weir::simulator
