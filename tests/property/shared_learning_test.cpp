// A quota that nobody told, and that is raised while engines share it: they follow it together, and
// no faster and no slower than one engine alone.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <variant>
#include <vector>

#include "plan/fleet.h"
#include "property/random_source.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Dice;

const std::string kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr Instant kStart = Instant{} + 5000s;
constexpr Duration kWindow = 60s;

/// A sliding window that holds input + max_tokens of a call, and what it took once it is over.
class Service {
public:
    explicit Service(std::int64_t limit) : limit_(limit) {}

    void limit(std::int64_t now_so_many) { limit_ = now_so_many; }
    bool take(std::uint64_t call, std::int64_t amount, Instant now) {
        while (!charges_.empty() && charges_.front().at + kWindow <= now) {
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
    std::int64_t used_ = 0;
    std::deque<Charge> charges_;
};

struct Tally {
    double served = 0;   ///< tokens a second
    double success = 0;  ///< calls
    double refusals = 0;
};

class World {
public:
    World(std::uint64_t seed, std::size_t instances, std::int64_t limit)
        : dice_(seed), service_(limit), fleet_(scenario(seed, instances), kStart) {}

    void service_limit(std::int64_t limit) { service_.limit(limit); }

    /// So many tokens are asked for in a window.
    Tally run(Duration length, double demand) {
        tally_ = {};
        const Instant end = now_ + length;
        for (;;) {
            const Instant engine = fleet_.next() == Instant::max() ? end : fleet_.next() + 1us;
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
                arrival_ =
                    now_ + from_seconds(dice_.exponential(kCost * to_seconds(kWindow) / demand));
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
    static constexpr double kCost = 1'250;  // of a call, in the mean
    enum Kind { reach, refuse, complete };
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

    static plan::Scenario scenario(std::uint64_t seed, std::size_t instances) {
        plan::Scenario s;
        s.seed = seed;
        s.instances = instances;
        s.config.default_region = "us-east-1";
        s.config.regions["us-east-1"] = {};
        QuotaConfig quota;
        quota.models = {kModel};
        quota.output_burndown = 1;
        s.config.quotas.push_back(quota);
        return s;
    }

    void arrive() {
        const std::uint64_t number = callers_.size();
        Caller caller{
            fleet_.instance_of(number, 0), {0, static_cast<std::uint32_t>(number), 1}, 0, 0};
        caller.input = 500 + static_cast<std::int64_t>(dice_.below(1'000));
        caller.output = 50 + static_cast<std::int64_t>(dice_.below(400));
        Call call;
        call.id = caller.id;
        call.client = "c";
        call.model = kModel;
        call.home_region = "us-east-1";
        call.stream = true;
        call.input_estimate = static_cast<std::uint64_t>(caller.input);
        call.max_output = kMaxOutput;
        call.arrival = now_;
        callers_.push_back(caller);
        decided(number, fleet_.engine(caller.instance).offer(call, now_));
        fleet_.touched(caller.instance);
    }
    void decided(std::uint64_t number, const Decision& decision) {
        if (std::holds_alternative<Grant>(decision)) {
            const Caller& caller = callers_[number];
            fleet_.engine(caller.instance).sent(caller.id, now_);
            events_.push({now_ + 10ms, reach, number});
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
    void happen(const Event& event) {
        const Caller& caller = callers_[event.call];
        Engine& engine = fleet_.engine(caller.instance);
        switch (event.kind) {
            case reach:
                if (service_.take(event.call, caller.input + kMaxOutput, now_)) {
                    events_.push({now_ + 2s, complete, event.call});
                } else {
                    ++tally_.refusals;
                    events_.push({now_ + 30ms, refuse, event.call});
                }
                return;
            case refuse: {
                Failure failure;
                failure.cls = FailureClass::quota_tokens;
                failure.stage = Stage::sent;
                failure.status = 429;
                decided(event.call, engine.report(caller.id, failure, now_));
                break;
            }
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

    static constexpr std::int64_t kMaxOutput = 1'000;

    Dice dice_;
    Service service_;
    plan::Fleet fleet_;
    Instant now_ = kStart;
    Instant arrival_ = kStart;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::deque<Caller> callers_;
    Tally tally_;
};

TEST(SharedLearning, AQuotaThatIsRaisedIsFollowedByAllTogether) {
    const std::uint64_t base = test::seed_for("shared learning", 1);
    for (std::uint64_t seed = base; seed < base + 2; ++seed) {
        double alone = 0;
        for (const std::size_t instances : {1U, 4U, 16U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances));
            World world(seed, instances, 200'000);
            world.run(400s, 300'000);
            world.service_limit(400'000);
            const Tally after = world.run(400s, 400'000);
            const double least = std::ranges::min(world.limits());
            std::printf(
                "seed %llu, %zu instances: %.0f tokens/s, %.4f refusals a success, least limit "
                "%.0f\n",
                static_cast<unsigned long long>(seed), instances, after.served,
                after.refusals / after.success, least);
            alone = instances == 1 ? after.served : alone;
            EXPECT_GE(after.served, 0.85 * alone);
            if (instances > 1) {  // alone it is not the books that say when to probe
                EXPECT_LE(after.refusals, 0.02 * after.success);
            }
            EXPECT_GE(least, 360'000);
        }
    }
}

TEST(SharedLearning, AQuotaThatStaysIsProbedByAllTogetherAsByOne) {
    const std::uint64_t base = test::seed_for("shared learning", 1);
    for (std::uint64_t seed = base; seed < base + 2; ++seed) {
        double alone = 0;
        for (const std::size_t instances : {1U, 4U}) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", instances " +
                         std::to_string(instances));
            World world(seed, instances, 200'000);
            world.run(400s, 300'000);
            const Tally after = world.run(800s, 300'000);
            std::printf(
                "seed %llu, %zu instances: %.0f tokens/s, %.4f refusals a success, limits %.0f to "
                "%.0f\n",
                static_cast<unsigned long long>(seed), instances, after.served,
                after.refusals / after.success, std::ranges::min(world.limits()),
                std::ranges::max(world.limits()));
            alone = instances == 1 ? after.served : alone;
            EXPECT_GE(after.served, 0.92 * alone);
            EXPECT_LE(after.refusals, 0.02 * after.success);
        }
    }
}

}  // namespace
}  // namespace weir
