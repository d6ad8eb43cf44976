// The model of the service against one that adds everything up anew each time.
#include "plan/service.h"
#include "property/random_source.h"
#include "unit/plan/traces.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::plan {
namespace {

using namespace std::chrono_literals;

/// Keeps every charge for ever and adds up what counts.
class SlowWindow {
public:
    SlowWindow(Shape shape, std::int64_t limit, Duration phase)
        : shape_(shape), limit_(limit), phase_(phase) {}

    std::int64_t used(Duration now) const {
        std::int64_t sum = 0;
        for (const auto& [at, amount] : charges_) {
            const bool counts = shape_ == Shape::sliding
                                    ? at > now - 60s
                                    : (at + phase_) / 60s == (now + phase_) / 60s;
            sum += counts ? amount : 0;
        }
        return sum;
    }
    bool fits(std::int64_t amount, Duration now) const { return used(now) + amount <= limit_; }
    std::size_t charge(std::int64_t amount, Duration now) {
        charges_.emplace_back(now, amount);
        return charges_.size() - 1;
    }
    void settle(std::size_t charge, std::int64_t actual, Duration now) {
        const std::int64_t held = charges_[charge].second;
        if (actual > held) {
            charges_.emplace_back(now, actual - held);
        } else {
            charges_[charge].second = actual;
        }
    }

private:
    Shape shape_;
    std::int64_t limit_;
    Duration phase_;
    std::vector<std::pair<Duration, std::int64_t>> charges_;
};

TEST(PlanWindow, AgreesWithOneThatAddsEverythingUp) {
    weir::test::Dice dice(weir::test::seed_for("plan window", 3));
    for (const Shape shape : {Shape::sliding, Shape::clock_minute}) {
        const Duration phase = std::chrono::milliseconds(dice.below(60'000));
        Window fast({.shape = shape}, 10'000, phase);
        SlowWindow slow(shape, 10'000, phase);
        std::vector<std::pair<Window::Charge, std::size_t>> open;
        Duration now{};
        for (int i = 0; i < 4000; ++i) {
            now += std::chrono::milliseconds(dice.below(700));
            const auto amount = static_cast<std::int64_t>(dice.below(900));
            ASSERT_EQ(fast.used(now), slow.used(now)) << i;
            ASSERT_EQ(fast.fits(amount, now), slow.fits(amount, now)) << i;
            if (dice.one_in(40)) {
                fast.charge_refused(now);
                slow.charge(1, now);
            }
            if (slow.fits(amount, now)) {
                open.emplace_back(fast.charge(amount, now), slow.charge(amount, now));
            }
            if (!open.empty() && dice.one_in(2)) {
                const std::size_t any = dice.below(open.size());
                const auto actual = static_cast<std::int64_t>(dice.below(1000));
                fast.settle(open[any].first, actual, now);
                slow.settle(open[any].second, actual, now);
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(any));
            }
        }
    }
}

TEST(PlanWindow, ABucketRefillsEvenlyAndHoldsWhatItMay) {
    Window bucket({.shape = Shape::bucket, .burst = 10s}, 6000, 0s);
    EXPECT_EQ(bucket.capacity(), 1000);
    EXPECT_TRUE(bucket.fits(1000, 0s));
    EXPECT_FALSE(bucket.fits(1001, 0s));
    const auto charge = bucket.charge(1000, 0s);
    EXPECT_FALSE(bucket.fits(101, 1s));
    EXPECT_TRUE(bucket.fits(100, 1s));
    bucket.settle(charge, 200, 1s);
    EXPECT_TRUE(bucket.fits(900, 1s));
    EXPECT_FALSE(bucket.fits(1001, 1h));
    // A surplus takes it below nothing; refused calls do not.
    bucket.settle(bucket.charge(1000, 1h), 1500, 1h);
    EXPECT_EQ(bucket.used(1h), 1500);
    bucket.charge_refused(1h);
    EXPECT_EQ(bucket.used(1h), 1500);
    EXPECT_TRUE(bucket.fits(1000, 1h + 15s));
}

TEST(PlanWindow, NamesAreReadAndWritten) {
    for (const char* name : {"sliding", "clock", "bucket:60s", "bucket:10s", "bucket:1s"}) {
        const auto shape = parse_shape(name);
        ASSERT_TRUE(shape) << name;
        EXPECT_EQ(to_string(*shape), name);
    }
    for (const char* name : {"", "Sliding", "bucket", "bucket:", "bucket:0s", "bucket:10",
                             "bucket:3601s", "bucket:-1s", "bucket:10ms"}) {
        const auto shape = parse_shape(name);
        ASSERT_FALSE(shape) << name;
        EXPECT_NE(shape.error().message.find("bucket:10s"), std::string::npos);
    }
}

ServiceSetup setup_of(std::uint64_t tokens, std::optional<std::uint64_t> requests = {}) {
    Names names;
    return test::scenario_of("timestamp,input,output\n0,1,1\n", names, tokens, requests).service;
}

TEST(PlanService, HoldsAndSettles) {
    Service service(setup_of(10'000));
    const auto place = service.place("us-east-1", test::kModel);
    EXPECT_EQ(service.burndown(place), 5U);
    Service::Ticket a;
    Service::Ticket b;
    EXPECT_EQ(service.arrive(place, 1000, 5000, 0s, a), Answer::accepted);
    EXPECT_EQ(service.arrive(place, 1000, 3001, 1s, b), Answer::throttled_tokens);
    EXPECT_EQ(service.arrive(place, 1000, 3000, 1s, b), Answer::accepted);
    EXPECT_EQ(service.used(service.pool_of(place), 1s), 10'000);
    service.complete(place, a, 1000, 100, 5s);
    EXPECT_EQ(service.used(service.pool_of(place), 5s), 5500);
    // More than was held: the surplus counts from now on, for a whole window.
    service.complete(place, b, 1000, 1000, 6s);
    EXPECT_EQ(service.used(service.pool_of(place), 6s), 7500);
    EXPECT_EQ(service.used(service.pool_of(place), 60500ms), 6000);
    EXPECT_EQ(service.used(service.pool_of(place), 62s), 2000);
    EXPECT_EQ(service.report().front().settled, 7500U);
}

TEST(PlanService, RequestsOutagesAndPools) {
    ServiceSetup setup = setup_of(1'000'000, 2);
    setup.outages = {{"us-east-1", 100s, 200s, false}};
    setup.quotas.front().models.push_back("us.anthropic.claude-other");
    Service service(setup);
    const auto place = service.place("us-east-1", test::kModel);
    const auto other = service.place("us-east-1", "us.anthropic.claude-other");
    const auto west = service.place("us-west-2", test::kModel);
    const auto free = service.place("us-east-1", "amazon.nova-lite-v1:0");
    EXPECT_EQ(service.pool_of(place), service.pool_of(other));
    EXPECT_NE(service.pool_of(place), service.pool_of(west));
    Service::Ticket t;
    EXPECT_EQ(service.arrive(place, 1, 1, 0s, t), Answer::accepted);
    EXPECT_EQ(service.arrive(other, 1, 1, 0s, t), Answer::accepted);
    EXPECT_EQ(service.arrive(place, 1, 1, 0s, t), Answer::throttled_requests);
    EXPECT_EQ(service.arrive(west, 1, 1, 0s, t), Answer::accepted);
    EXPECT_EQ(service.arrive(free, 1'000'000, 1'000'000, 0s, t), Answer::accepted);
    EXPECT_EQ(service.arrive(free, 1, 1, 100s, t), Answer::unavailable);
    EXPECT_EQ(service.region_of(west), "us-west-2");
    EXPECT_EQ(service.arrive(west, 1, 1, 100s, t), Answer::accepted);
    EXPECT_EQ(service.arrive(place, 1, 1, 200s, t), Answer::accepted);
}

TEST(PlanService, ASpellRefusesWhateverIsUsed) {
    ServiceSetup setup = setup_of(1'000'000, 1000);
    setup.outages = {{"us-east-1", 100s, 200s, true}};
    Service service(setup);
    const auto place = service.place("us-east-1", test::kModel);
    Service::Ticket t;
    EXPECT_EQ(service.arrive(place, 1, 1, 99s, t), Answer::accepted);
    EXPECT_EQ(service.arrive(place, 1, 1, 100s, t), Answer::throttled_tokens);
    EXPECT_EQ(service.arrive(place, 1, 1, 200s, t), Answer::accepted);
}

TEST(PlanService, RefusedCallsMayCount) {
    for (const bool count : {false, true}) {
        ServiceSetup setup = setup_of(1'000'000, 1);
        setup.count_refusals = count;
        Service service(setup);
        const auto place = service.place("us-east-1", test::kModel);
        Service::Ticket t;
        EXPECT_EQ(service.arrive(place, 1, 1, 0s, t), Answer::accepted);
        EXPECT_EQ(service.arrive(place, 1, 1, 30s, t), Answer::throttled_requests);
        EXPECT_EQ(service.arrive(place, 1, 1, 61s, t),
                  count ? Answer::throttled_requests : Answer::accepted);
    }
}

TEST(PlanForeign, AsksForItsShareAndFinishes) {
    ServiceSetup setup = setup_of(1'000'000);
    setup.foreign = 0.3;
    setup.span = 3600s;
    Service service(setup);
    service.place("us-east-1", test::kModel);
    const auto report = service.report().front().foreign;
    EXPECT_GT(report.calls, 1000U);
    EXPECT_NEAR(static_cast<double>(report.asked) / 60 / 1'000'000, 0.3, 0.06);
    EXPECT_LE(report.settled, report.asked);
    // Alone on a quota three times what it asks, it gets nearly everything.
    EXPECT_GT(static_cast<double>(report.served) / static_cast<double>(report.calls), 0.97);
}

}  // namespace
}  // namespace weir::plan
