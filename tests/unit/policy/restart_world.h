// Callers that ask for more than a quota, a service that counts it, and an engine that is ended and
// started again in between.
#pragma once

#include <weir/engine.h>
#include <weir/engine_state.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace weir::restart {

using namespace std::chrono_literals;

enum class Shape { sliding, clock, bucket };

/// What the service holds against one limit of tokens a minute.
class Service {
public:
    Service(Shape shape, std::uint64_t limit, Duration phase)
        : shape_(shape), limit_(static_cast<double>(limit)), phase_(phase), level_(limit_) {}

    bool take(std::uint64_t id, std::uint64_t amount, Instant now) {
        if (used(now) + static_cast<double>(amount) > limit_) {
            return false;
        }
        held_[id] = {now, static_cast<double>(amount)};
        level_ -= static_cast<double>(amount);
        return true;
    }
    void settle(std::uint64_t id, std::uint64_t actual, Instant now) {
        used(now);
        const auto found = held_.find(id);
        if (found == held_.end()) {
            return;
        }
        auto& held = found->second;
        level_ = std::min(limit_, level_ + held.amount - static_cast<double>(actual));
        held.amount = static_cast<double>(actual);
    }
    double used(Instant now) {
        level_ = std::min(limit_, level_ + limit_ * to_seconds(now - filled_) / 60);
        filled_ = now;
        if (shape_ == Shape::bucket) {
            return limit_ - level_;
        }
        std::erase_if(held_, [&](const auto& held) { return held.second.at < now - 120s; });
        double sum = 0;
        for (const auto& [id, held] : held_) {
            const bool counts =
                shape_ == Shape::sliding ? held.at > now - 60s : minute(held.at) == minute(now);
            sum += counts ? held.amount : 0;
        }
        return sum;
    }

private:
    struct Held {
        Instant at;
        double amount;
    };
    std::int64_t minute(Instant at) const { return (at.time_since_epoch() + phase_) / 60s; }

    Shape shape_;
    double limit_;
    Duration phase_;
    double level_;
    Instant filled_ = Instant{} + 1000s;
    std::map<std::uint64_t, Held> held_;
};

enum class End {
    none,   ///< no restart at all
    crash,  ///< what was written last is up to two seconds old
    drain   ///< with a last word
};

struct Scene {
    Shape shape = Shape::sliding;
    End end = End::drain;
    bool file = true;
    bool told = true;
    bool stream = true;
    double load = 1.2;  ///< of what the quota allows
    std::uint64_t tokens = 200'000;
    Duration at = 150s;  ///< after the first start
    Duration down = 2s;  ///< until the next
    std::uint64_t seed = 1;
};

struct Outcome {
    int refusals = 0;          ///< in the first window after the start
    std::uint64_t served = 0;  ///< tokens of calls that were taken in that window
    int calls = 0;             ///< of these
    double most_used = 0;      ///< of the limit, by the engine's own books
};

/// A run from an empty service to the end of the first window after the restart.
class World {
public:
    explicit World(const Scene& scene)
        : scene_(scene),
          dice_(scene.seed),
          service_(scene.shape, scene.tokens, Duration(draw(0, 60'000) * 1'000'000LL)) {
        config_.default_region = "us-east-1";
        config_.regions["us-east-1"] = {};
        if (scene.told) {
            QuotaConfig quota;
            quota.models = {kModel};
            quota.tokens_per_minute = scene.tokens;
            quota.output_burndown = 1;
            config_.quotas.push_back(quota);
        }
    }

    Outcome run() {
        const Instant restart = kStart + scene_.at;
        const Instant again = restart + (scene_.end == End::none ? Duration() : scene_.down);
        start(std::nullopt);
        schedule_arrivals(again + 60s);
        while (step(restart)) {
        }
        if (scene_.end != End::none) {
            std::optional<EngineState> left = end(restart);
            now_ = again;
            if (left && scene_.end == End::crash) {
                left->age = again - written_at_;
                left->unrecorded = std::min<Duration>(left->age, 4s);
            } else if (left) {
                left->age = again - restart;
                left->unrecorded = Duration::zero();
            }
            start(scene_.file ? std::move(left) : EngineState{});
        }
        counting_ = true;
        while (step(again + 60s)) {
        }
        return outcome_;
    }

private:
    static constexpr Instant kStart = Instant{} + 1000s;
    static inline const std::string kModel = "us.anthropic.claude-0";
    enum Kind { arrive, reach, refused, begun, complete, write };
    struct Event {
        Instant at;
        Kind kind;
        std::uint64_t call;
        std::uint64_t order;
        bool operator>(const Event& o) const { return at != o.at ? at > o.at : order > o.order; }
    };
    struct Caller {
        std::uint64_t input = 0;
        std::uint64_t output = 0;
        CallId id;
        Instant taken{};
        bool holds = false;
    };

    std::int64_t draw(std::int64_t least, std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(least, most)(dice_);
    }

    void at(Duration later, Kind kind, std::uint64_t call) {
        events_.push({now_ + later, kind, call, ++order_});
    }

    void schedule_arrivals(Instant until) {
        // Ten calls of 1,500 tokens in the mean for each window's quota at load 1.
        const double a_second = scene_.load * static_cast<double>(scene_.tokens) / 1500 / 60;
        std::exponential_distribution<double> gap(a_second);
        for (Instant when = kStart + 1ms; when < until; when += from_seconds(gap(dice_))) {
            Caller caller;
            caller.input = static_cast<std::uint64_t>(draw(500, 1500));
            caller.output = static_cast<std::uint64_t>(draw(200, 800));
            callers_.push_back(caller);
            events_.push({when, arrive, callers_.size() - 1, ++order_});
        }
    }

    void start(std::optional<EngineState> state) {
        engine_.emplace(config_, scene_.seed, now_);
        if (state) {
            engine_->resume(std::move(*state), now_);
        }
        at(2s, write, 0);
        for (const std::uint64_t call : open_) {  // who was cut off asks again at once
            at(Duration(draw(0, 300) * 1'000'000), arrive, call);
        }
        open_.clear();
    }

    /// The process ends; what it held open ends as well, and counts what was produced by then.
    std::optional<EngineState> end(Instant when) {
        now_ = when;
        std::priority_queue<Event, std::vector<Event>, std::greater<>> kept;
        for (; !events_.empty(); events_.pop()) {
            if (events_.top().kind == arrive) {
                kept.push(events_.top());
            }
        }
        events_ = std::move(kept);
        for (const std::uint64_t call : open_) {
            Caller& caller = callers_[call];
            if (caller.holds) {
                const Usage so_far = used_by(caller);
                service_.settle(call, so_far.input + so_far.output, now_);
                caller.holds = false;
                engine_->cancel(caller.id, so_far, now_);
            } else {
                engine_->cancel(caller.id, std::nullopt, now_);
            }
        }
        return scene_.end == End::crash ? written_ : engine_->state(now_);
    }

    Usage used_by(const Caller& caller) const {
        const double produced = 60 * to_seconds(now_ - caller.taken);
        return {caller.input,
                std::min(caller.output, static_cast<std::uint64_t>(std::max(0.0, produced))), 0, 0,
                true};
    }

    bool step(Instant until) {
        const auto wake = engine_->next_wake();
        const Instant event = events_.empty() ? Instant::max() : events_.top().at;
        const Instant timer = wake ? std::max(*wake, now_) + 1us : Instant::max();
        if (std::min(event, timer) >= until) {
            return false;
        }
        if (event <= timer) {
            now_ = std::max(now_, event);
            const Event what = events_.top();
            events_.pop();
            happen(what);
        } else {
            now_ = timer;
        }
        std::vector<Wake> woken;
        do {
            woken.clear();
            engine_->advance(now_, woken);
            for (const Wake& w : woken) {
                act(w.id.slot, w.decision);
            }
        } while (woken.size() == 64);
        return true;
    }

    void happen(const Event& event) {
        Caller& caller = callers_[event.call];
        switch (event.kind) {
            case arrive: {
                Call call;
                caller.id = {0, static_cast<std::uint32_t>(event.call), ++generation_};
                call.id = caller.id;
                call.model = kModel;
                call.home_region = "us-east-1";
                call.stream = scene_.stream;
                call.input_estimate = caller.input;
                call.max_output = 4096;
                call.arrival = now_;
                open_.insert(event.call);
                act(event.call, engine_->offer(call, now_));
                return;
            }
            case reach: {
                const std::uint64_t held = caller.input + 4096;
                if (!service_.take(event.call, held, now_)) {
                    at(20ms, refused, event.call);
                    return;
                }
                caller.taken = now_;
                caller.holds = true;
                outcome_.served += counting_ ? caller.input + caller.output : 0;
                outcome_.calls += counting_ ? 1 : 0;
                if (scene_.stream) {
                    at(400ms, begun, event.call);
                }
                at(400ms + from_seconds(static_cast<double>(caller.output) / 60), complete,
                   event.call);
                return;
            }
            case refused: {
                outcome_.refusals += counting_ ? 1 : 0;
                Failure failure;
                failure.cls = FailureClass::quota_tokens;
                failure.stage = Stage::sent;
                failure.status = 429;
                act(event.call, engine_->report(caller.id, failure, now_));
                return;
            }
            case begun:
                engine_->began(caller.id, now_);
                return;
            case complete:
                service_.settle(event.call, caller.input + caller.output, now_);
                caller.holds = false;
                open_.erase(event.call);
                engine_->settle(caller.id, Usage{caller.input, caller.output, 0, 0, true}, now_);
                note_use();
                return;
            case write:
                written_ = engine_->state(now_);
                written_at_ = now_;
                at(2s, write, 0);
                return;
        }
    }

    void act(std::uint64_t call, const Decision& decision) {
        if (std::holds_alternative<Grant>(decision)) {
            engine_->sent(callers_[call].id, now_);
            note_use();
            at(20ms, reach, call);
        } else if (std::holds_alternative<Refusal>(decision)) {
            open_.erase(call);
        }
    }

    void note_use() {
        for (const TargetStatus& target : engine_->status(now_).targets) {
            for (const LimitStatus& limit : target.limits) {
                if (limit.kind == LimitKind::tokens && !limit.learned && limit.limit > 0) {
                    outcome_.most_used =
                        std::max(outcome_.most_used, static_cast<double>(limit.used) /
                                                         static_cast<double>(limit.limit));
                }
            }
        }
    }

    Scene scene_;
    std::mt19937_64 dice_;
    Service service_;
    Config config_;
    std::optional<Engine> engine_;
    Instant now_ = kStart;
    std::uint64_t order_ = 0;
    std::uint64_t generation_ = 0;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::deque<Caller> callers_;
    std::set<std::uint64_t> open_;  ///< calls whose callers wait for an answer
    std::optional<EngineState> written_;
    Instant written_at_{};
    Outcome outcome_;
    bool counting_ = false;
};

}  // namespace weir::restart
