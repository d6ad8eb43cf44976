#include "observe/faster.h"

#include "observe/explain.h"
#include "observe/figures.h"
#include "policy/meter.h"

#include <algorithm>

namespace weir::observe {
namespace {

// Waits that nobody would change a setting for.
constexpr Moment kWorthSaying = 100'000;
// A max_tokens that frees less of what was missing than this part is not spoken of.
constexpr std::uint64_t kWorthFreeing = 5;
constexpr std::uint64_t kMost = std::uint64_t{1} << 40;

std::string bounded_figure(std::uint64_t value) {
    return figure(std::min(value, kMost));
}

/// One limit that stood in the way, and what was needed of it.
struct Missing {
    std::string_view region, model;
    LimitKind kind = LimitKind::none;
    std::uint64_t limit = 0;
    std::uint64_t needed = 0;
    bool own = false;    ///< the client's own limit
    bool about = false;  ///< `needed` is an estimate

    /// The smallest limit that would have been enough.
    std::uint64_t enough() const {
        return kind == LimitKind::in_flight ? needed : policy::limit_for(needed);
    }
    /// How much less would have been enough.
    std::uint64_t more() const {
        const std::uint64_t room =
            kind == LimitKind::in_flight ? limit : policy::usable_part(limit);
        return needed > room ? needed - room : 0;
    }
};

Missing missing(const WaitStep& wait) {
    Missing m{wait.region, wait.model, wait.limit_kind,
              wait.limit,  0,          wait.cause == Hindrance::client_limit};
    m.needed = counts_calls(m.kind) ? wait.used + wait.calls_before + 1
                                    : wait.used + wait.held_before + wait.cost;
    m.about = wait.calls_before > 0;
    return m;
}

Missing missing(const RefusalStep& refusal) {
    Missing m{refusal.region,
              refusal.model,
              refusal.limit_kind,
              refusal.limit,
              0,
              refusal.reason == RefusalReason::client_limit};
    const bool too_large = refusal.reason == RefusalReason::never_fits;
    m.needed = too_large              ? refusal.cost
               : counts_calls(m.kind) ? refusal.used + 1
                                      : refusal.used + refusal.cost;
    return m;
}

class Advisor {
public:
    Advisor(const Life& life, std::span<const Step> steps, std::span<const std::string> others)
        : life_(life), others_(others) {
        for (const Step& step : steps) {
            if (const auto* attempt = std::get_if<AttemptStep>(&step)) {
                last_ = attempt;
            }
        }
    }

    void larger_limit(const Missing& m) {
        if (m.limit == 0 || m.more() == 0) {
            return;
        }
        Faster f;
        const std::uint64_t to = m.enough();
        const std::string enough =
            (m.about ? "about " : "") + bounded_figure(to) + " " + std::string(limit_text(m.kind)) +
            " (" + bounded_figure(to - m.limit) + " more than " + bounded_figure(m.limit) + ")";
        if (m.own) {
            f.what = "client_limit";
            f.text = "With " + enough + " as this client's own limit it would have gone at once.";
        } else if (m.kind == LimitKind::in_flight) {
            f.what = "max_in_flight";
            f.text = "With max_in_flight of " + bounded_figure(to) + " instead of " +
                     bounded_figure(m.limit) + " for " + place_text(m.model, m.region) +
                     " it would have gone at once.";
        } else {
            f.what = "quota";
            f.text = "With a quota of " + enough + " for " + place_text(m.model, m.region) +
                     " it would have gone at once.";
        }
        f.region = m.own ? "" : m.region;
        f.model = m.own ? "" : m.model;
        f.limit_kind = m.kind;
        f.from = m.limit;
        f.to = to;
        say(std::move(f));
    }

    void smaller_max_tokens(const Missing& m) {
        const bool by_tokens = m.kind == LimitKind::tokens || m.kind == LimitKind::daily_tokens;
        const std::uint64_t asked =
            last_ != nullptr ? last_->why.output : life_.max_tokens.value_or(0);
        if (!by_tokens || asked == 0 || m.more() == 0 || m.limit == 0) {
            return;
        }
        const std::uint64_t held = last_ != nullptr ? last_->why.output_held : asked;
        const std::uint64_t each = std::max<std::uint64_t>(held / asked, 1);
        const std::uint64_t written = life_.usage.known ? life_.usage.output : 0;
        const std::uint64_t least = std::max<std::uint64_t>(written, 1);
        const std::uint64_t spare = asked > least ? (asked - least) * each : 0;
        const std::uint64_t less = (m.more() + each - 1) / each;
        Faster f;
        f.what = "max_tokens";
        f.from = asked;
        const std::string wrote = written > 0 ? "; the answer has " + bounded_figure(written)
                                              : ", if the answer needs no more";
        if (spare >= m.more()) {
            f.to = asked - less;
            f.text = "With max_tokens of " + bounded_figure(*f.to) + " or less instead of " +
                     bounded_figure(asked) + " it would have gone at once" + wrote + ".";
        } else if (written > 0 && spare > m.more() / kWorthFreeing) {
            f.to = least;
            f.text = "max_tokens of " + bounded_figure(asked) + " held " + bounded_figure(spare) +
                     " tokens of the quota in vain (the answer has " + bounded_figure(written) +
                     "); with less it would have waited less.";
        } else {
            return;
        }
        say(std::move(f));
    }

    void another_target(std::uint32_t targets, std::string_view model) {
        if (targets > 1) {
            return;
        }
        Faster f;
        f.what = "target";
        f.model = life_.model;
        f.text = "The only target for " + std::string(model) + " was " + std::string(life_.model) +
                 " in one Region: with a second target in `routes` it could have gone there";
        if (!others_.empty()) {
            f.region = others_.front();
            f.text += ", for example in " + f.region;
        }
        f.text += ".";
        say(std::move(f));
    }

    void more_connections(std::string_view region) {
        Faster f;
        f.what = "connections";
        f.region = region;
        f.text = "As many calls as pool.max_connections were under way in " + f.region +
                 ": with more it would have gone at once.";
        say(std::move(f));
    }

    void longer_deadline(const RefusalStep& refusal) {
        const bool by_time = refusal.reason == RefusalReason::quota ||
                             refusal.reason == RefusalReason::deadline ||
                             refusal.reason == RefusalReason::unavailable ||
                             refusal.reason == RefusalReason::client_limit;
        if (!by_time || refusal.retry_after <= 0) {
            return;
        }
        Faster f;
        f.what = "deadline";
        f.text = "Its turn was expected " + duration_text(refusal.retry_after) +
                 " later: a longer deadline (x-weir-deadline-ms, queue.deadline, queue.max_wait) "
                 "would have let it wait for that.";
        say(std::move(f));
    }

    /// Nothing but the model took the time.
    void shorter_answer(Moment held_back) {
        if (last_ == nullptr || last_->result != "ok" || last_->sent == kNever ||
            last_->to == kNever) {
            return;
        }
        const Moment service = last_->to - last_->sent;
        if (service < 1'000'000 || held_back > service / 10) {
            return;
        }
        Faster f;
        f.what = "model";
        f.text = "Weir held it back for " + duration_text(held_back) + "; the service took " +
                 duration_text(service);
        if (life_.usage.known && life_.usage.output > 0) {
            const double rate =
                static_cast<double>(life_.usage.output) / (static_cast<double>(service) / 1e6);
            f.text += " for " + bounded_figure(life_.usage.output) + " tokens of output, " +
                      grouped(std::max(rate, 1.0)) + " a second";
        }
        f.text += ". A shorter answer or a faster model takes less.";
        say(std::move(f));
    }

    std::vector<Faster> take() { return std::move(found_); }

private:
    /// Each kind once: what stood in the way first comes first.
    void say(Faster f) {
        const auto same = [&](const Faster& other) {
            return other.what == f.what && other.limit_kind == f.limit_kind &&
                   other.region == f.region;
        };
        if (std::ranges::none_of(found_, same)) {
            found_.push_back(std::move(f));
        }
    }

    const Life& life_;
    std::span<const std::string> others_;
    const AttemptStep* last_ = nullptr;
    std::vector<Faster> found_;
};

void advise(Advisor& advisor, const WaitStep& wait, const Life& life) {
    if (wait.to != kNever && wait.to - wait.from < kWorthSaying) {
        return;
    }
    switch (wait.cause) {
        case Hindrance::connections:
            advisor.more_connections(wait.region);
            break;
        case Hindrance::held:
        case Hindrance::breaker:
        case Hindrance::day:
        case Hindrance::unfit:
        case Hindrance::failed:
            advisor.another_target(wait.targets, life.model);
            break;
        case Hindrance::client_limit:
            advisor.larger_limit(missing(wait));
            advisor.smaller_max_tokens(missing(wait));
            break;
        case Hindrance::none:
        case Hindrance::line:
        case Hindrance::quota:
        case Hindrance::throttled:
        case Hindrance::other_weirs:
        case Hindrance::in_flight:
            advisor.larger_limit(missing(wait));
            advisor.smaller_max_tokens(missing(wait));
            advisor.another_target(wait.targets, life.model);
            break;
    }
}

void advise(Advisor& advisor, const RefusalStep& refusal) {
    switch (refusal.reason) {
        case RefusalReason::quota:
        case RefusalReason::deadline:
        case RefusalReason::queue_full:
        case RefusalReason::daily_quota:
        case RefusalReason::never_fits:
        case RefusalReason::client_limit:
            advisor.larger_limit(missing(refusal));
            advisor.smaller_max_tokens(missing(refusal));
            advisor.longer_deadline(refusal);
            break;
        case RefusalReason::unavailable:
            advisor.longer_deadline(refusal);
            break;
        case RefusalReason::attempts_exhausted:
        case RefusalReason::upstream_error:
        case RefusalReason::no_target:
        case RefusalReason::closed:
        case RefusalReason::shed:
        case RefusalReason::paused:
        case RefusalReason::budget:
            break;
    }
}

}  // namespace

std::vector<Faster> faster(const Life& life, std::span<const Step> steps,
                           std::span<const std::string> other_regions) {
    Advisor advisor(life, steps, other_regions);
    Moment held_back = 0;
    for (const Step& step : steps) {
        if (const auto* wait = std::get_if<WaitStep>(&step)) {
            held_back += wait->to == kNever ? 0 : wait->to - wait->from;
            advise(advisor, *wait, life);
        } else if (const auto* refusal = std::get_if<RefusalStep>(&step)) {
            advise(advisor, *refusal);
        } else if (const auto& attempt = std::get<AttemptStep>(step);
                   attempt.result != "ok" && attempt.to != kNever) {
            held_back += attempt.to - attempt.from;
        }
    }
    advisor.shorter_answer(held_back);
    return advisor.take();
}

}  // namespace weir::observe
