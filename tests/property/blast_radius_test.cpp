// What one client does is not felt by another that stays within its share.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "property/random_source.h"
#include "property/world.h"
#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Behaviour;
using test::Dice;
using test::World;

enum class Attack : std::uint8_t { fails, unfit, breaks, leaves, giants, floods, mixed };
constexpr std::array kAttacks = {Attack::fails,  Attack::unfit,  Attack::breaks, Attack::leaves,
                                 Attack::giants, Attack::floods, Attack::mixed};

Config random_routes(Dice& dice) {
    Config c;
    c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
    c.default_region = "us-east-1";
    if (dice.one_in(2)) {
        RouteConfig route;
        route.model = kSonnet;
        route.targets = {{"us-east-1", ""}, {"us-west-2", ""}};
        c.routes.push_back(route);
    }
    if (dice.one_in(2)) {
        QuotaConfig q;
        q.models = {kSonnet};
        q.tokens_per_minute = 200'000;
        q.requests_per_minute = 1000;
        c.quotas.push_back(q);
    }
    return c;
}

/// Any failure of a caller's making, each class in turn.
Failure random_failure(Dice& dice) {
    static constexpr std::array kClasses = {
        std::pair(FailureClass::server, 500),     std::pair(FailureClass::capacity, 503),
        std::pair(FailureClass::overloaded, 529), std::pair(FailureClass::timeout, 0),
        std::pair(FailureClass::reset, 0),        std::pair(FailureClass::slow_model, 408),
        std::pair(FailureClass::caller, 400),     std::pair(FailureClass::caller, 403),
        std::pair(FailureClass::caller, 404),     std::pair(FailureClass::broken, 0)};
    Failure f;
    std::tie(f.cls, f.status) = kClasses[dice.below(kClasses.size())];
    f.stage = f.cls == FailureClass::broken ? Stage::begun : Stage::sent;
    return f;
}

Behaviour attacker(Attack attack, const std::shared_ptr<Dice>& dice) {
    Behaviour b;
    b.name = "attacker";
    b.every = std::chrono::milliseconds(50 + dice->below(1500));
    const auto failing = [](FailureClass cls, int status) {
        return [cls, status](const Grant&) { return Answer::failed(cls, status); };
    };
    switch (attack) {
        case Attack::fails:
            b.answer = failing(FailureClass::server, 500);
            break;
        case Attack::unfit:
            b.answer = failing(FailureClass::caller, 404);
            break;
        case Attack::breaks:
            b.answer = [](const Grant&) {
                Answer a = Answer::failed(FailureClass::broken, 0);
                a.failure->stage = Stage::begun;
                a.begins = true;
                return a;
            };
            break;
        case Attack::leaves:
            b.leaves_after = std::chrono::milliseconds(20 + dice->below(150));
            break;
        case Attack::giants:
            b.every *= 10;
            b.shape = [](Call& c) { c.max_output = 60'000; };
            break;
        case Attack::floods:
            b.every = 10ms;
            break;
        case Attack::mixed:
            b.shape = [dice](Call& c) {
                c.max_output = dice->below(20'000);
                c.stream = dice->one_in(2);
                c.priority = static_cast<Priority>(dice->below(kPriorities));
            };
            b.answer = [dice](const Grant&) {
                Answer a;
                if (!dice->one_in(3)) {
                    a.after = std::chrono::milliseconds(dice->below(400) + 1);
                    a.failure = random_failure(*dice);
                    a.begins = a.failure->stage == Stage::begun;
                }
                return a;
            };
            break;
    }
    return b;
}

TEST(BlastRadius, AClientWithinItsShareGetsWhatItWouldHaveHadAlone) {
    const std::uint64_t seed = test::seed_for("blast radius", 20261128);
    for (std::uint64_t i = 0; i < 42 && !HasFailure(); ++i) {
        const Attack attack = kAttacks[i % kAttacks.size()];
        SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed + i) + " attack " +
                     std::to_string(static_cast<int>(attack)));
        std::array<test::Tally, 2> victim;
        for (const bool attacked : {false, true}) {
            auto dice = std::make_shared<Dice>(seed + i);
            World world(random_routes(*dice), seed + i);
            world.model = kSonnet;
            world.late_after = 5s;
            world.add({.name = "victim",
                       .every = std::chrono::milliseconds(400 + dice->below(3000)),
                       .shape = [](Call& c) { c.priority = Priority::interactive; }});
            Behaviour other = attacker(attack, dice);
            if (attacked) {
                world.add(std::move(other), std::chrono::milliseconds(dice->below(1000)));
            }
            world.run(300s);
            victim[attacked ? 1 : 0] = world.of("victim");
        }
        ASSERT_GT(victim[0].served, 50U);
        const auto alone = static_cast<double>(victim[0].served);
        // Up to three are a quota's: the other has used it up, and they still wait at the end or
        // were told that they would wait too long.
        EXPECT_GE(static_cast<double>(victim[1].served), 0.99 * alone - 3);
        if (attack != Attack::mixed && attack != Attack::giants) {
            EXPECT_EQ(victim[1].refused, 0U);
            EXPECT_LE(static_cast<double>(victim[1].late), 0.01 * alone);
        }
    }
}

}  // namespace
}  // namespace weir
