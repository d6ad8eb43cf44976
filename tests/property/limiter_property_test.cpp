// The limiter against a model with big integers and no buckets; fairness and classes on virtual
// time.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <deque>
#include <map>
#include <tuple>
#include <vector>

#include "policy/quota_pool.h"
#include "property/random_source.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using policy::QuotaPool;
using policy::Reservation;
using test::Dice;
using Big = __int128;

/// What the pool may not forget: every amount for a whole window from its stamp.
struct Model {
    struct Entry {
        Instant at;
        Big amount;
        bool surplus;
        bool held;
    };
    std::map<std::uint64_t, Entry> entries;
    std::uint64_t next = 0;

    Big used(Instant now, Duration window, bool surplus_too) const {
        Big sum = 0;
        for (const auto& [id, e] : entries) {
            if ((e.held || e.at + window > now) && (surplus_too || !e.surplus)) {
                sum += e.amount;
            }
        }
        return sum;
    }
};

TEST(LimiterProperty, GrantsOnlyWhatFitsAndExceedsOnlyBySurpluses) {
    const std::uint64_t seed = test::seed_for("limiter", 7);
    for (std::uint64_t round = 0; round < 40 && !HasFailure(); ++round) {
        SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed + round));
        Dice dice(seed + round);
        const Duration window = dice.one_in(2) ? Duration(60s) : Duration(6s);
        const std::uint64_t limit = 1000 + dice.below(100'000);
        QuotaPool pool(window, policy::Meter::Window::ours, {std::nullopt, limit, std::nullopt});
        Model model;
        struct Live {
            Reservation r;
            std::uint64_t entry;
        };
        std::vector<Live> live;
        Instant now = Instant{} + std::chrono::seconds(dice.below(100'000));
        for (int step = 0; step < 4000 && !HasFailure(); ++step) {
            now += std::chrono::microseconds(dice.below(window / 1us / 100));
            pool.tick(now);
            const std::uint64_t c = dice.below(limit / 4 + 10);
            if (dice.one_in(2) && pool.blocked_by(c) == LimitKind::none) {
                // What the service counts for certain, plus this, is within the limit.
                ASSERT_LE(model.used(now, window, true) + Big(c), Big(limit));
                const std::uint64_t id = model.next++;
                model.entries[id] = {now, Big(c), false, true};
                live.push_back({pool.hold(c), id});
            }
            if (live.empty()) {
                continue;
            }
            const std::size_t i = dice.below(live.size());
            Live& l = live[i];
            auto& entry = model.entries[l.entry];
            if (entry.held && dice.one_in(2)) {
                pool.sent(l.r, now);
                entry.at = now;
                entry.held = false;
            } else if (dice.one_in(3)) {
                const std::uint64_t a = dice.below(2 * l.r.tokens + 10);
                if (entry.held) {
                    entry.at = now;
                    entry.held = false;
                }
                if (Big(a) > entry.amount) {
                    model.entries[model.next++] = {now, Big(a) - entry.amount, true, false};
                }
                switch (dice.below(3)) {
                    case 0:
                        pool.give_back_tokens(l.r, now);
                        if (Big(a) > entry.amount) {
                            model.entries.erase(model.next - 1);
                        }
                        model.entries.erase(l.entry);
                        break;
                    case 1:
                        pool.keep(l.r, a, now);
                        break;
                    default:
                        pool.settle(l.r, a, now);
                        entry.amount = std::min(entry.amount, Big(a));
                }
                live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
            }
            // Never less than what the service still counts; without surpluses never over the
            // limit.
            const Big used = pool.meter(LimitKind::tokens).used();
            ASSERT_GE(used, model.used(now, window, true));
            const Duration longest = window + window / 600 + QuotaPool::slack_for(window);
            ASSERT_LE(used, model.used(now, longest, true));
            ASSERT_LE(model.used(now, window, false), Big(limit));
        }
    }
}

/// A backlogged engine with one target, driven until `until`, each answer taking a second.
struct Backlog {
    Config config;
    std::map<std::string, double> granted_tokens;
    std::map<Priority, double> granted_by_class;
    double total = 0;

    void run(std::uint64_t seed, const std::vector<std::tuple<std::string, Priority, int>>& who,
             bool equal_sizes) {
        Dice dice(seed);
        Instant now = Instant{} + 1000s;
        Engine engine(config, seed, now);
        std::uint64_t generation = 0;
        std::map<std::uint64_t, std::tuple<std::string, Priority>> owner;
        const auto offer = [&](const std::string& client, Priority priority) {
            Call call;
            call.id = CallId{0, 0, ++generation};
            call.client = client;
            call.priority = priority;
            call.model = "m";
            call.home_region = "r";
            call.input_estimate = 10;
            call.max_output = equal_sizes ? 1000 : 200 + dice.below(1800);
            call.arrival = now;
            call.deadline = 10h;
            owner[generation] = {client, priority};
            return std::pair(call.id, engine.offer(call, now));
        };
        std::deque<std::pair<Instant, CallId>> flying;
        const auto take = [&](CallId id, Decision d) {
            // The backlog does not end: each call that goes is followed by another.
            while (const auto* g = std::get_if<Grant>(&d)) {
                engine.sent(id, now);
                flying.emplace_back(now + 1s, id);
                const auto [client, priority] = owner[id.generation];
                if (now > Instant{} + 1120s) {
                    granted_tokens[client] += static_cast<double>(g->reservation);
                    granted_by_class[priority] += static_cast<double>(g->reservation);
                    total += static_cast<double>(g->reservation);
                }
                std::tie(id, d) = offer(client, priority);
            }
            ASSERT_TRUE(std::holds_alternative<Wait>(d));
        };
        for (const auto& [client, priority, depth] : who) {
            for (int i = 0; i < depth; ++i) {
                const auto [id, d] = offer(client, priority);
                take(id, d);
            }
        }
        while (now < Instant{} + 1000s + 20min) {
            std::vector<Wake> woken;
            engine.advance(now, woken);
            for (const Wake& w : woken) {
                take(w.id, w.decision);
            }
            Instant next = engine.next_wake().value_or(now + 1s);
            if (next <= now) {
                continue;
            }
            if (!flying.empty()) {
                next = std::min(next, flying.front().first);
            }
            now = next;
            while (!flying.empty() && flying.front().first <= now) {
                Usage u;
                u.known = false;
                engine.settle(flying.front().second, u, now);
                flying.pop_front();
            }
        }
    }
};

Config one_target() {
    Config c;
    c.regions["r"] = {};
    QuotaConfig q;
    q.models = {"m"};
    q.region = "r";
    q.tokens_per_minute = 100'000;
    c.quotas.push_back(q);
    c.queue.max_wait = 10h;
    return c;
}

TEST(FairnessProperty, BackloggedClientsGetTheirSharesWithinTheCountersBound) {
    const std::uint64_t seed = test::seed_for("fairness", 3);
    Backlog b;
    b.config = one_target();
    ClientConfig triple;
    triple.name = "triple";
    triple.share = 3;
    b.config.clients = {triple};
    b.run(seed,
          {{"triple", Priority::standard, 200},
           {"one", Priority::standard, 300},
           {"two", Priority::standard, 150}},
          false);
    // Two flows that are both backlogged differ by at most the largest call a piece, by share.
    const double bound = 2 * 2100;
    EXPECT_NEAR(b.granted_tokens["one"], b.granted_tokens["two"], bound);
    EXPECT_NEAR(b.granted_tokens["triple"] / 3, b.granted_tokens["one"], bound);
}

TEST(FairnessProperty, NoBackloggedClassStarves) {
    const std::uint64_t seed = test::seed_for("classes", 4);
    Backlog b;
    b.config = one_target();
    b.run(seed,
          {{"a", Priority::interactive, 300},
           {"b", Priority::standard, 300},
           {"c", Priority::batch, 300}},
          true);
    EXPECT_GE(b.granted_by_class[Priority::batch], 0.04 * b.total);
    EXPECT_GE(b.granted_by_class[Priority::standard], 0.04 * b.total);
    EXPECT_GE(b.granted_by_class[Priority::interactive], 0.85 * b.total);
}

}  // namespace
}  // namespace weir
