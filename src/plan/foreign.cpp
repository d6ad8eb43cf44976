#include "plan/foreign.h"

#include "plan/client_retry.h"

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

enum ForeignEvent : std::uint32_t { kArrival, kAttempt, kComplete };

constexpr double kMeanCalm = 24;
constexpr double kMeanBurst = 8;
constexpr double kCalmRate = 0.5;  // times the mean; with the next, the mean over both is 1
constexpr double kBurstRate = 2.5;
constexpr double kSpread = 0.7;

}  // namespace

Foreign::Foreign(double tokens_per_minute, std::uint32_t burndown, const ForeignSizes& sizes,
                 Duration first_token, double tokens_per_second, Duration until, std::uint64_t seed)
    : burndown_(burndown),
      sizes_(sizes),
      first_token_(first_token),
      tokens_per_second_(tokens_per_second),
      until_(until),
      arrivals_(seed),
      retries_(seed ^ 0x5DEECE66DULL),
      calls_per_second_(tokens_per_minute / 60 /
                        std::max(1.0, sizes.mean_input + burndown * sizes.mean_output)) {
    phase_ends_ = arrivals_.exponential(kMeanCalm);
    if (calls_per_second_ > 0) {
        schedule_arrival(Duration::zero());
    }
}

void Foreign::schedule_arrival(Duration after) {
    double at = to_seconds(after);
    for (;;) {
        const double rate = calls_per_second_ * (burst_ ? kBurstRate : kCalmRate);
        const double next = at + arrivals_.exponential(1 / rate);
        if (next < phase_ends_) {
            events_.add(from_seconds(next), 0, kArrival);
            return;
        }
        at = phase_ends_;
        burst_ = !burst_;
        phase_ends_ += arrivals_.exponential(burst_ ? kMeanBurst : kMeanCalm);
    }
}

void Foreign::arrive(Duration now) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(calls_.size());
        calls_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    Call& call = calls_[slot];
    call = Call{};
    call.input = std::llround(arrivals_.log_normal(std::max(1.0, sizes_.mean_input), kSpread));
    call.output = std::clamp<std::int64_t>(
        std::llround(arrivals_.log_normal(std::max(1.0, sizes_.mean_output), kSpread)), 1,
        static_cast<std::int64_t>(std::max<std::uint64_t>(1, sizes_.max_tokens)));
    ++report_.calls;
    report_.asked += static_cast<std::uint64_t>(call.input + burndown_ * call.output);
    events_.add(now, slot, kAttempt);
    schedule_arrival(now);
}

void Foreign::run(Duration now, const Pool& pool) {
    while (!events_.empty() && events_.next() <= now) {
        const Event event = events_.take();
        if (event.kind == kArrival) {
            if (event.at < until_) {
                arrive(event.at);
            }
            continue;
        }
        Call& call = calls_[event.slot];
        if (event.kind == kComplete) {
            const std::int64_t cost = call.input + burndown_ * call.output;
            pool.settle(call.charge, cost, event.at);
            ++report_.served;
            report_.settled += static_cast<std::uint64_t>(cost);
            free_.push_back(event.slot);
            continue;
        }
        const auto reserve = call.input + static_cast<std::int64_t>(sizes_.max_tokens);
        if (pool.ask(reserve, event.at, call.charge)) {
            const double talking = static_cast<double>(call.output) / tokens_per_second_;
            events_.add(event.at + first_token_ + from_seconds(talking), event.slot, kComplete);
            continue;
        }
        ++report_.refusals;
        const auto delay = article_delay(++call.attempt, CallError::throttled, retries_.uniform());
        if (delay) {
            events_.add(event.at + from_seconds(*delay), event.slot, kAttempt);
        } else {
            free_.push_back(event.slot);
        }
    }
}

}  // namespace weir::plan
