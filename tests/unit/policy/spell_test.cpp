// A spell of 429s, ridden out by everybody who waits, with a handful of probes.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <map>
#include <queue>
#include <string>
#include <vector>

namespace weir {
namespace {

using namespace std::chrono_literals;

struct Spell {
    Duration length{};
    int regions = 1;
    int models = 1;
    bool told = true;
    bool stream = true;
};

struct Outcome {
    int calls = 0;
    int served = 0;
    int most_refusals = 0;         ///< of a target
    Duration first_after{};        ///< the spell, of the slowest model
    std::size_t most_at_once = 0;  ///< sends to one target in 100 ms
};

/// Two calls a second and model, from 5 s before the spell; a refusal takes 20 ms, the head of an
/// answer 100 ms, an answer 3 s.
Outcome play(const Spell& spell, std::uint64_t seed) {
    Config config;
    config.default_region = "us-east-1";
    std::vector<std::string> regions{"us-east-1", "us-west-2"};
    regions.resize(static_cast<std::size_t>(spell.regions));
    for (const std::string& region : regions) {
        config.regions[region] = {};
    }
    for (int m = 0; m < spell.models; ++m) {
        const std::string model = "us.anthropic.claude-" + std::to_string(m);
        RouteConfig route;
        route.model = model;
        for (const std::string& region : regions) {
            route.targets.push_back({region, ""});
        }
        config.routes.push_back(route);
        if (spell.told) {
            QuotaConfig quota;
            quota.models = {model};
            quota.tokens_per_minute = 10'000'000;
            quota.requests_per_minute = 2000;
            config.quotas.push_back(quota);
        }
    }
    const Instant start = Instant{} + 1000s;
    const Instant from = start + 5s;
    const Instant to = from + spell.length;
    Engine engine(config, seed, start);

    enum Kind { arrive, refused, begun, complete };
    struct Event {
        Instant at;
        Kind kind;
        CallId id;
        bool operator>(const Event& other) const { return at > other.at; }
    };
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    std::uint32_t slot = 0;
    for (int m = 0; m < spell.models; ++m) {
        for (Duration at = 37ms * m; start + at < to + 10s; at += 500ms) {
            events.push({start + at, arrive, CallId{static_cast<std::uint16_t>(m), slot++, 1}});
        }
    }
    Outcome outcome;
    std::map<Target, int> refusals;
    std::map<int, Instant> first;
    std::map<std::pair<Target, std::int64_t>, std::size_t> sends;
    Instant now = start;
    const auto act = [&](CallId id, const Decision& decision) {
        const auto* grant = std::get_if<Grant>(&decision);
        if (grant == nullptr) {
            return;
        }
        engine.sent(id, now);
        if (now >= to) {
            auto& at_once = sends[{*grant->target, now.time_since_epoch() / 100ms}];
            outcome.most_at_once = std::max(outcome.most_at_once, ++at_once);
        }
        if (now >= from && now < to) {
            ++refusals[*grant->target];
            events.push({now + 20ms, refused, id});
            return;
        }
        if (now >= to) {
            first.try_emplace(id.worker, now);
        }
        if (spell.stream) {
            events.push({now + 100ms, begun, id});
        }
        events.push({now + 3s, complete, id});
    };
    for (;;) {
        const auto wake = engine.next_wake();
        if (events.empty() && !wake) {
            break;
        }
        if (!events.empty() && (!wake || events.top().at <= *wake)) {
            const Event event = events.top();
            events.pop();
            now = std::max(now, event.at);
            if (event.kind == arrive) {
                const auto model = "us.anthropic.claude-" + std::to_string(event.id.worker);
                Call call;
                call.id = event.id;
                call.model = model;
                call.home_region = "us-east-1";
                call.stream = spell.stream;
                call.input_estimate = 500;
                call.max_output = 500;
                call.arrival = now;
                ++outcome.calls;
                act(event.id, engine.offer(call, now));
            } else if (event.kind == refused) {
                Failure failure;
                failure.cls = FailureClass::quota_tokens;
                failure.stage = Stage::sent;
                failure.status = 429;
                act(event.id, engine.report(event.id, failure, now));
            } else if (event.kind == begun) {
                engine.began(event.id, now);
            } else {
                engine.settle(event.id, Usage{500, 100, 0, 0, true}, now);
                ++outcome.served;
            }
        } else {
            now = std::max(now, *wake) + 1us;
        }
        std::vector<Wake> woken;
        do {
            woken.clear();
            engine.advance(now, woken);
            for (const Wake& w : woken) {
                act(w.id, w.decision);
            }
        } while (woken.size() == 64);
    }
    for (const auto& [target, count] : refusals) {
        outcome.most_refusals = std::max(outcome.most_refusals, count);
    }
    for (int m = 0; m < spell.models; ++m) {
        outcome.first_after = std::max<Duration>(outcome.first_after,
                                                 first.contains(m) ? first[m] - to : Duration(1h));
    }
    return outcome;
}

TEST(Spells, AreRiddenOutByEverybody) {
    for (const Duration length : std::vector<Duration>{1s, 5s, 10s, 20s, 40s}) {
        for (const int regions : {1, 2}) {
            for (const int models : {1, 12}) {
                for (const bool told : {true, false}) {
                    for (const bool stream : {true, false}) {
                        const Outcome o = play({length, regions, models, told, stream}, 7);
                        SCOPED_TRACE(testing::Message()
                                     << to_seconds(length) << " s, " << regions << " Regions, "
                                     << models << " models, told " << told << ", stream "
                                     << stream);
                        EXPECT_EQ(o.served, o.calls);
                        EXPECT_LE(o.most_refusals, 12);
                        EXPECT_LE(o.first_after, 2s);
                        EXPECT_LE(o.most_at_once, 64U);
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace weir
