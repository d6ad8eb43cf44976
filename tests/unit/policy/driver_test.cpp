// What the engine makes of words about calls that it does not know, or that are elsewhere by now.
#include <weir/engine.h>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace weir {
namespace {

using namespace std::chrono_literals;

class DriverTest : public ::testing::Test {
protected:
    DriverTest() {
        config.regions = {{"r", {}}};
        config.default_region = "r";
        QuotaConfig quota;
        quota.models = {"m"};
        quota.requests_per_minute = 100;
        quota.max_in_flight = 1;
        config.quotas = {quota};
    }
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    Call call(const std::string& model = "m", const std::string& client = {}) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.model = models.emplace_back(model);
        c.client = models.emplace_back(client);
        c.home_region = "r";
        return c;  // no arrival: now
    }
    static Failure unavailable() {
        Failure failure;
        failure.cls = FailureClass::capacity;
        failure.stage = Stage::sent;
        failure.status = 503;
        return failure;
    }
    std::size_t woken() {
        std::vector<Wake> all;
        engine().advance(now, all);
        return all.size();
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::vector<std::string> models = [] {
        std::vector<std::string> room;
        room.reserve(100);  // calls have views of them
        return room;
    }();
    std::optional<Engine> engine_;
};

TEST_F(DriverTest, WordOfACallThatHasEndedChangesNothing) {
    const CallId gone = call().id;
    engine().sent(gone, now);
    engine().began(gone, now);
    engine().settle(gone, Usage{1, 1, 0, 0, true}, now);
    engine().cancel(gone, std::nullopt, now);
    const Decision d = engine().report(gone, unavailable(), now);
    ASSERT_TRUE(std::holds_alternative<Refusal>(d));
    EXPECT_EQ(std::get<Refusal>(d).reason, RefusalReason::upstream_error);
    EXPECT_EQ(std::get<Refusal>(d).upstream->status, 503);
    EXPECT_EQ(engine().status(now).in_flight, 0U);
}

TEST_F(DriverTest, ACallThatWaitsIsNotSettledNorSent) {
    const Call first = call();
    const Call second = call();
    ASSERT_TRUE(std::holds_alternative<Grant>(engine().offer(first, now)));
    ASSERT_TRUE(std::holds_alternative<Wait>(engine().offer(second, now)));
    engine().sent(second.id, now);
    engine().settle(second.id, Usage{1, 1, 0, 0, true}, now);
    EXPECT_TRUE(std::holds_alternative<Refusal>(engine().report(second.id, unavailable(), now)));
    EXPECT_EQ(engine().status(now).in_flight, 1U);
    engine().sent(first.id, now);
    engine().sent(first.id, now);  // twice
    engine().settle(first.id, Usage{1, 1, 0, 0, true}, now);
    EXPECT_EQ(woken(), 1U) << "it waited on";
    EXPECT_EQ(engine().status(now).in_flight, 1U);
}

TEST_F(DriverTest, AnIdThatIsOfferedAgainIsTheNewCalls) {
    const Call first = call();
    ASSERT_TRUE(std::holds_alternative<Grant>(engine().offer(first, now)));
    EXPECT_TRUE(std::holds_alternative<Grant>(engine().offer(first, now)));
    EXPECT_EQ(engine().status(now).in_flight, 1U) << "the one before has ended";
    engine().cancel(first.id, std::nullopt, now);
    EXPECT_EQ(engine().status(now).in_flight, 0U);
}

TEST_F(DriverTest, WhatABrokenStreamIsReportedAsIsTheEnd) {
    const Call c = call();
    ASSERT_TRUE(std::holds_alternative<Grant>(engine().offer(c, now)));
    engine().sent(c.id, now);
    Failure begun = unavailable();
    begun.stage = Stage::begun;  // though began() was never called
    EXPECT_TRUE(std::holds_alternative<Refusal>(engine().report(c.id, begun, now)));
    EXPECT_EQ(engine().status(now).in_flight, 0U);
}

TEST_F(DriverTest, AClientsModelsAreNamedAsItsCallsNameThem) {
    config.quotas.clear();
    config.aliases["fast"] = "a.quick";
    config.routes.resize(1);
    config.routes[0].model = "us.a.first";
    config.routes[0].targets.resize(1);
    config.routes[0].targets[0].region = "r";
    const auto may = [&](const std::string& glob, const std::string& model) {
        config.clients.resize(1);
        config.clients[0].name = "c";
        config.clients[0].models = {glob};
        engine_.reset();
        return std::holds_alternative<Grant>(engine().offer(call(model, "c"), now));
    };
    EXPECT_TRUE(may("us.a.*", "us.a.first"));
    EXPECT_FALSE(may("a.*", "us.a.first")) << "a profile is another model than the one behind it";
    EXPECT_FALSE(may("b.*", "us.a.first"));
    EXPECT_TRUE(may("fast", "a.quick")) << "by its alias";
    EXPECT_FALSE(may("slow", "a.quick"));
}

}  // namespace
}  // namespace weir
