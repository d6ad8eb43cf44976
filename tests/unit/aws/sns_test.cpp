// What SNS posts: read, verified with a certificate that the test makes, taken once.
#include "aws/sns_inbox.h"

#include "signer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::aws {
namespace {

using test::Signer;

constexpr std::int64_t kNow = 1'790'000'000;  // 2026-09-21T14:13:20Z
const std::string kTopic = "arn:aws:sns:us-east-1:123456789012:weir-actions";
const std::string kCertificate =
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123abcd.pem";

const Signer& signer() {
    static const Signer kOne(kNow - 3600, kNow + 3600);
    return kOne;
}

nlohmann::json notification(const char* version = "2") {
    return {{"Type", "Notification"},
            {"MessageId", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"},
            {"TopicArn", kTopic},
            {"Subject", "ALARM: \"weir-503\" in US East"},
            {"Message", "{\"AlarmName\":\"weir-503\",\n\"NewStateValue\":\"ALARM\"}"},
            {"Timestamp", "2026-09-21T14:13:20.123Z"},
            {"SignatureVersion", version},
            {"Signature", "c2lnbmVk"},
            {"SigningCertURL", kCertificate},
            {"UnsubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"}};
}

SnsMessage read(const nlohmann::json& json) {
    auto message = read_sns_message(json.dump());
    EXPECT_TRUE(message) << message.error().message;
    return message.value_or(SnsMessage{});
}
std::string error(const nlohmann::json& json) {
    const auto message = read_sns_message(json.dump());
    return message ? "none" : message.error().message;
}

/// The same, signed over `text`: the string that AWS documents, written out by hand.
SnsMessage signed_over(nlohmann::json json, const std::string& text, const Signer& by = signer()) {
    const bool first = json["SignatureVersion"] == "1";
    json["Signature"] = codec::base64_encoded(
        by.sign(text, first ? codec::SignatureHash::sha1 : codec::SignatureHash::sha256));
    return read(json);
}

const std::string kSignedText =
    "Message\n{\"AlarmName\":\"weir-503\",\n\"NewStateValue\":\"ALARM\"}\n"
    "MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n"
    "Subject\nALARM: \"weir-503\" in US East\n"
    "Timestamp\n2026-09-21T14:13:20.123Z\n"
    "TopicArn\narn:aws:sns:us-east-1:123456789012:weir-actions\n"
    "Type\nNotification\n";

codec::Certificate certificate(const Signer& of = signer()) {
    auto read = codec::Certificate::read(of.pem());
    EXPECT_TRUE(read);
    return *read;
}

TEST(Sns, ANotificationIsVerifiedByBothVersions) {
    for (const char* version : {"1", "2"}) {
        const SnsMessage m = signed_over(notification(version), kSignedText);
        EXPECT_EQ(m.sent_at, kNow);
        EXPECT_EQ(signed_text(m), kSignedText);
        EXPECT_TRUE(verifies(m, certificate(), kNow)) << version;
        EXPECT_FALSE(verifies(m, certificate(), kNow + 3601)) << "the certificate has expired";
        EXPECT_FALSE(verifies(m, certificate(), kNow - 3601)) << "it is not valid yet";
        const Signer other(kNow - 3600, kNow + 3600);
        EXPECT_FALSE(verifies(m, certificate(other), kNow));
        nlohmann::json turned = notification(version);
        turned["SignatureVersion"] = version == std::string("1") ? "2" : "1";
        turned["Signature"] = codec::base64_encoded(m.signature);
        EXPECT_FALSE(verifies(read(turned), certificate(), kNow)) << "of the other digest";
    }
}

TEST(Sns, EachSignedMemberCounts) {
    const SnsMessage good = signed_over(notification(), kSignedText);
    for (const char* name : {"MessageId", "Subject", "Message", "Timestamp", "TopicArn"}) {
        nlohmann::json json = notification();
        json["Signature"] = codec::base64_encoded(good.signature);
        json[name] = name == std::string("Timestamp") ? "2026-09-21T14:13:21.123Z" : "other";
        EXPECT_FALSE(verifies(read(json), certificate(), kNow)) << name;
    }
    nlohmann::json json = notification();
    json["Signature"] = codec::base64_encoded(good.signature);
    json.erase("Subject");
    EXPECT_FALSE(verifies(read(json), certificate(), kNow));
}

TEST(Sns, ASubjectIsSignedOnlyIfThereIsOne) {
    nlohmann::json json = notification();
    json.erase("Subject");
    const SnsMessage m =
        signed_over(json,
                    "Message\n{\"AlarmName\":\"weir-503\",\n\"NewStateValue\":\"ALARM\"}\n"
                    "MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n"
                    "Timestamp\n2026-09-21T14:13:20.123Z\n"
                    "TopicArn\narn:aws:sns:us-east-1:123456789012:weir-actions\n"
                    "Type\nNotification\n");
    EXPECT_TRUE(verifies(m, certificate(), kNow));
}

TEST(Sns, AConfirmationIsSignedWithItsUrlAndToken) {
    nlohmann::json json = notification("1");
    json["Type"] = "SubscriptionConfirmation";
    json.erase("Subject");
    json["Message"] = "You have chosen to subscribe";
    json["Token"] = "2336412f37";
    json["SubscribeURL"] =
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2";
    const SnsMessage m = signed_over(
        json,
        "Message\nYou have chosen to subscribe\n"
        "MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n"
        "SubscribeURL\nhttps://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2\n"
        "Timestamp\n2026-09-21T14:13:20.123Z\n"
        "Token\n2336412f37\n"
        "TopicArn\narn:aws:sns:us-east-1:123456789012:weir-actions\n"
        "Type\nSubscriptionConfirmation\n");
    EXPECT_EQ(m.type, SnsType::subscribed);
    EXPECT_TRUE(verifies(m, certificate(), kNow));
    json.erase("Token");
    EXPECT_NE(error(json).find("`Token` is missing"), std::string::npos);
}

TEST(Sns, BadMessagesAreNamed) {
    EXPECT_NE(read_sns_message("[1]").error().message.find("no JSON object"), std::string::npos);
    EXPECT_NE(read_sns_message("{").error().message.find("no JSON object"), std::string::npos);
    for (const char* name : {"Type", "MessageId", "TopicArn", "Message", "Timestamp",
                             "SignatureVersion", "Signature", "SigningCertURL"}) {
        nlohmann::json json = notification();
        json.erase(name);
        EXPECT_NE(error(json).find(name), std::string::npos) << name;
        json[name] = 3;
        EXPECT_NE(error(json).find(name), std::string::npos) << name;
    }
    nlohmann::json json = notification();
    json["MessageId"] = "a\nb";  // could pass for a line of the signed text
    EXPECT_NE(error(json).find("MessageId"), std::string::npos);
    json = notification("3");
    EXPECT_NE(error(json).find("SignatureVersion"), std::string::npos);
    json = notification();
    json["Signature"] = "not base64!";
    EXPECT_NE(error(json).find("Signature"), std::string::npos);
    json["Timestamp"] = "yesterday";
    EXPECT_NE(error(json).find("Timestamp"), std::string::npos);
}

TEST(Sns, OnlyHostsOfSnsAreFetchedFrom) {
    const auto fetched = [](const std::string& url, const std::string& endpoint = "") {
        return may_fetch(url, SnsLink::certificate, endpoint);
    };
    EXPECT_TRUE(fetched(kCertificate));
    EXPECT_TRUE(fetched("https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"));
    for (const char* bad : {"http://sns.us-east-1.amazonaws.com/a.pem",
                            "https://sns.us-east-1.amazonaws.com/a.txt",
                            "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
                            "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
                            "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
                            "https://evil.example#sns.us-east-1.amazonaws.com/a.pem",
                            "https://sns.us-east-1.amazonaws.com:8443/a.pem",
                            "https://sns.us-east-1.amazonaws.com/?Action=x&y=.pem",
                            "https://sns.us-east-1.amazonaws.com/../a.pem",
                            "https://sns.us-east-1.amazonaws.com/%2e%2e/a.pem",
                            "https://sns.us-east-1.amazonaws.com\\evil.example/a.pem",
                            "https://sns.a.us-east-1.amazonaws.com/a.pem",
                            "https://sns.amazonaws.com/a.pem",
                            "https://sns..amazonaws.com/a.pem",
                            "https://xsns.us-east-1.amazonaws.com/a.pem",
                            "https://SNS.us-east-1.amazonaws.com/a.pem",
                            "file:///etc/ssl/a.pem",
                            "https://s3.us-east-1.amazonaws.com/a.pem",
                            "https://sns.us-east-1.amazonaws.com",
                            ""}) {
        EXPECT_FALSE(fetched(bad)) << bad;
    }
    EXPECT_FALSE(fetched(kCertificate + " "));
    EXPECT_FALSE(fetched("https://sns.us-east-1.amazonaws.com/" + std::string(3000, 'a') + ".pem"));
    EXPECT_TRUE(may_fetch("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=1",
                          SnsLink::confirmation, ""));
    EXPECT_FALSE(
        may_fetch("https://evil.example/?Action=ConfirmSubscription", SnsLink::confirmation, ""));
}

TEST(Sns, AConfiguredEndpointMayBeAskedAsWell) {
    const auto fetched = [](const std::string& url, const std::string& endpoint) {
        return may_fetch(url, SnsLink::certificate, endpoint);
    };
    EXPECT_FALSE(fetched("http://127.0.0.1:5000/a.pem", "")) << "not by default";
    EXPECT_TRUE(fetched("http://127.0.0.1:5000/a.pem", "http://127.0.0.1:5000"));
    EXPECT_TRUE(fetched("http://127.0.0.1:5000/a.pem", "http://127.0.0.1:5000/"));
    EXPECT_FALSE(fetched("http://127.0.0.1:5000/a.txt", "http://127.0.0.1:5000"));
    EXPECT_FALSE(fetched("http://127.0.0.1:50001/a.pem", "http://127.0.0.1:5000"));
    EXPECT_FALSE(fetched("http://sns.internal/a.pem", "http://sns.internal"))
        << "whoever is on the way could put a key of its own there";
    EXPECT_FALSE(fetched("http://127.0.0.1.evil.example/a.pem", "http://127.0.0.1.evil.example"));
    EXPECT_TRUE(fetched("https://vpce-1.sns.us-east-1.vpce.amazonaws.com/a.pem",
                        "https://vpce-1.sns.us-east-1.vpce.amazonaws.com"));
    EXPECT_TRUE(fetched(kCertificate, "http://127.0.0.1:5000"));
}

TEST(Sns, WeakOrStrangeCertificatesAreNotRead) {
    EXPECT_FALSE(codec::Certificate::read(""));
    EXPECT_FALSE(codec::Certificate::read("-----BEGIN CERTIFICATE-----\nAAAA\n"));
    EXPECT_FALSE(codec::Certificate::read(Signer(kNow, kNow + 1, 1024).pem()));
}

TEST(Sns, AnAlarmsNewsIsRead) {
    const auto news =
        read_alarm_news(R"({"AlarmName":"weir-503","NewStateValue":"OK","NewStateReason":"a\nb"})");
    ASSERT_TRUE(news);
    EXPECT_EQ(news->alarm, "weir-503");
    EXPECT_EQ(news->state, "OK");
    EXPECT_EQ(news->reason.find('\n'), std::string::npos);
    EXPECT_FALSE(read_alarm_news("hello"));
    EXPECT_FALSE(read_alarm_news(R"({"AlarmName":"a"})"));
    EXPECT_FALSE(read_alarm_news(R"({"AlarmName":"a\nb","NewStateValue":"OK"})"));
}

class Inbox : public ::testing::Test {
protected:
    std::optional<SnsResult> objection(const SnsMessage& m, std::int64_t now = kNow) {
        return inbox.objection(m, {"arn:aws:sns:a", kTopic}, "", now);
    }
    SnsInbox inbox;
    SnsMessage good = read(notification());
};

TEST_F(Inbox, LetsInWhatIsFreshAndOfAKnownTopic) {
    EXPECT_EQ(objection(good), std::nullopt);
    EXPECT_EQ(objection(good, kNow + SnsInbox::kOldest), std::nullopt);
    EXPECT_EQ(objection(good, kNow + SnsInbox::kOldest + 1), SnsResult::stale);
    EXPECT_EQ(objection(good, kNow - SnsInbox::kEarliest - 1), SnsResult::stale);
    EXPECT_EQ(inbox.objection(good, {}, "", kNow), SnsResult::unknown_topic);
    SnsMessage odd = good;
    odd.certificate_url = "https://evil.example/a.pem";
    EXPECT_EQ(objection(odd), SnsResult::forged);
    odd = good;
    odd.type = SnsType::subscribed;
    odd.subscribe_url = "http://169.254.169.254/latest/meta-data";
    EXPECT_EQ(objection(odd), SnsResult::forged);
}

TEST_F(Inbox, TakesEachMessageOnce) {
    EXPECT_EQ(inbox.take(good, kNow), std::nullopt);
    EXPECT_EQ(objection(good), SnsResult::repeated);
    EXPECT_EQ(inbox.take(good, kNow + 60), SnsResult::repeated);
    inbox.forget(good);
    EXPECT_EQ(inbox.take(good, kNow + 60), std::nullopt);
    EXPECT_EQ(objection(good, kNow + 60 + SnsInbox::kOldest + SnsInbox::kEarliest),
              SnsResult::stale)
        << "as long as it could be repeated it is remembered, and after that it is stale";
}

TEST_F(Inbox, ItsMemoryIsBounded) {
    for (std::size_t i = 0; i < SnsInbox::kMostIds; ++i) {
        SnsMessage m = good;
        m.id = std::to_string(i);
        EXPECT_EQ(inbox.take(m, kNow), std::nullopt);
    }
    EXPECT_EQ(inbox.take(good, kNow), SnsResult::rate_limited) << "nothing is forgotten for it";
    EXPECT_EQ(inbox.take(good, kNow + 3600), std::nullopt);
    for (int i = 0; i < 20; ++i) {
        inbox.keep("url" + std::to_string(i), certificate(), kNow + i);
    }
    EXPECT_EQ(inbox.certificate("url0", kNow + 20), nullptr);
    EXPECT_NE(inbox.certificate("url19", kNow + 20), nullptr);
    EXPECT_EQ(inbox.certificate("url19", kNow + 19 + 86400), nullptr) << "a day";
}

TEST_F(Inbox, AFloodIsLetInSlowly) {
    int admitted = 0;
    for (int i = 0; i < 1000; ++i) {
        admitted += inbox.admits(kNow + i / 1000.0) ? 1 : 0;
    }
    EXPECT_GE(admitted, 29);
    EXPECT_LE(admitted, 30);
    EXPECT_TRUE(inbox.admits(kNow + 10));
    EXPECT_TRUE(inbox.admits(kNow - 10)) << "a clock that was set back admits no more and no less";
    int fetches = 0;
    for (int i = 0; i < 60; ++i) {
        fetches += inbox.may_fetch_certificate(kNow + i) ? 1 : 0;
    }
    EXPECT_EQ(fetches, 6);
    EXPECT_TRUE(inbox.may_fetch_certificate(kNow + 60));
}

}  // namespace
}  // namespace weir::aws
