// Many engines on one quota, with messages that are late or lost, engines that pause and end, and
// books that are cut off or begin anew: what the service counts is within the quota in any window.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "plan/book_model.h"
#include "property/random_source.h"
#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Dice;

/// What the service counts: a sliding window, by the time at which a request reached it.
class Ledger {
public:
    explicit Ledger(Duration window) : window_(window) {}

    void take(std::uint64_t call, std::int64_t held, Instant at) {
        calls_[call] = {at, held};
        used_ += held;
        order_.push_back({at, call});
    }
    void settle(std::uint64_t call, std::int64_t actual) {
        if (const auto found = calls_.find(call); found != calls_.end()) {
            used_ += actual - found->second.second;
            found->second.second = actual;
        }
    }
    std::int64_t used(Instant now) {
        while (!order_.empty() && order_.front().first + window_ <= now) {
            used_ -= calls_[order_.front().second].second;
            calls_.erase(order_.front().second);
            order_.pop_front();
        }
        return used_;
    }

private:
    Duration window_;
    std::map<std::uint64_t, std::pair<Instant, std::int64_t>> calls_;
    std::deque<std::pair<Instant, std::uint64_t>> order_;
    std::int64_t used_ = 0;
};

struct Faults {
    bool losses = false;   ///< messages are lost or late, and late ones still arrive
    bool pauses = false;   ///< an instance does nothing for a while
    bool crashes = false;  ///< an instance ends, and another one begins
    bool cuts = false;     ///< nobody reaches the books for a while
    bool resets = false;   ///< the books are lost and begin anew
    bool parts = false;    ///< some do not reach the books for a while, the others do
};

struct Shape {
    Duration window = 60s;
    std::uint64_t max_output = 1'000;  ///< of most calls
};

class BooksWorld {
public:
    BooksWorld(std::uint64_t seed, std::size_t instances, Faults faults, Shape shape)
        : dice_(seed),
          faults_(faults),
          shape_(shape),
          limit_(150'000 + dice_.below(150'000)),
          ledger_(shape.window) {
        config_.quota_window = shape.window;
        config_.default_region = "us-east-1";
        config_.regions["us-east-1"] = {};
        config_.shared = SharedConfig{};
        QuotaConfig quota;
        quota.models = {kSonnet};
        quota.tokens_per_minute = limit_;
        quota.requests_per_minute = 300;
        quota.output_burndown = 1;
        config_.quotas.push_back(quota);
        for (std::size_t i = 0; i < instances; ++i) {
            begin_instance();
        }
    }

    void run(Duration length) {
        Instant next_arrival = kStart;
        Instant next_fault = kStart + 5s;
        while (now_ < kStart + length) {
            Instant next = std::min(next_arrival, next_fault);
            if (!events_.empty()) {
                next = std::min(next, events_.top().at);
            }
            std::size_t due = instances_.size();
            for (std::size_t i = 0; i < instances_.size(); ++i) {
                const Instant at = wake_of(i);
                if (at < next) {
                    next = at;
                    due = i;
                }
            }
            now_ = std::max(now_, next);
            if (due < instances_.size()) {
                now_ += 1us;
                advance(due);
            } else if (!events_.empty() && events_.top().at <= next) {
                const Event event = events_.top();
                events_.pop();
                happen(event);
            } else if (next_arrival <= next) {
                arrive();
                // Twice what the quota allows, most of it at one instance.
                next_arrival += from_seconds(dice_.uniform() * to_seconds(shape_.window) * 1200 /
                                             static_cast<double>(limit_));
            } else {
                fault();
                next_fault += from_seconds(1 + 10 * dice_.uniform());
            }
        }
    }

    std::int64_t most_over() const { return most_over_; }
    std::uint64_t served() const { return served_; }
    double used_in_the_mean() const { return used_sum_ / static_cast<double>(used_count_); }

private:
    enum Kind { reach, complete, to_books, from_books, no_answer };
    struct Event {
        Instant at;
        Kind kind;
        std::uint64_t number;
        std::uint64_t order;
        bool operator>(const Event& o) const { return at != o.at ? at > o.at : order > o.order; }
    };
    struct Instance {
        std::unique_ptr<Engine> engine;
        std::string name;
        Instant asleep_until{};
        Instant cut_until{};
        bool heard = false;                            ///< the books have answered it
        std::map<std::string, std::uint64_t> waiting;  ///< exchanges, by quota
    };
    struct Caller {
        std::size_t instance;
        std::string name;  ///< of the instance then
        CallId id;
        std::int64_t input;
        std::int64_t max_output;
        std::int64_t output;
    };
    struct Message {
        std::size_t instance;
        std::string name;
        BookExchange asked;
        BookAnswer answer;
        bool answered = false;
    };

    void begin_instance() {
        instances_.push_back({std::make_unique<Engine>(config_, dice_.engine(), now_),
                              "i" + std::to_string(names_++),
                              {},
                              {},
                              false,
                              {}});
    }
    Instant wake_of(std::size_t i) const {
        const Engine& e = *instances_[i].engine;
        const Instant at = std::min(e.next_wake().value_or(Instant::max()),
                                    e.exchange_due().value_or(Instant::max()));
        return at == Instant::max() ? at : std::max({at, instances_[i].asleep_until, now_});
    }
    void add(Duration in, Kind kind, std::uint64_t number) {
        events_.push({now_ + in, kind, number, order_++});
    }
    bool awake(std::size_t i) const { return instances_[i].asleep_until <= now_; }

    void arrive() {
        const std::size_t i = dice_.one_in(3) ? dice_.below(instances_.size()) : 0;
        if (!awake(i)) {
            return;
        }
        Caller caller{i, instances_[i].name, {}, 0, 0, 0};
        caller.input = 100 + static_cast<std::int64_t>(dice_.below(800));
        caller.max_output =
            dice_.one_in(20) ? 40'000 : static_cast<std::int64_t>(shape_.max_output);
        caller.output = 1 + static_cast<std::int64_t>(dice_.below(900));
        caller.id = {0, static_cast<std::uint32_t>(callers_.size()), 1};
        Call call;
        call.id = caller.id;
        const std::string client = "c" + std::to_string(dice_.below(4));
        call.client = client;
        call.model = kSonnet;
        call.home_region = "us-east-1";
        call.stream = true;
        call.input_estimate = static_cast<std::uint64_t>(caller.input);
        call.max_output = static_cast<std::uint64_t>(caller.max_output);
        call.arrival = now_;
        callers_.push_back(caller);
        act(callers_.size() - 1, instances_[i].engine->offer(call, now_));
    }

    void act(std::uint64_t number, const Decision& decision) {
        if (std::holds_alternative<Grant>(decision)) {
            const Caller& caller = callers_[number];
            instances_[caller.instance].engine->sent(caller.id, now_);
            add(1ms, reach, number);
        }
    }

    void advance(std::size_t i) {
        if (!awake(i)) {
            return;
        }
        std::vector<Wake> woken;
        do {
            woken.clear();
            instances_[i].engine->advance(now_, woken);
            for (const Wake& w : woken) {
                act(w.id.slot, w.decision);
            }
        } while (woken.size() == 64);
        for (BookExchange& asked : instances_[i].engine->exchanges(now_)) {
            const std::uint64_t number = messages_.size();
            instances_[i].waiting[asked.quota] = number;
            messages_.push_back({i, instances_[i].name, std::move(asked), {}});
            const bool cut = now_ < std::max(cut_until_, instances_[i].cut_until);
            if (!cut && !(faults_.losses && dice_.one_in(30))) {
                add(latency(), to_books, number);
            }
            add(50ms, no_answer, number);
        }
    }
    Duration latency() {
        if (faults_.losses && dice_.one_in(40)) {
            return from_seconds(3 * dice_.uniform());
        }
        return from_seconds(0.0001 + 0.001 * dice_.uniform());
    }

    void happen(const Event& event) {
        switch (event.kind) {
            case reach: {
                const Caller& caller = callers_[event.number];
                ledger_.take(event.number, caller.input + caller.max_output, now_);
                const auto used = ledger_.used(now_);
                most_over_ = std::max(most_over_, used - static_cast<std::int64_t>(limit_));
                used_sum_ += static_cast<double>(used) / static_cast<double>(limit_);
                ++used_count_;
                ++served_;
                add(500ms + from_seconds(static_cast<double>(caller.output) / 200), complete,
                    event.number);
                return;
            }
            case complete: {
                const Caller& caller = callers_[event.number];
                ledger_.settle(event.number, caller.input + caller.output);
                Instance& instance = instances_[caller.instance];
                if (instance.name != caller.name) {
                    return;
                }
                if (!awake(caller.instance)) {
                    events_.push({instance.asleep_until, complete, event.number, order_++});
                    return;
                }
                instance.engine->began(caller.id, now_);
                instance.engine->settle(
                    caller.id,
                    Usage{static_cast<std::uint64_t>(caller.input),
                          static_cast<std::uint64_t>(caller.output), 0, 0, true},
                    now_);
                return advance(caller.instance);
            }
            case to_books: {
                Message& message = messages_[event.number];
                message.answer = books_[message.asked.quota].exchange(message.name, message.asked,
                                                                      (now_ - kStart) / 1us + 1);
                message.answered = true;
                if (!(faults_.losses && dice_.one_in(30)) &&
                    now_ >= instances_[message.instance].cut_until) {
                    add(latency(), from_books, event.number);
                }
                return;
            }
            case from_books:
            case no_answer: {
                Message& message = messages_[event.number];
                Instance& instance = instances_[message.instance];
                if (instance.name != message.name) {
                    return;
                }
                const auto waiting = instance.waiting.find(message.asked.quota);
                if (waiting == instance.waiting.end() || waiting->second != event.number) {
                    return;  // it has been answered, or given up
                }
                if (!awake(message.instance)) {
                    events_.push({instance.asleep_until, event.kind, event.number, order_++});
                    return;
                }
                instance.waiting.erase(waiting);
                if (event.kind == from_books) {
                    instance.heard = true;
                    instance.engine->answered(message.answer, now_);
                } else {
                    instance.engine->unanswered(message.asked.quota, now_);
                }
                return advance(message.instance);
            }
        }
    }

    void fault() {
        if (faults_.pauses && dice_.one_in(3)) {
            // Not longer than 25 s in one go: the books take it to be dead then, and what it sent
            // alone before that, and has told nobody, is forgotten.
            const std::size_t i = dice_.below(instances_.size());
            if (awake(i) && instances_[i].cut_until + 2s < now_) {
                instances_[i].asleep_until = now_ + from_seconds(25 * dice_.uniform());
            }
        }
        // One at a time: what an instance did alone dies with it, and one that has never heard of
        // the books does not know how many there are.
        const bool cut = now_ < cut_until_ + 70s || now_ < crashed_ + 20s;
        if (faults_.crashes && !cut && dice_.one_in(4)) {
            Instance& gone = instances_[dice_.below(instances_.size())];
            if (gone.cut_until + 2s >= now_) {
                return;
            }
            gone.engine = std::make_unique<Engine>(config_, dice_.engine(), now_);
            gone.name = "i" + std::to_string(names_++);
            gone.waiting.clear();
            gone.heard = false;
            gone.cut_until = kStart;
            crashed_ = now_;
            return;
        }
        const bool known = std::ranges::all_of(instances_, &Instance::heard);
        if (faults_.cuts && !cut && dice_.one_in(4) && known) {
            cut_until_ = now_ + from_seconds(30 * dice_.uniform());
        }
        if (faults_.parts && dice_.one_in(3) && known) {
            // Shorter than it takes to be dead, the beat and the way included.
            Instance& part = instances_[dice_.below(instances_.size())];
            if (std::max(part.cut_until, part.asleep_until) + 2s < now_) {
                part.cut_until = now_ + from_seconds(22 * dice_.uniform());
            }
        }
        if (faults_.resets && dice_.one_in(8)) {
            books_.clear();
        }
    }

    static constexpr Instant kStart = Instant{} + 5000s;

    Dice dice_;
    Faults faults_;
    Shape shape_;
    std::uint64_t limit_;
    Config config_;
    Instant now_ = kStart;
    std::vector<Instance> instances_;
    std::uint64_t names_ = 0;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t order_ = 0;
    std::deque<Caller> callers_;
    std::deque<Message> messages_;
    std::map<std::string, plan::BookModel> books_;
    Instant cut_until_ = kStart - 100s;
    Instant crashed_ = kStart - 100s;
    Ledger ledger_;
    std::int64_t most_over_ = INT64_MIN;
    std::uint64_t served_ = 0;
    double used_sum_ = 0;
    std::uint64_t used_count_ = 0;
};

void play(Faults faults, double least_use, Shape shape = {}) {
    const std::uint64_t base = test::seed_for("shared books", 1);
    for (std::uint64_t round = 0; round < test::draws(6); ++round) {
        const std::uint64_t seed = base + round;
        SCOPED_TRACE("seed " + std::to_string(seed));
        BooksWorld world(seed, 2 + seed % 4, faults, shape);
        world.run(240s);
        std::printf("seed %llu: over %lld, served %llu, use %.2f\n",
                    static_cast<unsigned long long>(seed),
                    static_cast<long long>(world.most_over()),
                    static_cast<unsigned long long>(world.served()), world.used_in_the_mean());
        EXPECT_LE(world.most_over(), 0);
        EXPECT_GE(world.used_in_the_mean(), least_use);
    }
}

TEST(SharedBooks, StayWithinTheQuota) {
    play({}, 0.8);
}

TEST(SharedBooks, WhateverIsLostOrLate) {
    play({.losses = true}, 0.6);
}

TEST(SharedBooks, WhoeverPauses) {
    play({.losses = true, .pauses = true}, 0.5);
}

TEST(SharedBooks, WhoeverEnds) {
    play({.losses = true, .crashes = true}, 0.5);
}

TEST(SharedBooks, WhenNobodyReachesThem) {
    play({.losses = true, .pauses = true, .crashes = true, .cuts = true}, 0.3);
}

TEST(SharedBooks, WhoeverIsCutOff) {
    play({.losses = true, .parts = true}, 0.4);
}

TEST(SharedBooks, WhoeverIsCutOffForWindows) {
    play({.losses = true, .parts = true}, 0.3, {.window = 6s, .max_output = 3'000});
}

TEST(SharedBooks, WhoeverIsCutOffOrPausesOrEnds) {
    play({.losses = true, .pauses = true, .crashes = true, .cuts = true, .parts = true}, 0.2,
         {.window = 6s, .max_output = 3'000});
}

TEST(SharedBooks, WhenTheyAreLost) {
    play({.losses = true, .resets = true}, 0.3);
}

TEST(SharedBooks, WhenTheyAreAwayAndLost) {
    play({.losses = true, .cuts = true, .resets = true}, 0.3, {.window = 6s, .max_output = 3'000});
}

}  // namespace
}  // namespace weir
