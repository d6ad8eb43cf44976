// Orders over the admin port: what is understood, refused, and answered.
#include "gateway/orders.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

Result<Order> read(std::string_view path, std::string_view query, std::string_view body = "") {
    OrderText text;
    text.post = true;
    text.path = path;
    text.query = query;
    text.body = body;
    return read_order(text);
}
std::string complaint(std::string_view path, std::string_view query, std::string_view body = "") {
    const auto order = read(path, query, body);
    return order ? "none" : order.error().message;
}

TEST(Orders, AreReadFromQueryAndBody) {
    auto order =
        read("/targets/close", "region=us-east-1&for=15m",
             R"({"model": "us.anthropic.x-v1:0", "reason": "odd\nanswers", "account": null})");
    ASSERT_TRUE(order) << order.error().message;
    EXPECT_EQ(order->hold, Hold::closed);
    EXPECT_EQ(order->targets, (TargetFilter{"us-east-1", "us.anthropic.x-v1:0", ""}));
    EXPECT_EQ(order->lasts, 15min);
    EXPECT_EQ(order->reason, "odd answers") << "one line of a log";
    order = read("/targets/drain", "model=a%3Ab&reason=to+see");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->hold, Hold::drain);
    EXPECT_EQ(order->targets.model, "a:b");
    EXPECT_EQ(order->reason, "to see");
    EXPECT_EQ(order->lasts, kOrderLasts) << "never for ever by mistake";
    order = read("/targets/open", "region=us-east-1");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->lasts, std::nullopt) << "takes back";
    order = read("/shed", "", R"({"priority":"standard","for":"2h"})");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->kind, OrderKind::shed);
    EXPECT_EQ(order->from, Priority::standard);
    EXPECT_EQ(order->lasts, 2h);
    order = read("/shed", "for=0s");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->lasts, Duration::zero());
    EXPECT_EQ(order->from, Priority::batch);
    order = read("/clients/pause", "client=etl&for=1h&reason=runs+away");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->kind, OrderKind::pause);
    EXPECT_EQ(order->client, "etl");
    EXPECT_EQ(order->lasts, 1h);
    order = read("/clients/pause", "", R"({"client":"etl"})");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->lasts, kOrderLasts) << "never for ever by mistake";
    order = read("/clients/resume", "client=etl");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->kind, OrderKind::resume);
    EXPECT_EQ(order->lasts, std::nullopt);
}

TEST(Orders, BadOnesAreNamed) {
    EXPECT_NE(complaint("/targets/shut", "region=a").find("there are /targets/close"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "").find("name the targets"), std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&for=15").find("with its unit"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&for=0s").find("with its unit"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&for=169h").find("168h"), std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&for=99999999999h").find("168h"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&duration=1m").find("`duration` is unknown"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a", R"({"region":"b"})").find("once"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a", "[]").find("JSON object"), std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a", "{").find("JSON object"), std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a", R"({"for":15})").find("to be a string"),
              std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&priority=batch").find("/shed"),
              std::string::npos);
    EXPECT_NE(complaint("/shed", "region=a").find("all targets"), std::string::npos);
    EXPECT_NE(complaint("/targets/close", "region=a&client=b").find("/clients/"),
              std::string::npos);
    EXPECT_NE(complaint("/shed", "client=b").find("/clients/"), std::string::npos);
    EXPECT_NE(complaint("/clients/pause", "").find("name the client"), std::string::npos);
    EXPECT_NE(complaint("/clients/pause", "client=a%0Ab").find("name the client"),
              std::string::npos);
    EXPECT_NE(complaint("/clients/pause", "client=" + std::string(65, 'a')).find("1 to 64"),
              std::string::npos);
    EXPECT_NE(complaint("/clients/pause", "client=a&for=0s").find("with its unit"),
              std::string::npos);
    EXPECT_NE(complaint("/clients/pause", "client=a&region=b").find("/targets/"),
              std::string::npos);
    EXPECT_NE(complaint("/clients/pause", "client=a&priority=batch").find("/shed"),
              std::string::npos);
    EXPECT_NE(complaint("/clients/resume", "client=a&for=1m").find("does not belong"),
              std::string::npos);
    EXPECT_NE(complaint("/clients", "client=a").find("/clients/pause"), std::string::npos);
    EXPECT_NE(complaint("/shed", "priority=low").find("interactive"), std::string::npos);
}

class Known : public ::testing::Test {
protected:
    Known() {
        config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        RouteConfig route;
        route.model = "a";
        route.targets.resize(2);
        route.targets[0].region = "us-east-1";
        route.targets[1].region = "us-west-2";
        route.targets[1].model = "b";
        config.routes.push_back(route);
        TargetStatus seen;
        seen.region = "us-east-1";
        seen.model = "c";
        status.targets.push_back(seen);
    }
    std::string check(TargetFilter targets) {
        Order order;
        order.hold = Hold::closed;
        order.targets = std::move(targets);
        const auto known = check_order(order, config, status);
        return known ? "known" : known.error().message;
    }
    Config config;
    Status status;
};

TEST_F(Known, TargetsAreThoseOfRoutesAndOfCalls) {
    EXPECT_EQ(check({"us-east-1", "a", ""}), "known");
    EXPECT_EQ(check({"us-east-1", "c", ""}), "known");
    EXPECT_EQ(check({"", "b", "default"}), "known");
    EXPECT_EQ(targets_named({"us-east-1", "", ""}, config, status).size(), 2U);
    EXPECT_EQ(check({"us-east-1", "b", ""}), "no such target; known models there are a, c");
    EXPECT_EQ(check({"us-est-1", "", ""}),
              "the Region `us-est-1` is not declared; declared are us-east-1, us-west-2");
    EXPECT_NE(check({"us-east-1", "a", "prod"}), "known");
    config.routes.clear();
    EXPECT_EQ(check({"us-west-2", "", ""}), "known") << "a Region without a call so far";
    EXPECT_EQ(check({"us-west-2", "a", ""}), "no such target; no target is known so far");
}

TEST_F(Known, ClientsAreThoseWithAKeyOrAnybody) {
    Order order;
    order.kind = OrderKind::pause;
    order.client = "etl";
    EXPECT_TRUE(check_order(order, config, status)) << "clients name themselves";
    config.clients.emplace_back().name = "chat";
    EXPECT_TRUE(check_order(order, config, status)) << "still, for none has a key";
    config.clients.front().key_sha256 = {std::string(64, 'a')};
    ASSERT_FALSE(check_order(order, config, status));
    EXPECT_EQ(check_order(order, config, status).error().message,
              "no client `etl` is configured; configured are chat");
    order.client = "chat";
    EXPECT_TRUE(check_order(order, config, status));
    order.kind = OrderKind::resume;
    order.client = "gone";
    status.paused.emplace_back().client = "gone";
    EXPECT_TRUE(check_order(order, config, status)) << "a reload took it away while paused";
}

TEST_F(Known, TheAnswerNamesWhatIsMeant) {
    auto order = read("/targets/close", "region=us-east-1&for=90s&reason=x");
    ASSERT_TRUE(order);
    const auto json =
        nlohmann::json::parse(order_json(*order, targets_named(order->targets, config, status)));
    EXPECT_EQ(json["order"], "close");
    EXPECT_EQ(json["seconds"], 90.0);
    EXPECT_EQ(json["model"], nullptr);
    EXPECT_EQ(json["targets"].size(), 2U);
    EXPECT_EQ(describe(*order), "close every model in us-east-1 for 90 s, because: x");
    order = read("/shed", "for=1m");
    ASSERT_TRUE(order);
    EXPECT_EQ(describe(*order),
              "shed calls of the class batch and lower for 60 s, no reason given");
    order = read("/shed", "for=0s");
    ASSERT_TRUE(order);
    EXPECT_EQ(describe(*order),
              "no longer shed calls of the class batch and lower, no reason given");
    order = read("/clients/pause", "client=etl&for=1m&reason=x");
    ASSERT_TRUE(order);
    EXPECT_EQ(describe(*order), "pause client etl for 60 s, because: x");
    EXPECT_EQ(nlohmann::json::parse(order_json(*order, {})),
              (nlohmann::json{
                  {"order", "pause"}, {"client", "etl"}, {"seconds", 60.0}, {"reason", "x"}}));
    order = read("/clients/resume", "client=etl");
    ASSERT_TRUE(order);
    EXPECT_EQ(describe(*order), "resume client etl, no reason given");
    EXPECT_EQ(nlohmann::json::parse(order_json(*order, {}))["was_paused"], false);
    EXPECT_EQ(nlohmann::json::parse(order_json(*order, {}, {}, true))["was_paused"], true);
}

TEST_F(Known, AReasonIsOneLineWithoutControlCharacters) {
    const auto order = read("/shed", "for=1m&reason=a%0Ab%09c%1B[2Jd%C2%9B2Je%FFf");
    ASSERT_TRUE(order);
    EXPECT_EQ(order->reason,
              "a b c [2Jd 2Je\xEF\xBF\xBD"
              "f");
}

}  // namespace
}  // namespace weir::gateway
