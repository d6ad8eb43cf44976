// Engines that share one quota at one service, on virtual time.
#pragma once

#include <gtest/gtest.h>
#include <weir/engine.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <variant>
#include <vector>

#include "plan/fleet.h"
#include "property/random_source.h"
#include "unit/given.h"

namespace weir::test {

/// Of the calls, and of the service that counts them.
struct FleetCalls {
    Duration window = std::chrono::seconds(60);
    Duration takes = std::chrono::seconds(2);
    std::int64_t input = 500;  ///< at least; up to three times as much
    std::int64_t max_output = 1'000;
    std::int64_t output = 50;  ///< at least; up to nine times as much
    std::uint64_t told = 0;    ///< the quota, as it is configured; 0: it is not
    double cost() const { return static_cast<double>(2 * input + 5 * output); }
};

/// A sliding window that holds input + max_tokens of a call, and what it took once it is over.
class SlidingService {
public:
    SlidingService(std::int64_t limit, Duration window) : limit_(limit), window_(window) {}

    void limit(std::int64_t now_so_many) { limit_ = now_so_many; }
    bool take(std::uint64_t call, std::int64_t amount, Instant now) {
        while (!charges_.empty() && charges_.front().at + window_ <= now) {
            used_ -= charges_.front().amount;
            charges_.pop_front();
        }
        if (used_ + amount > limit_) {
            return false;
        }
        charges_.push_back({call, now, amount});
        used_ += amount;
        return true;
    }
    void settle(std::uint64_t call, std::int64_t actual) {
        const auto charge = std::ranges::find(charges_, call, &Charge::call);
        if (charge != charges_.end()) {
            used_ += actual - charge->amount;
            charge->amount = actual;
        }
    }

private:
    struct Charge {
        std::uint64_t call;
        Instant at;
        std::int64_t amount;
    };
    std::int64_t limit_;
    Duration window_;
    std::int64_t used_ = 0;
    std::deque<Charge> charges_;
};

struct FleetTally {
    double served = 0;   ///< tokens a second
    double success = 0;  ///< calls
    double refusals = 0;
    double waits = 0;        ///< calls that could not go at once
    double turned_away = 0;  ///< by weir
};

class FleetWorld {
public:
    FleetWorld(std::uint64_t seed, std::size_t instances, std::int64_t limit,
               const FleetCalls& shape = {})
        : shape_(shape),
          dice_(seed),
          service_(limit, shape.window),
          fleet_(scenario(seed, instances, shape), kStart) {}

    void service_limit(std::int64_t limit) { service_.limit(limit); }
    /// It fails each call like that from now on.
    void service_fails(std::optional<FailureClass> how) { fails_ = how; }

    /// So many tokens are asked for in a window.
    FleetTally run(Duration length, double demand) {
        tally_ = {};
        const Instant end = now_ + length;
        for (;;) {
            const Instant engine = fleet_.next() == Instant::max()
                                       ? end
                                       : fleet_.next() + std::chrono::microseconds(1);
            const Instant event = events_.empty() ? end : events_.top().at;
            const Instant next = std::min({engine, event, arrival_});
            if (next >= end) {
                break;
            }
            now_ = std::max(now_, next);
            if (event <= next) {
                const Event e = events_.top();
                events_.pop();
                happen(e);
            } else if (arrival_ <= next) {
                arrive();
                arrival_ = now_ + from_seconds(dice_.exponential(
                                      shape_.cost() * to_seconds(shape_.window) / demand));
            } else if (const std::size_t due = fleet_.work(now_); due < fleet_.size()) {
                advance(due);
            }
        }
        now_ = end;
        tally_.served /= to_seconds(length);
        return tally_;
    }
    /// Of the quota, as each instance has it.
    std::vector<double> limits() {
        std::vector<double> all;
        for (std::size_t i = 0; i < fleet_.size(); ++i) {
            const Status status = fleet_.engine(i).status(now_);
            for (const LimitStatus& limit : status.targets.at(0).limits) {
                if (limit.kind == LimitKind::tokens) {
                    all.push_back(static_cast<double>(limit.limit));
                }
            }
        }
        return all;
    }

private:
    enum Kind { reach, refuse, fail, complete };
    struct Event {
        Instant at;
        Kind kind;
        std::uint64_t call;
        bool operator>(const Event& o) const { return at != o.at ? at > o.at : call > o.call; }
    };
    struct Caller {
        std::size_t instance;
        CallId id;
        std::int64_t input;
        std::int64_t output;
    };

    static plan::Scenario scenario(std::uint64_t seed, std::size_t instances,
                                   const FleetCalls& shape) {
        plan::Scenario s;
        s.seed = seed;
        s.instances = instances;
        s.config.default_region = "us-east-1";
        s.config.regions["us-east-1"] = {};
        s.config.quota_window = shape.window;
        QuotaConfig quota;
        quota.models = {kSonnet};
        quota.output_burndown = 1;
        if (shape.told > 0) {
            quota.tokens_per_minute = shape.told;
        }
        s.config.quotas.push_back(quota);
        return s;
    }

    std::int64_t within(std::int64_t least, std::int64_t most) {
        return least +
               static_cast<std::int64_t>(dice_.below(static_cast<std::uint64_t>(most - least)));
    }
    void arrive() {
        const std::uint64_t number = callers_.size();
        Caller caller{
            fleet_.instance_of(number, 0), {0, static_cast<std::uint32_t>(number), 1}, 0, 0};
        caller.input = within(shape_.input, 3 * shape_.input);
        caller.output = within(shape_.output, 9 * shape_.output);
        Call call;
        call.id = caller.id;
        call.client = "c";
        call.model = kSonnet;
        call.home_region = "us-east-1";
        call.stream = true;
        call.input_estimate = static_cast<std::uint64_t>(caller.input);
        call.max_output = shape_.max_output;
        call.arrival = now_;
        callers_.push_back(caller);
        const Decision decision = fleet_.engine(caller.instance).offer(call, now_);
        tally_.waits += std::holds_alternative<Grant>(decision) ? 0 : 1;
        decided(number, decision);
        fleet_.touched(caller.instance);
    }
    void decided(std::uint64_t number, const Decision& decision) {
        tally_.turned_away += std::holds_alternative<Refusal>(decision) ? 1 : 0;
        if (std::holds_alternative<Grant>(decision)) {
            const Caller& caller = callers_[number];
            fleet_.engine(caller.instance).sent(caller.id, now_);
            events_.push({now_ + std::chrono::milliseconds(10), reach, number});
        }
    }
    void advance(std::size_t instance) {
        std::vector<Wake> woken;
        do {
            woken.clear();
            fleet_.engine(instance).advance(now_, woken);
            for (const Wake& w : woken) {
                decided(w.id.slot, w.decision);
            }
        } while (!woken.empty());
        fleet_.exchange(instance, now_);
        fleet_.touched(instance);
    }
    void report(std::uint64_t call, FailureClass cls) {
        const Caller& caller = callers_[call];
        Failure failure;
        failure.cls = cls;
        failure.stage = Stage::sent;
        failure.status = cls == FailureClass::capacity ? 503 : 429;
        decided(call, fleet_.engine(caller.instance).report(caller.id, failure, now_));
    }
    void happen(const Event& event) {
        const Caller& caller = callers_[event.call];
        Engine& engine = fleet_.engine(caller.instance);
        switch (event.kind) {
            case reach:
                if (fails_) {
                    events_.push({now_ + std::chrono::milliseconds(30), fail, event.call});
                } else if (service_.take(event.call, caller.input + shape_.max_output, now_)) {
                    events_.push({now_ + shape_.takes, complete, event.call});
                } else {
                    ++tally_.refusals;
                    events_.push({now_ + std::chrono::milliseconds(30), refuse, event.call});
                }
                return;
            case refuse:
                report(event.call, FailureClass::quota_tokens);
                break;
            case fail:
                report(event.call, fails_.value_or(FailureClass::capacity));
                break;
            case complete:
                service_.settle(event.call, caller.input + caller.output);
                ++tally_.success;
                tally_.served += static_cast<double>(caller.input + caller.output);
                engine.began(caller.id, now_);
                engine.settle(caller.id,
                              Usage{static_cast<std::uint64_t>(caller.input),
                                    static_cast<std::uint64_t>(caller.output), 0, 0, true},
                              now_);
                break;
        }
        advance(caller.instance);
    }

    static constexpr Instant kStart = Instant{} + std::chrono::seconds(5000);

    std::optional<FailureClass> fails_;
    FleetCalls shape_;
    Dice dice_;
    SlidingService service_;
    plan::Fleet fleet_;
    Instant now_ = kStart;
    Instant arrival_ = kStart;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::deque<Caller> callers_;
    FleetTally tally_;
};

}  // namespace weir::test
