// The same seed and the same events give the same decisions, wherever things lie in memory: plans
// can be compared, and a fault that was seen can be seen again.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "property/random_source.h"
#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Dice;

Config random_shares(Dice& dice) {
    Config c;
    c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
    c.default_region = "us-east-1";
    RouteConfig route;
    route.model = kSonnet;
    route.targets = {{"us-east-1", ""}, {"us-west-2", ""}, {"us-east-1", kHaiku}};
    route.targets.resize(1 + dice.below(3));
    c.routes.push_back(route);
    QuotaConfig q;
    q.models = dice.one_in(3) ? std::vector{kHaiku, kSonnet} : std::vector{kSonnet};
    q.tokens_per_minute = 60'000 + dice.below(100'000);
    c.quotas.push_back(q);
    for (const char* name : {"a", "b", "c", "d"}) {
        ClientConfig client;
        client.name = name;
        client.share = dice.one_in(2) ? 1 : 3;
        if (dice.one_in(2)) {
            client.tokens_per_minute = 20'000 + dice.below(40'000);
        }
        c.clients.push_back(client);
    }
    const char* const orders[] = {"fifo", "adaptive_lifo", "small_first"};
    c.queue.order = orders[dice.below(3)];
    c.queue.max_waiting = 60;
    return c;
}

/// Blocks of memory that come and go, so that the engine's lie elsewhere.
class Litter {
public:
    explicit Litter(std::uint64_t seed) : dice_(seed) {}
    void stir() {
        for (int i = 0; i < 3; ++i) {
            blocks_[dice_.below(blocks_.size())] = std::make_unique<char[]>(16 + dice_.below(700));
        }
    }

private:
    Dice dice_;
    std::vector<std::unique_ptr<char[]>> blocks_{500};
};

class Play {
public:
    explicit Play(std::uint64_t seed)
        : dice_(seed), engine_(random_shares(dice_), seed, Instant{} + 1000s) {}

    /// What the engine has decided at each step, in words.
    std::vector<std::string> log_of(int steps, Litter* litter) {
        std::vector<std::string> log;
        for (int i = 0; i < steps; ++i) {
            if (litter != nullptr) {
                litter->stir();
            }
            told_.clear();
            step();
            std::vector<Wake> woken;
            engine_.advance(now_, woken);
            for (const Wake& wake : woken) {
                take(wake.id, wake.decision);
            }
            const auto next = engine_.next_wake();
            told_ += " next " + std::to_string(next ? next->time_since_epoch().count() : 0);
            log.push_back(told_);
        }
        return log;
    }

private:
    enum class State { waiting, granted, sent };

    void take(CallId id, const Decision& d) {
        told_ += " " + std::to_string(id.generation);
        if (const auto* grant = std::get_if<Grant>(&d)) {
            told_ += " goes to " + grant->target->region + " " + grant->target->model + " with " +
                     std::to_string(grant->reservation);
            calls_[id.generation] = State::granted;
        } else if (const auto* refusal = std::get_if<Refusal>(&d)) {
            told_ += " refused " + std::to_string(static_cast<int>(refusal->reason)) + " for " +
                     std::to_string(refusal->retry_after.count());
            calls_.erase(id.generation);
        } else {
            told_ += " waits";
            calls_[id.generation] = State::waiting;
        }
    }

    void step() {
        now_ += std::chrono::milliseconds(dice_.below(300));
        if (dice_.one_in(150)) {
            engine_.reconfigure(random_shares(dice_), now_);
        } else if (dice_.below(10) < 4 || calls_.empty()) {
            offer();
        } else {
            go_on();
        }
    }

    void offer() {
        const std::string client(1, "abcdefgh"[dice_.below(8)]);
        Call c;
        c.id = CallId{0, 0, ++generation_};
        c.client = client;
        c.priority = static_cast<Priority>(dice_.below(3));
        c.model = dice_.one_in(5) ? kHaiku : kSonnet;
        c.home_region = "us-east-1";
        c.input_estimate = dice_.below(5'000);
        c.max_output = 50 + dice_.below(5'000);
        c.arrival = now_;
        take(c.id, engine_.offer(c, now_));
    }

    void go_on() {
        auto at = calls_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(dice_.below(calls_.size())));
        const CallId id{0, 0, at->first};
        if (at->second == State::granted) {
            at->second = State::sent;
            engine_.sent(id, now_);
        } else if (at->second == State::sent && dice_.one_in(12)) {
            Failure failure;
            failure.cls = dice_.one_in(2) ? FailureClass::capacity : FailureClass::quota_tokens;
            failure.stage = Stage::sent;
            take(id, engine_.report(id, failure, now_));
        } else if (at->second == State::sent) {
            engine_.settle(id, Usage{dice_.below(5'000), dice_.below(400), 0, 0, true}, now_);
            calls_.erase(at);
        }
    }

    Dice dice_;
    Instant now_ = Instant{} + 1000s;
    Engine engine_;
    std::uint32_t generation_ = 0;
    std::map<std::uint32_t, State> calls_;
    std::string told_;
};

TEST(Repeatable, DecisionsDoNotDependOnWhereThingsLieInMemory) {
    const std::uint64_t seed = test::seed_for("repeatable", 7);
    for (std::uint64_t i = 0; i < 12 && !HasFailure(); ++i) {
        Litter litter(seed + i);
        const auto once = Play(seed + i).log_of(3'000, nullptr);
        const auto again = Play(seed + i).log_of(3'000, &litter);
        for (std::size_t step = 0; step < once.size(); ++step) {
            ASSERT_EQ(once[step], again[step]) << "seed " << seed + i << ", step " << step;
        }
    }
}

}  // namespace
}  // namespace weir
