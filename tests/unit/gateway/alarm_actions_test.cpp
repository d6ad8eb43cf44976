// What a message of SNS makes the gateway do, with an SNS on loopback that signs.
#include "gateway/alarm_actions.h"

#include "codec/base64.h"
#include "gateway/admin.h"
#include "gateway/clock.h"
#include "requests.h"
#include "unit/aws/signer.h"
#include "unit/aws/world.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <ctime>
#include <future>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using aws::test::LocalService;
using aws::test::Reply;
using aws::test::SeenRequest;
using aws::test::Signer;
using Json = nlohmann::json;

const std::string kTopic = "arn:aws:sns:us-east-1:123456789012:weir-actions";

std::int64_t now_seconds() {
    return unix_ms() / 1000;
}

std::string timestamp(std::int64_t at) {
    const auto seconds = static_cast<std::time_t>(at);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts)};
}

class AlarmActionsTest : public ::testing::Test {
protected:
    AlarmActionsTest()
        : gate_(test::two_regions(), 1, EngineState(), {&loop_}, [](const Wake&) {}) {
        config = test::two_regions();
        config.aws.sns = sns_.url();
        ActionConfig close;
        close.topic = kTopic;
        close.alarm = "east-*";
        close.region = "us-east-1";
        ActionConfig drain = close;
        drain.alarm = "west";
        drain.act = AlarmAction::drain;
        drain.region = "us-west-2";
        ActionConfig shed;
        shed.topic = kTopic;
        shed.alarm = "budget";
        shed.act = AlarmAction::shed;
        ActionConfig trip = close;
        trip.alarm = "flaky";
        trip.act = AlarmAction::trip;
        config.aws.actions = {close, drain, shed, trip};
    }
    Json alarm(const std::string& name, const std::string& state) {
        return message({{"Type", "Notification"},
                        {"Message", Json{{"AlarmName", name}, {"NewStateValue", state}}.dump()}});
    }
    Json message(Json members) {
        members.update({{"MessageId", std::to_string(++ids_)},
                        {"TopicArn", kTopic},
                        {"Timestamp", timestamp(now_seconds())},
                        {"SignatureVersion", "2"},
                        {"Signature", "AAAA"},
                        {"SigningCertURL", sns_.url() + "/SimpleNotificationService-1.pem"}});
        const auto read = aws::read_sns_message(members.dump());
        EXPECT_TRUE(read) << read.error().message;
        members["Signature"] = codec::base64_encoded(
            signer_.sign(aws::signed_text(*read), codec::SignatureHash::sha256));
        return members;
    }
    OrderReply take(const Json& message) { return take(message.dump()); }
    OrderReply take(std::string body) {
        EXPECT_FALSE(actions().admit("Notification", kTopic, false));
        std::promise<OrderReply> promise;
        actions().take(std::move(body),
                       [&](OrderReply reply) { promise.set_value(std::move(reply)); });
        return promise.get_future().get();
    }
    AlarmActions& actions() {
        if (!actions_) {
            snapshot_ = std::make_shared<const Snapshot>(config);
            AlarmActions::Parts parts;
            parts.snapshot = [this] { return snapshot_; };
            parts.gate = &gate_;
            parts.log = [this](LogLevel, std::string_view text) {
                log += std::string(text) + "\n";
            };
            actions_.emplace(std::move(parts));
        }
        return *actions_;
    }
    std::uint64_t count(std::string_view result) {
        for (const auto& [name, value] : actions().counts()) {
            if (name == result) {
                return value;
            }
        }
        return 0;
    }
    Status status() { return gate_.status(); }
    std::vector<Override> overrides() { return status().overrides; }

    Config config;
    std::string log;
    Reply certificate;  // status 200 without a body: the good one

private:
    Signer signer_{now_seconds() - 3600, now_seconds() + 3600};

protected:
    LocalService sns_{[this](const SeenRequest& request) {
        if (certificate.status != 200 || !certificate.body.empty()) {
            return certificate;
        }
        return Reply{200, request.path.ends_with(".pem") ? signer_.pem() : "<ok/>"};
    }};

private:
    int ids_ = 0;
    net::Loop loop_{0};
    EngineGate gate_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::optional<AlarmActions> actions_;  // last: its thread uses all
};

TEST_F(AlarmActionsTest, AlarmClosesAndOkOpens) {
    EXPECT_EQ(take(alarm("east-503", "ALARM")).body, R"({"taken":true,"orders":1})");
    ASSERT_EQ(overrides().size(), 1U);
    EXPECT_EQ(overrides()[0].by, "alarm east-503");
    EXPECT_EQ(overrides()[0].hold, Hold::closed);
    EXPECT_EQ(take(alarm("east-503", "INSUFFICIENT_DATA")).body, R"({"taken":true,"orders":0})");
    EXPECT_EQ(overrides().size(), 1U);
    EXPECT_EQ(take(alarm("east-503", "OK")).status, 200);
    EXPECT_TRUE(overrides().empty());
    EXPECT_EQ(take(alarm("west", "ALARM")).status, 200);
    EXPECT_EQ(overrides()[0].hold, Hold::drain);
    EXPECT_EQ(sns_.seen().size(), 1U) << "the certificate is fetched once";
    EXPECT_EQ(count("acted"), 3U);
    EXPECT_EQ(count("nothing_to_do"), 1U);
}

TEST_F(AlarmActionsTest, AlarmShedsAndTrips) {
    EXPECT_EQ(take(alarm("budget", "ALARM")).status, 200);
    EXPECT_EQ(status().shedding.size(), 1U);
    EXPECT_EQ(take(alarm("budget", "OK")).status, 200);
    EXPECT_TRUE(status().shedding.empty());
    EXPECT_EQ(take(alarm("flaky", "ALARM")).status, 200);
    EXPECT_NE(log.find("the breakers of 0 targets are opened"), std::string::npos) << log;
    EXPECT_EQ(take(alarm("flaky", "OK")).status, 200);
}

TEST_F(AlarmActionsTest, ASubscriptionIsConfirmedOrTriedAgain) {
    const Json asked = message({{"Type", "SubscriptionConfirmation"},
                                {"Message", "confirm"},
                                {"Token", "t"},
                                {"SubscribeURL", sns_.url() + "/?Action=ConfirmSubscription"}});
    EXPECT_EQ(take(alarm("east-1", "OK")).status, 200);  // its certificate is known from now on
    certificate.status = 500;
    EXPECT_EQ(take(asked).status, 503);
    certificate.status = 200;
    EXPECT_EQ(take(asked).status, 200) << "SNS delivers the same message again";
    EXPECT_EQ(count("confirmed"), 1U);
    EXPECT_EQ(take(asked).body, R"({"taken":false,"because":"it was taken before"})");
    EXPECT_EQ(sns_.seen().size(), 3U);
}

TEST_F(AlarmActionsTest, WhatIsNotSignedDoesNothing) {
    Json changed = alarm("budget", "ALARM");
    changed["Message"] = R"({"AlarmName":"east-1","NewStateValue":"ALARM"})";
    EXPECT_EQ(take(changed).status, 403);
    Json elsewhere = alarm("east-1", "ALARM");
    elsewhere["SigningCertURL"] = "http://127.0.0.1:9/a.pem";
    EXPECT_EQ(take(elsewhere).status, 403);
    Json old = alarm("east-1", "ALARM");
    old["Timestamp"] = timestamp(now_seconds() - 3600);
    EXPECT_EQ(take(old).status, 400);
    Json other = alarm("east-1", "ALARM");
    other["TopicArn"] = kTopic + "2";
    EXPECT_EQ(take(other).status, 403);
    EXPECT_EQ(take(std::string("{")).status, 400);
    EXPECT_TRUE(overrides().empty());
    EXPECT_EQ(count("forged"), 2U);
    EXPECT_EQ(count("stale"), 1U);
    EXPECT_EQ(count("unknown_topic"), 1U);
    EXPECT_EQ(count("malformed"), 1U);
}

TEST_F(AlarmActionsTest, ACertificateThatCannotBeHadIsTriedAgainButNotForEver) {
    certificate = {404, "", {}};
    EXPECT_EQ(take(alarm("east-1", "ALARM")).status, 503);
    certificate = {200, "no certificate", {}};
    EXPECT_EQ(take(alarm("east-1", "ALARM")).status, 503);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(take(alarm("east-1", "ALARM")).status, 503);
    }
    EXPECT_EQ(sns_.seen().size(), 6U) << "a minute";
    EXPECT_TRUE(overrides().empty());
}

TEST_F(AlarmActionsTest, OnlyDeliveriesAreLetIn) {
    EXPECT_EQ(actions().admit("", kTopic, false)->status, 400);
    EXPECT_EQ(actions().admit("Notification", "", false)->status, 400);
    EXPECT_EQ(actions().admit("Notification", kTopic, true)->status, 400);
    EXPECT_EQ(actions().admit("Notification", "other", false)->status, 403);
    for (int i = 0; i < AlarmActions::kMostPending; ++i) {
        EXPECT_FALSE(actions().admit("Notification", kTopic, false));
    }
    EXPECT_EQ(actions().admit("Notification", kTopic, false)->status, 429) << "so many are held";
    actions().done();
    EXPECT_FALSE(actions().admit("Notification", kTopic, false));
    for (int i = 0; i < AlarmActions::kMostPending; ++i) {
        actions().done();
    }
    int admitted = 0;
    for (int i = 0; i < 100; ++i) {
        if (!actions().admit("Notification", kTopic, false)) {
            ++admitted;
            actions().done();
        }
    }
    EXPECT_LT(admitted, 50) << "a flood";
}

TEST_F(AlarmActionsTest, WithoutActionsThereIsNoDoor) {
    config.aws.actions.clear();
    EXPECT_EQ(actions().admit("Notification", kTopic, false)->status, 404);
}

TEST(AlarmActions, AreThoseOfTheTopicAndTheName) {
    ActionConfig any;
    any.topic = "a";
    ActionConfig named = any;
    named.alarm = "weir-*";
    ActionConfig other;
    other.topic = "b";
    EXPECT_EQ(actions_for({any, named, other}, "a", "weir-1").size(), 2U);
    EXPECT_EQ(actions_for({any, named, other}, "a", "x").size(), 1U);
    EXPECT_EQ(actions_for({any, named, other}, "c", "x").size(), 0U);
}

}  // namespace
}  // namespace weir::gateway
