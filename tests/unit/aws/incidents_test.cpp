// One trouble is one incident, however long and often it is seen.
#include "aws/incidents.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kStart = 1'800'000'000;

Condition trouble(const std::string& key, int count = 1) {
    return {key, "CRITICAL", "No target left for " + key, "what weir did", Json{{"count", count}}};
}

struct Incidents : ::testing::Test {
    IncidentBook book{"one"};
    std::vector<IncidentEvent> events;

    /// Every 10 s for so long.
    void hold(const std::vector<Condition>& conditions, std::int64_t seconds) {
        for (std::int64_t i = 0; i < seconds; i += 10) {
            for (IncidentEvent& event : book.update(conditions, now)) {
                events.push_back(std::move(event));
            }
            now += 10;
        }
    }
    std::vector<std::string> actions() const {
        std::vector<std::string> out;
        for (const IncidentEvent& event : events) {
            out.push_back(event.action);
        }
        return out;
    }
    std::int64_t now = kStart;
};

TEST_F(Incidents, WhatPassesInTimeIsNone) {
    hold({trouble("a")}, 20);
    hold({}, 600);
    EXPECT_TRUE(events.empty());
    EXPECT_TRUE(book.list().empty());
}

TEST_F(Incidents, WhatLastsIsCreatedOnceAndResolvedOnce) {
    hold({trouble("a")}, 300);
    EXPECT_EQ(actions(), std::vector<std::string>{"created"});
    ASSERT_EQ(book.list().size(), 1U);
    EXPECT_EQ(book.list()[0].resolved, 0);
    hold({}, 400);
    EXPECT_EQ(actions(), (std::vector<std::string>{"created", "resolved"}));
    EXPECT_EQ(events[0].incident.id, events[1].incident.id);
    ASSERT_EQ(book.list().size(), 1U);
    EXPECT_GT(book.list()[0].resolved, 0);
}

TEST_F(Incidents, WhatFlapsIsOne) {
    for (int i = 0; i < 20; ++i) {
        hold({trouble("a")}, 60);
        hold({}, 120);
    }
    EXPECT_EQ(actions(), std::vector<std::string>{"created"});
}

TEST_F(Incidents, NewsIsToldNowAndThen) {
    for (int i = 0; i < 360; ++i) {
        hold({trouble("a", i)}, 10);
    }
    EXPECT_EQ(actions().front(), "created");
    EXPECT_LE(events.size(), 7U);  // an hour
    EXPECT_GE(events.size(), 5U);
    EXPECT_EQ(events.back().action, "updated");
    events.clear();
    hold({trouble("a", 359)}, 3600);
    EXPECT_LE(events.size(), 1U);  // nothing is new
}

TEST_F(Incidents, AgainIsAnother) {
    hold({trouble("a")}, 60);
    hold({}, 400);
    hold({trouble("a")}, 60);
    EXPECT_EQ(actions(), (std::vector<std::string>{"created", "resolved", "created"}));
    EXPECT_NE(events[0].incident.id, events[2].incident.id);
}

TEST_F(Incidents, AStormIsToldOfAsOne) {
    std::vector<Condition> many;
    for (int i = 0; i < 500; ++i) {
        many.push_back(trouble("m" + std::to_string(i)));
    }
    hold(many, 600);
    EXPECT_EQ(events.size(), 11U);
    EXPECT_EQ(
        std::ranges::count(events, "storm",
                           [](const IncidentEvent& event) { return event.incident.condition.key; }),
        1);
    hold({}, 400);
    EXPECT_EQ(std::ranges::count(events, "resolved", &IncidentEvent::action), 11);
}

TEST_F(Incidents, AnyHistoryIsCreatedThenResolvedAndBounded) {
    const auto seed = std::random_device()();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    std::map<std::string, bool> open;
    std::set<std::string> ids;
    for (int i = 0; i < 5000; ++i) {
        std::vector<Condition> conditions;
        for (int key = 0; key < 8; ++key) {
            if (random() % 4 != 0 && (i / (50 * (key + 1))) % 2 == 0) {
                conditions.push_back(
                    trouble("k" + std::to_string(key), static_cast<int>(random() % 3)));
            }
        }
        events.clear();
        hold(conditions, 10);
        for (const IncidentEvent& event : events) {
            bool& is_open = open[event.incident.condition.key];
            EXPECT_EQ(event.action != "created", is_open) << event.action;
            is_open = event.action != "resolved";
            if (event.action == "created") {
                EXPECT_TRUE(ids.insert(event.incident.id).second);
            }
        }
        EXPECT_LE(book.list().size(), 60U);
    }
    // Ten an hour, and one for the rest.
    EXPECT_LE(ids.size(), 11U * (5000 * 10 / 3600 + 2));
}

TEST(BurnRate, NeedsBothWindowsAndEnoughRequests) {
    BurnRate rate;
    std::uint64_t good = 0;
    std::uint64_t bad = 0;
    std::int64_t now = kStart;
    const auto minute = [&](std::uint64_t g, std::uint64_t b) {
        good += g;
        bad += b;
        now += 60;
        return rate.update(good, bad, 95, now);
    };
    rate.update(0, 0, 95, now);
    EXPECT_FALSE(minute(0, 5).burns);  // five requests are nothing to speak of
    for (int i = 0; i < 40; ++i) {
        EXPECT_FALSE(minute(100, 1).burns);
    }
    EXPECT_FALSE(minute(20, 80).burns);  // a spike is not the long window's trouble yet
    bool burns = false;
    for (int i = 0; i < 10; ++i) {
        burns = minute(20, 80).burns || burns;
    }
    EXPECT_TRUE(burns);
    for (int i = 0; i < 10; ++i) {
        burns = minute(100, 0).burns;
    }
    EXPECT_FALSE(burns);  // over, though the long window remembers
}

TEST(Webhook, IsWhatTheAgentTakes) {
    IncidentEvent event{"created", {"weir-1", trouble("a"), kStart, kStart, 0}, kStart};
    const Json body = webhook_body(event);
    EXPECT_EQ(body["eventType"], "incident");
    EXPECT_EQ(body["action"], "created");
    EXPECT_EQ(body["priority"], "CRITICAL");
    EXPECT_EQ(body["timestamp"], "2027-01-15T08:00:00.000Z");
    EXPECT_EQ(body["data"]["count"], 1);
}

TEST(Webhook, IsSignedOrCarriesAToken) {
    // echo -n '2027-01-15T08:00:00.123Z:{}' | openssl dgst -sha256 -hmac secret -binary | base64
    const auto headers = webhook_headers("{}", "secret", "", kStart * 1000 + 123);
    EXPECT_NE(std::ranges::find(headers, "x-amzn-event-timestamp: 2027-01-15T08:00:00.123Z"),
              headers.end());
    EXPECT_NE(std::ranges::find(
                  headers, "x-amzn-event-signature: AxxHgeHFYpiQapt7kz7Gq5wPIRUIM/RdiXSOnU/Kl9M="),
              headers.end())
        << headers.back();
    const auto bearer = webhook_headers("{}", "", "token", 1);
    EXPECT_EQ(bearer.back(), "Authorization: Bearer token");
}

TEST(Notice, FitsSns) {
    IncidentEvent event{"created", {"weir-1", trouble(std::string(300, 'x')), 1, 1, 0}, 1};
    event.incident.condition.title += "\n\xc3\xa9";
    const auto [subject, message] = notice(event);
    EXPECT_LE(subject.size(), 100U);
    EXPECT_TRUE(std::ranges::all_of(subject, [](char c) { return c >= ' ' && c <= '~'; }));
    EXPECT_NE(message.find("weir-1"), std::string::npos);
}

}  // namespace
}  // namespace weir::aws
