// A client's requests_per_minute counts what is passed on, too.
#include <weir/engine.h>

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr std::string_view kModel = "m";

Config limited() {
    Config config;
    config.regions["r"] = {};
    config.default_region = "r";
    ClientConfig client;
    client.name = "etl";
    client.requests_per_minute = 3;
    config.clients.push_back(client);
    ClientConfig free;
    free.name = "free";
    config.clients.push_back(free);
    return config;
}

Call call_of(std::string_view client, Instant now) {
    Call call;
    call.id = {0, 1, 1};
    call.client = client;
    call.model = kModel;
    call.home_region = "r";
    call.arrival = now;
    call.input_estimate = 10;
    call.max_output = 10;
    call.deadline = std::chrono::seconds(1);
    return call;
}

TEST(CountRequest, UsesUpTheClientsLimitAndNobodyElses) {
    const Instant start{std::chrono::seconds(1000)};
    Engine engine(limited(), 1, start);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(engine.count_request("etl", start)) << i;
    }
    const auto refused = engine.count_request("etl", start);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->reason, RefusalReason::client_limit);
    EXPECT_EQ(refused->limit_kind, LimitKind::requests);
    EXPECT_EQ(refused->limit, 3U);
    EXPECT_EQ(refused->used, 3U);
    EXPECT_GT(refused->retry_after, std::chrono::seconds(50));
    EXPECT_LT(refused->retry_after, std::chrono::seconds(62));
    for (const auto* other : {"free", "nobody", ""}) {
        EXPECT_FALSE(engine.count_request(other, start)) << other;
    }
    EXPECT_FALSE(engine.count_request("etl", start + std::chrono::seconds(62)));
}

TEST(CountRequest, InferenceAndWhatIsPassedOnShareOneLimit) {
    const Instant start{std::chrono::seconds(1000)};
    Engine engine(limited(), 1, start);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(engine.count_request("etl", start));
    }
    EXPECT_FALSE(std::holds_alternative<Grant>(engine.offer(call_of("etl", start), start)));
}

}  // namespace
}  // namespace weir
