// Clients and upstreams in virtual time round one engine, for tests of what calls do to each other.
#pragma once

#include <weir/engine.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weir::test {

/// What an upstream does with one attempt.
struct Answer {
    Duration after = std::chrono::milliseconds(200);
    std::optional<Failure> failure;  ///< nullopt: served
    bool begins = false;             ///< its content begins before the failure
    Usage usage{100, 50, 0, 0, true};

    static Answer failed(FailureClass cls, int status) {
        Answer a;
        a.after = std::chrono::milliseconds(50);
        a.failure.emplace();
        a.failure->cls = cls;
        a.failure->status = status;
        a.failure->stage = Stage::sent;
        return a;
    }
};

/// One client's behaviour: a call every `every`, shaped by `shape`, answered by `answer`.
struct Behaviour {
    std::string name;
    Duration every = std::chrono::seconds(1);
    std::function<void(Call&)> shape = [](Call&) {};
    std::function<Answer(const Grant&)> answer = [](const Grant&) { return Answer{}; };
    std::optional<Duration> leaves_after = {};  ///< from the grant
};

struct Tally {
    std::uint64_t offered = 0;
    std::uint64_t served = 0;
    std::uint64_t late = 0;  ///< of those served, more than `late_after` after their arrival
    std::uint64_t refused = 0;
    std::uint64_t attempts = 0;
};

class World {
public:
    World(Config config, std::uint64_t seed)
        : now_(Instant{} + std::chrono::seconds(1000)), engine_(std::move(config), seed, now_) {}

    Duration late_after = std::chrono::seconds(3);
    std::string model;
    std::string home = "us-east-1";

    void add(Behaviour behaviour, Duration from = {}) {
        behaviours_.push_back(std::move(behaviour));
        const std::size_t who = behaviours_.size() - 1;
        at(now_ + from, [this, who] { arrive(who); });
    }
    void at(Instant when, std::function<void()> what) {
        events_.push({when, ++sequence_, std::move(what)});
    }

    void run(Duration length) {
        const Instant end = now_ + length;
        for (;;) {
            advance();
            const auto wake = engine_.next_wake();
            Instant next = events_.empty() ? Instant::max() : events_.top().when;
            const bool event = !wake || next <= *wake;
            next = event ? next : *wake;
            if (next > end) {
                break;
            }
            now_ = std::max(now_, next);
            if (event) {
                const auto what = events_.top().what;
                events_.pop();
                what();
            }
        }
        now_ = end;
    }

    Instant now() const { return now_; }
    Engine& engine() { return engine_; }
    const Tally& of(const std::string& client) { return tallies_[client]; }
    Status status() { return engine_.status(now_); }

private:
    struct Event {
        Instant when;
        std::uint64_t sequence;
        std::function<void()> what;
        bool operator<(const Event& other) const {
            return when != other.when ? when > other.when : sequence > other.sequence;
        }
    };
    struct Flying {
        std::size_t who;
        Instant arrival;
        std::uint32_t attempt = 0;
        bool granted = false;
    };

    void arrive(std::size_t who) {
        Behaviour& b = behaviours_[who];
        at(now_ + b.every, [this, who] { arrive(who); });
        Call call;
        call.id = CallId{0, 0, ++generation_};
        call.client = b.name;
        call.model = model;
        call.home_region = home;
        call.input_estimate = 100;
        call.max_output = 100;
        call.arrival = now_;
        b.shape(call);
        ++tallies_[b.name].offered;
        flying_[generation_] = Flying{who, now_};
        decided(call.id, engine_.offer(call, now_));
    }

    void advance() {
        std::vector<Wake> woken;
        do {
            woken.clear();
            engine_.advance(now_, woken);
            for (const Wake& wake : woken) {
                decided(wake.id, wake.decision);
            }
        } while (!woken.empty());
    }

    void decided(CallId id, const Decision& decision) {
        Flying& call = flying_.at(id.generation);
        Tally& tally = tallies_[behaviours_[call.who].name];
        if (std::holds_alternative<Refusal>(decision)) {
            ++tally.refused;
            flying_.erase(id.generation);
            return;
        }
        if (std::holds_alternative<Wait>(decision)) {
            return;
        }
        const auto& grant = std::get<Grant>(decision);
        ++tally.attempts;
        const std::uint32_t attempt = ++call.attempt;
        engine_.sent(id, now_);
        const Behaviour& b = behaviours_[call.who];
        const Answer answer = b.answer(grant);
        if (b.leaves_after) {
            at(now_ + *b.leaves_after, [this, id, attempt] {
                if (current(id, attempt)) {
                    engine_.cancel(id, std::nullopt, now_);
                    flying_.erase(id.generation);
                }
            });
        }
        if (answer.begins) {
            at(now_ + answer.after / 2, [this, id, attempt] {
                if (current(id, attempt)) {
                    engine_.began(id, now_);
                }
            });
        }
        at(now_ + answer.after, [this, id, attempt, answer] { answered(id, attempt, answer); });
    }

    void answered(CallId id, std::uint32_t attempt, const Answer& answer) {
        if (!current(id, attempt)) {
            return;
        }
        if (answer.failure) {
            decided(id, engine_.report(id, *answer.failure, now_));
            return;
        }
        const Flying call = flying_.at(id.generation);
        Tally& tally = tallies_[behaviours_[call.who].name];
        ++tally.served;
        tally.late += now_ - call.arrival > late_after ? 1 : 0;
        engine_.settle(id, answer.usage, now_);
        flying_.erase(id.generation);
    }

    bool current(CallId id, std::uint32_t attempt) const {
        const auto known = flying_.find(id.generation);
        return known != flying_.end() && known->second.attempt == attempt;
    }

    Instant now_;
    Engine engine_;
    std::vector<Behaviour> behaviours_;
    std::map<std::string, Tally> tallies_;
    std::map<std::uint64_t, Flying> flying_;
    std::priority_queue<Event> events_;
    std::uint64_t sequence_ = 0;
    std::uint64_t generation_ = 0;
};

}  // namespace weir::test
