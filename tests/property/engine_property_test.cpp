// What must hold whatever happens in whatever order.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <map>
#include <set>
#include <vector>

#include "property/random_source.h"
#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Dice;

const std::string kProfile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/p";

constexpr std::size_t kFailureClasses = 14;
static_assert(static_cast<std::size_t>(FailureClass::caller) + 1 == kFailureClasses);

Config random_config(Dice& dice) {
    Config c;
    c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
    c.default_region = "us-east-1";
    RouteConfig route;
    route.model = kSonnet;
    route.targets = {{"us-east-1", ""}, {"us-west-2", ""}};
    if (dice.one_in(2)) {
        route.targets.push_back({"us-east-1", kHaiku});
    }
    if (dice.one_in(2)) {
        for (RouteTarget& target : route.targets) {
            target.tier = static_cast<Tier>(dice.below(5));
        }
        RouteTarget mantle;
        mantle.region = "us-west-2";
        mantle.endpoint = Endpoint::mantle;
        mantle.profiles = {{kProfile, "anthropic.claude-sonnet-4-5-20250929-v1:0"}};
        route.targets.insert(route.targets.begin() + static_cast<std::ptrdiff_t>(dice.below(3)),
                             mantle);
        for (RouteTarget& target : route.targets) {
            if (target.endpoint == Endpoint::runtime && dice.one_in(2)) {
                target.guardrails = {{"gr-a", "gr-b"}};
            }
        }
        QuotaConfig q;
        q.models = {"anthropic.claude-sonnet-4-5-20250929-v1:0"};
        q.endpoint = Endpoint::mantle;
        q.input_tokens_per_minute = 10'000 + dice.below(50'000);
        q.output_tokens_per_minute = 1'000 + dice.below(20'000);
        c.quotas.push_back(q);
    }
    c.routes.push_back(route);
    if (!dice.one_in(4)) {
        QuotaConfig q;
        q.models = {kSonnet};
        q.tokens_per_minute = 20'000 + dice.below(100'000);
        if (dice.one_in(2)) {
            q.requests_per_minute = 5 + dice.below(100);
        }
        if (dice.one_in(3)) {
            q.tokens_per_day = 1'000'000 + dice.below(1'000'000);
        }
        c.quotas.push_back(q);
    }
    ClientConfig limited;
    limited.name = "limited";
    limited.tokens_per_minute = 30'000;
    limited.requests_per_minute = 20;
    ClientConfig big;
    big.name = "big";
    big.share = 3;
    ClientConfig east;
    east.name = "east";
    east.regions = {"us-east-1"};
    ClientConfig sonnet;
    sonnet.name = "sonnet";
    sonnet.models = {"*claude-sonnet*"};
    c.clients = {limited, big, east, sonnet};
    c.queue.max_waiting = 200;
    if (dice.one_in(3)) {
        c.pool.max_connections = 8;
    }
    return c;
}

struct Shadow {
    CallId id;
    enum { waiting, granted, sent, begun } state = waiting;
    Instant deadline;
    std::string home;
    std::string client;
    Reach reach = Reach::runtime;
    bool guarded = false;
    bool profiled = false;
};

/// Drives an engine with every event in random order and keeps its own books of what must be true.
class Driver {
public:
    explicit Driver(std::uint64_t seed)
        : dice_(seed), now_(Instant{} + 1000s), engine_(random_config(dice_), seed, now_) {}

    void run(int steps) {
        for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
            step();
            check();
        }
        drain();
    }

private:
    void decided(CallId id, const Decision& d) {
        const auto known = calls_.find(id.generation);
        const Shadow before = known != calls_.end() ? known->second : offered_;
        if (std::holds_alternative<Grant>(d)) {
            const auto& g = std::get<Grant>(d);
            ASSERT_NE(g.target, nullptr);
            ASSERT_FALSE(g.target->region.empty());
            const bool mantle = g.target->endpoint == Endpoint::mantle;
            ASSERT_TRUE(!mantle || before.reach != Reach::runtime);
            ASSERT_TRUE(mantle || before.reach != Reach::mantle);
            if (before.client == "east") {
                ASSERT_EQ(g.target->region, "us-east-1");
            }
            if (before.client == "sonnet") {
                ASSERT_NE(g.target->model.find("claude-sonnet"), std::string::npos);
            }
            if (before.guarded) {
                ASSERT_FALSE(mantle) << "a guardrail is never dropped";
                ASSERT_NE(g.target->region == before.home, !g.guardrail.empty());
            }
            if (before.profiled) {
                ASSERT_NE(g.target->region == before.home && !mantle, !g.profile.empty());
            }
            calls_[id.generation] = before;
            calls_[id.generation].state = Shadow::granted;
        } else if (std::holds_alternative<Wait>(d)) {
            calls_[id.generation] = before;
            calls_[id.generation].state = Shadow::waiting;
        } else {
            calls_.erase(id.generation);
        }
    }

    Shadow* any(std::initializer_list<int> states) {
        std::vector<Shadow*> fit;
        for (auto& [g, s] : calls_) {
            for (const int st : states) {
                if (s.state == st) {
                    fit.push_back(&s);
                }
            }
        }
        return fit.empty() ? nullptr : fit[dice_.below(fit.size())];
    }

    void offer() {
        Call call;
        call.id = CallId{static_cast<std::uint32_t>(dice_.below(3)),
                         static_cast<std::uint32_t>(dice_.below(100)), ++generation_};
        static const std::vector<std::string> kClients = {"",       "big", "limited", "east",
                                                          "sonnet", "a",   "b",       "c"};
        call.client = kClients[dice_.below(kClients.size())];
        call.priority = static_cast<Priority>(dice_.below(3));
        const std::string stray = "some.model-" + std::to_string(dice_.below(5));
        call.model = dice_.one_in(6) ? stray : kSonnet;
        call.home_region = dice_.one_in(2) ? "us-east-1" : "us-west-2";
        call.converse = !dice_.one_in(3);
        call.stream = dice_.one_in(2);
        call.region_bound = dice_.one_in(8);
        call.input_estimate = dice_.one_in(50) ? dice_.engine() : dice_.below(5000);
        if (!dice_.one_in(5)) {
            call.max_output = dice_.one_in(60) ? dice_.engine() : dice_.below(8000);
        }
        call.bytes = dice_.below(1000);
        call.arrival = now_;
        if (dice_.one_in(4)) {
            call.deadline = std::chrono::milliseconds(dice_.below(60'000));
        }
        const std::string invocation = "inv-" + std::to_string(dice_.below(40));
        if (dice_.one_in(3)) {
            call.invocation = invocation;
        }
        call.reach = static_cast<Reach>(dice_.below(3));
        if (dice_.one_in(5)) {
            call.guardrail = dice_.one_in(2) ? "gr-a" : "gr-other";
        }
        if (dice_.one_in(5)) {
            call.profile = kProfile;
        }
        const Instant deadline = now_ + call.deadline.value_or(55s);
        offered_ = Shadow{call.id,
                          Shadow::waiting,
                          deadline,
                          std::string(call.home_region),
                          std::string(call.client),
                          call.reach,
                          !call.guardrail.empty(),
                          !call.profile.empty()};
        decided(call.id, engine_.offer(call, now_));
    }

    Failure random_failure(bool begun) {
        Failure f;
        f.cls = static_cast<FailureClass>(dice_.below(kFailureClasses));
        f.stage = begun ? Stage::begun : (dice_.one_in(4) ? Stage::not_sent : Stage::sent);
        static constexpr int kStatuses[] = {400, 403, 404, 408, 500};
        f.status = kStatuses[dice_.below(std::size(kStatuses))];
        f.blameless = dice_.one_in(10);
        if (f.status == 400 && dice_.one_in(2)) {
            f.message = "Invocation of model ID x with on-demand throughput isn't supported.";
        }
        if (dice_.one_in(5)) {
            f.retry_after = std::chrono::milliseconds(dice_.below(20'000));
        }
        if (dice_.one_in(4)) {
            f.seen = random_usage();
        }
        return f;
    }

    Usage random_usage() {
        Usage u;
        u.input = dice_.one_in(50) ? dice_.engine() : dice_.below(6000);
        u.output = dice_.one_in(50) ? dice_.engine() : dice_.below(2000);
        u.cache_read = dice_.below(100);
        u.known = !dice_.one_in(5);
        return u;
    }

    void advance() {
        std::vector<Wake> woken;
        for (;;) {
            woken.clear();
            engine_.advance(now_, woken);
            ASSERT_LE(woken.size(), 64U);
            for (const Wake& w : woken) {
                const auto at = calls_.find(w.id.generation);
                ASSERT_NE(at, calls_.end()) << "a wake for a call that has ended";
                ASSERT_EQ(at->second.state, Shadow::waiting) << "a wake for a call not waiting";
                ASSERT_FALSE(std::holds_alternative<Wait>(w.decision));
                if (std::holds_alternative<Grant>(w.decision)) {
                    ASSERT_LE(now_, at->second.deadline) << "granted past its deadline";
                }
                decided(w.id, w.decision);
            }
            if (woken.size() < 64) {
                break;
            }
        }
        const auto next = engine_.next_wake();
        ASSERT_TRUE(!next || *next > now_) << "would spin";
    }

    void step() {
        switch (dice_.below(14)) {
            case 0:
            case 1:
            case 2:
            case 3:
                offer();
                break;
            case 4:
            case 5:
                if (Shadow* s = any({Shadow::granted})) {
                    engine_.sent(s->id, now_);
                    s->state = Shadow::sent;
                }
                break;
            case 6:
                if (Shadow* s = any({Shadow::granted, Shadow::sent})) {
                    engine_.began(s->id, now_);
                    s->state = Shadow::begun;
                }
                break;
            case 7:
            case 8:
                if (Shadow* s = any({Shadow::granted, Shadow::sent, Shadow::begun})) {
                    const CallId id = s->id;
                    engine_.settle(id, random_usage(), now_);
                    calls_.erase(id.generation);
                }
                break;
            case 9:
            case 10:
                if (Shadow* s = any({Shadow::granted, Shadow::sent, Shadow::begun})) {
                    const bool begun = s->state == Shadow::begun;
                    const Shadow copy = *s;
                    const Decision d = engine_.report(copy.id, random_failure(begun), now_);
                    if (begun) {
                        ASSERT_TRUE(std::holds_alternative<Refusal>(d));
                    }
                    decided(copy.id, d);
                }
                break;
            case 11:
                if (Shadow* s = any({0, 1, 2, 3})) {
                    const CallId id = s->id;
                    std::optional<Usage> seen;
                    if (dice_.one_in(2)) {
                        seen = random_usage();
                    }
                    engine_.cancel(id, seen, now_);
                    calls_.erase(id.generation);
                }
                break;
            case 12: {
                // Word of calls that are unknown or have ended must change nothing.
                const CallId ghost{9, 9, 1'000'000'000 + dice_.below(100)};
                engine_.sent(ghost, now_);
                engine_.began(ghost, now_);
                engine_.settle(ghost, random_usage(), now_);
                engine_.cancel(ghost, std::nullopt, now_);
                if (dice_.one_in(20)) {
                    engine_.reconfigure(random_config(dice_), now_);
                    advance();  // whoever has nowhere to go now is told so
                }
                break;
            }
            default: {
                const auto next = engine_.next_wake();
                if (next && dice_.one_in(2)) {
                    now_ = std::max(now_, *next);
                } else if (dice_.one_in(50)) {
                    now_ += std::chrono::minutes(dice_.below(300));
                } else {
                    now_ += std::chrono::microseconds(dice_.below(2'000'000));
                }
            }
        }
        if (!::testing::Test::HasFailure() && dice_.one_in(2)) {
            advance();
        }
    }

    void check() {
        if (!dice_.one_in(10)) {
            return;
        }
        const Status s = engine_.status(now_);
        std::uint64_t waiting = 0;
        for (const auto& [g, c] : calls_) {
            waiting += c.state == Shadow::waiting ? 1 : 0;
        }
        ASSERT_EQ(s.waiting_calls, waiting);
        ASSERT_EQ(s.in_flight, calls_.size() - waiting);
    }

    void drain() {
        // Everybody in flight finishes, everybody waiting gets an answer in bounded time.
        for (int round = 0; round < 5000 && !calls_.empty(); ++round) {
            if (::testing::Test::HasFailure()) {
                return;
            }
            advance();
            std::vector<CallId> flying;
            for (const auto& [g, c] : calls_) {
                if (c.state != Shadow::waiting) {
                    flying.push_back(c.id);
                }
            }
            for (const CallId& id : flying) {
                engine_.settle(id, Usage{10, 10, 0, 0, true}, now_);
                calls_.erase(id.generation);
            }
            if (calls_.empty()) {
                break;
            }
            advance();
            const auto next = engine_.next_wake();
            bool waiting_only = true;
            for (const auto& [g, c] : calls_) {
                waiting_only = waiting_only && c.state == Shadow::waiting;
            }
            if (waiting_only && !calls_.empty()) {
                ASSERT_TRUE(next.has_value()) << "stalled: " << calls_.size();
                now_ = std::max(now_, *next);
            }
        }
        ASSERT_TRUE(calls_.empty());
        const Status s = engine_.status(now_);
        ASSERT_EQ(s.in_flight, 0U);
        ASSERT_EQ(s.waiting_calls, 0U);
        ASSERT_EQ(s.waiting_bytes, 0U);
        for (const TargetStatus& t : s.targets) {
            ASSERT_EQ(t.in_flight, 0U);
            for (const LimitStatus& l : t.limits) {
                ASSERT_EQ(l.reserved, 0U);
            }
        }
    }

    Dice dice_;
    Instant now_;
    Engine engine_;
    std::map<std::uint64_t, Shadow> calls_;
    Shadow offered_;
    std::uint64_t generation_ = 0;
};

TEST(EngineProperty, EveryCallAndGrantEndsOnceUnderAnyInterleaving) {
    const std::uint64_t seed = test::seed_for("interleavings", 20261124);
    for (std::uint64_t i = 0; i < 60 && !HasFailure(); ++i) {
        SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed + i));
        Driver(seed + i).run(3000);
    }
}

}  // namespace
}  // namespace weir
