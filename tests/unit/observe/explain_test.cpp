// What is told of a request, and what would have been faster.
#include "observe/explain.h"
#include "observe/faster.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace weir::observe {
namespace {

constexpr std::string_view kModel = "claude";

/// It waited 11 s for tokens behind 12 calls, and was answered in 3 s.
struct Waited {
    Life life;
    WaitStep wait;
    AttemptStep attempt;

    Waited() {
        life.unix_ms = 1'790'000'000'123;
        life.ended = 14'000'000;
        life.id = "id1";
        life.client = "app";
        life.operation = "Converse";
        life.model = kModel;
        life.home_region = "us-east-1";
        life.outcome = "ok";
        life.status = 200;
        life.limited = true;
        life.bytes = 5'210;
        life.input_estimate = 1'234;
        life.max_tokens = 4'096;
        life.usage = {1'180, 800, 0, 0, true};
        life.output_burndown = 5;
        wait.from = 0;
        wait.to = 11'000'000;
        wait.cause = Hindrance::quota;
        wait.region = "us-east-1";
        wait.model = kModel;
        wait.limit_kind = LimitKind::tokens;
        wait.limit = 200'000;
        wait.used = 198'000;
        wait.cost = 5'396;
        wait.calls_before = 0;
        wait.tokens_before = 0;
        wait.targets = 1;
        attempt.from = 11'000'000;
        attempt.sent = 11'000'200;
        attempt.to = 14'000'000;
        attempt.region = "us-east-1";
        attempt.model = kModel;
        attempt.why.choice = Choice::first;
        attempt.why.input_expected = 1'180;
        attempt.why.input_held = 1'300;
        attempt.why.output = 4'096;
        attempt.why.output_held = 4'096;
        attempt.reservation = 5'396;
        attempt.result = "ok";
        attempt.status = 200;
    }
    std::vector<Step> steps() const { return {wait, attempt}; }
    std::vector<Faster> advice(std::vector<std::string> others = {}) const {
        const auto all = steps();
        return faster(life, all, others);
    }
    std::string told() const {
        std::string text;
        for (const auto& one : sentences(life, steps())) {
            text += one + "\n";
        }
        return text;
    }
};

const Faster* find(const std::vector<Faster>& all, std::string_view what) {
    const auto found = std::ranges::find(all, what, &Faster::what);
    return found == all.end() ? nullptr : &*found;
}

TEST(Faster, SaysHowMuchMoreQuotaWouldHaveBeenEnough) {
    Waited w;
    const auto all = w.advice();
    const Faster* quota = find(all, "quota");
    ASSERT_NE(quota, nullptr);
    EXPECT_EQ(quota->from, 200'000U);
    EXPECT_EQ(quota->to, 204'418U) << "used and needed, of which 0.5 % stays unused";
    EXPECT_EQ(quota->region, "us-east-1");
    EXPECT_NE(quota->text.find("With a quota of 204,418 tokens a minute (4,418 more than 200,000)"),
              std::string::npos)
        << quota->text;
    w.wait.calls_before = 3;
    w.wait.tokens_before = 20'000;
    w.wait.held_before = 60'000;
    const auto more = w.advice();
    EXPECT_EQ(find(more, "quota")->to, 264'719U) << "and what those before it hold";
    EXPECT_NE(find(more, "quota")->text.find("With a quota of about 264,719"), std::string::npos);
}

TEST(Faster, CountsRequestsWhereRequestsAreShort) {
    Waited w;
    w.wait.limit_kind = LimitKind::requests;
    w.wait.limit = 50;
    w.wait.used = 50;
    w.wait.calls_before = 9;
    const auto all = w.advice();
    ASSERT_NE(find(all, "quota"), nullptr);
    EXPECT_EQ(find(all, "quota")->to, 60U);
    EXPECT_EQ(find(all, "max_tokens"), nullptr) << "it would not have helped";
}

TEST(Faster, ASmallerMaxTokensHelpsWhenTheAnswerNeededLess) {
    Waited w;
    w.wait.used = 197'000;  // of 199,000 that calls may use
    w.life.usage.output = 500;
    const auto all = w.advice();
    const Faster* smaller = find(all, "max_tokens");
    ASSERT_NE(smaller, nullptr);
    EXPECT_EQ(smaller->from, 4'096U);
    EXPECT_EQ(smaller->to, 700U) << "4,096 less the 3,396 that were missing";
    EXPECT_NE(smaller->text.find("the answer has 500"), std::string::npos) << smaller->text;
}

TEST(Faster, NoSmallerMaxTokensThanTheAnswerHas) {
    Waited w;
    w.life.usage.output = 4'096;
    EXPECT_EQ(find(w.advice(), "max_tokens"), nullptr) << "it used all of it";
    w.life.usage.output = 2'000;  // 2,096 in vain, of 3,396 that were missing
    const auto all = w.advice();
    ASSERT_NE(find(all, "max_tokens"), nullptr);
    EXPECT_EQ(find(all, "max_tokens")->to, 2'000U);
    EXPECT_NE(find(all, "max_tokens")->text.find("2,096 tokens of the quota in vain"),
              std::string::npos);
    w.life.usage.output = 4'000;  // 96 of 3,396
    EXPECT_EQ(find(w.advice(), "max_tokens"), nullptr) << "too little to speak of";
}

TEST(Faster, ATokenThatCountsFiveTimesFreesFive) {
    Waited w;
    w.wait.used = 197'000;
    w.life.usage.output = 100;
    w.attempt.why.output_held = 5 * 4'096;
    EXPECT_EQ(find(w.advice(), "max_tokens")->to, 4'096U - 680U);
}

TEST(Faster, AnotherRegionWhereTheRouteHasOne) {
    Waited w;
    EXPECT_NE(find(w.advice(), "target"), nullptr);
    const auto all = w.advice({"us-west-2"});
    EXPECT_EQ(find(all, "target")->region, "us-west-2");
    EXPECT_NE(find(all, "target")->text.find("us-west-2"), std::string::npos);
    w.wait.targets = 2;
    EXPECT_EQ(find(w.advice({"us-west-2"}), "target"), nullptr);
}

TEST(Faster, AClientsOwnLimitIsNoQuotaOfTheService) {
    Waited w;
    w.wait.cause = Hindrance::client_limit;
    const auto all = w.advice({"us-west-2"});
    EXPECT_EQ(find(all, "quota"), nullptr);
    EXPECT_EQ(find(all, "target"), nullptr) << "it holds everywhere";
    ASSERT_NE(find(all, "client_limit"), nullptr);
    EXPECT_EQ(find(all, "client_limit")->to, 204'418U);
}

TEST(Faster, EachHindranceHasItsOwnRemedy) {
    Waited w;
    w.wait.cause = Hindrance::connections;
    EXPECT_NE(find(w.advice(), "connections"), nullptr);
    w.wait.cause = Hindrance::breaker;
    EXPECT_NE(find(w.advice(), "target"), nullptr);
    EXPECT_EQ(find(w.advice(), "quota"), nullptr);
    w.wait.cause = Hindrance::in_flight;
    w.wait.limit_kind = LimitKind::in_flight;
    w.wait.limit = w.wait.used = 10;
    w.wait.calls_before = 3;
    EXPECT_EQ(find(w.advice(), "max_in_flight")->to, 14U);
}

TEST(Faster, AnUnknownLimitOrAMomentsWaitGivesNoFigures) {
    Waited w;
    w.wait.limit = 0;
    EXPECT_EQ(find(w.advice(), "quota"), nullptr);
    EXPECT_EQ(find(w.advice(), "max_tokens"), nullptr);
    Waited short_wait;
    short_wait.wait.to = 50'000;
    short_wait.attempt.sent = 13'500'000;
    EXPECT_TRUE(short_wait.advice().empty());
}

TEST(Faster, TheSameRemedyIsSaidOnce) {
    Waited w;
    std::vector<Step> steps{w.wait, w.wait, w.wait, w.attempt};
    const auto all = faster(w.life, steps, {});
    EXPECT_EQ(std::ranges::count(all, std::string_view("quota"), &Faster::what), 1);
}

TEST(Faster, ARefusalNamesTheLimitAndTheTime) {
    Life life;
    life.max_tokens = 64'000;
    RefusalStep refusal;
    refusal.reason = RefusalReason::never_fits;
    refusal.region = "us-east-1";
    refusal.model = kModel;
    refusal.limit_kind = LimitKind::tokens;
    refusal.limit = 50'000;
    refusal.cost = 66'000;
    std::vector<Step> steps{refusal};
    auto all = faster(life, steps, {});
    EXPECT_EQ(find(all, "quota")->to, 66'331U);
    EXPECT_EQ(find(all, "max_tokens")->to, 47'750U);
    EXPECT_EQ(find(all, "deadline"), nullptr);

    refusal.reason = RefusalReason::quota;
    refusal.used = 49'000;
    refusal.cost = 2'000;
    refusal.retry_after = 12'000'000;
    steps = {refusal};
    all = faster(life, steps, {});
    EXPECT_EQ(find(all, "quota")->to, 51'256U);
    ASSERT_NE(find(all, "deadline"), nullptr);
    EXPECT_NE(find(all, "deadline")->text.find("12.0 s later"), std::string::npos);
}

TEST(Faster, WhereNothingHeldItBackTheModelTookTheTime) {
    Waited w;
    std::vector<Step> steps{w.attempt};
    const auto all = faster(w.life, steps, {});
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].what, "model");
    EXPECT_NE(all[0].text.find("800 tokens of output, 267 a second"), std::string::npos)
        << all[0].text;
    w.attempt.result = "capacity";
    steps = {w.attempt};
    EXPECT_TRUE(faster(w.life, steps, {}).empty());
}

TEST(Explain, TellsAWaitFromArrivalToSettlement) {
    Waited w;
    w.wait.calls_before = 12;
    w.wait.tokens_before = 60'000;
    const std::string told = w.told();
    for (const char* part : {
             "Client app sent Converse for claude at 2026-09-21T14:13:20.123Z, home Region "
             "us-east-1, priority standard.",
             "Weir counted about 1,234 tokens of input in a body of 5,210 bytes, expected 1,180",
             "held 1,300 with a margin",
             "Its max_tokens is 4,096. So it held 5,396 tokens of the quota.",
             "It waited 11.0 s from 0 s on, because of claude in us-east-1 198,000 of 200,000 "
             "tokens a minute were used and it needed 5,396.",
             "12 calls were before it, expected to take 60,000 tokens.",
             "Attempt 1 went to claude in us-east-1 at 11.0 s, the first choice of its route. It "
             "was answered with 200 after 3.0 s.",
             "1,180 tokens of input and 800 of output: 5,180 of the quota (a token of output "
             "counts 5); 216 held in vain went back.",
             "The client got status 200 after 14.0 s: 11.0 s in the queue, 0 s in attempts that "
             "failed, 3.0 s with the service, 0 s with weir and the client.",
         }) {
        EXPECT_NE(told.find(part), std::string::npos) << part << "\nin\n" << told;
    }
}

TEST(Explain, SaysWhyEachTarget) {
    Waited w;
    AttemptStep failed = w.attempt;
    failed.from = 0;
    failed.to = 200'000;
    failed.result = "capacity";
    failed.status = 503;
    failed.error = "ServiceUnavailableException";
    AttemptStep second = w.attempt;
    second.region = "us-west-2";
    second.account = "prod";
    second.why.choice = Choice::elsewhere;
    const auto told = [&](const AttemptStep& attempt) {
        const std::vector<Step> steps{failed, attempt};
        std::string text;
        for (const auto& one : sentences(w.life, steps)) {
            text += one + "\n";
        }
        return text;
    };
    EXPECT_NE(told(second).find("It ended after 200 ms: capacity, status 503 "
                                "ServiceUnavailableException."),
              std::string::npos)
        << told(second);
    EXPECT_NE(told(second).find("claude in us-west-2 of account prod at 11.0 s, a fallback after "
                                "ServiceUnavailableException from claude in us-east-1."),
              std::string::npos)
        << told(second);
    second.why.choice = Choice::again;
    EXPECT_NE(told(second).find("a retry after"), std::string::npos);
    second.why.choice = Choice::spilled;
    second.why.first_hindered = Hindrance::breaker;
    EXPECT_NE(told(second).find("could not take it in time: its breaker was open"),
              std::string::npos);
    second.why.choice = Choice::prompt_cache;
    EXPECT_NE(told(second).find("holds the prompt cache"), std::string::npos);
}

TEST(Explain, TellsWhatIsUnderWay) {
    Waited w;
    w.life.ended = kNever;
    w.life.outcome = {};
    w.life.status = 0;
    w.wait.to = kNever;
    Trail trail;
    trail.add(w.wait);
    w.life.steps = trail.packed();
    const auto json = nlohmann::json::parse(explain_json(w.life, {}));
    EXPECT_EQ(json["state"], "waiting");
    EXPECT_TRUE(json["steps"][0]["to_ms"].is_null());
    EXPECT_TRUE(json["times"]["total_ms"].is_null());
    EXPECT_TRUE(json["answer"]["status"].is_null());
    EXPECT_NE(json["sentences"].back(), "");
    EXPECT_EQ(json["sentences"].back(), "It has not ended.");
    EXPECT_EQ(json["faster"][0]["what"], "quota") << "who waits may want to know now";
}

TEST(Explain, TwoAnswersAreSettledTogether) {
    Waited w;
    w.life.usage = {2'360, 1'312, 0, 0, true};
    AttemptStep cut = w.attempt;
    cut.to = 12'000'000;
    cut.reservation = 1'812;
    cut.right_sized = true;
    cut.result = "truncated";
    cut.quota_tokens = 3'740;
    w.attempt.from = w.attempt.sent = 12'000'000;
    w.attempt.quota_tokens = 5'180;
    std::vector<Step> steps{w.wait, cut, w.attempt};
    const auto told = [&] {
        std::string text;
        for (const auto& one : sentences(w.life, steps)) {
            text += one + "\n";
        }
        return text;
    };
    EXPECT_NE(told().find("2,360 tokens of input and 1,312 of output in 2 answers: 8,920 of the "
                          "quota; 1,712 more than was held."),
              std::string::npos)
        << told();
    EXPECT_NE(told().find("1.0 s in attempts that failed, 2.0 s with the service"),
              std::string::npos)
        << told();
    Trail trail;
    for (const Step& step : steps) {
        trail.add(step);
    }
    w.life.steps = trail.packed();
    const auto json = nlohmann::json::parse(explain_json(w.life, {}));
    EXPECT_EQ(json["steps"][1]["quota_tokens"], 3'740);
    EXPECT_EQ(json["settlement"]["quota_tokens"], 8'920);
    EXPECT_EQ(json["settlement"]["reserved"], 7'208);

    // Nothing better came: what was cut short is given after all.
    auto& second = std::get<AttemptStep>(steps.back());
    second.result = "capacity";
    second.status = 503;
    second.quota_tokens.reset();
    EXPECT_NE(told().find("2.0 s in attempts that failed, 1.0 s with the service"),
              std::string::npos)
        << told();
}

TEST(Explain, TheJsonHasEveryFigure) {
    Waited w;
    Trail trail;
    for (const Step& step : w.steps()) {
        trail.add(step);
    }
    w.life.steps = trail.packed();
    const std::vector<std::string> others{"us-west-2"};
    const auto json = nlohmann::json::parse(explain_json(w.life, others));
    EXPECT_EQ(json["id"], "id1");
    EXPECT_EQ(json["state"], "ended");
    EXPECT_EQ(json["estimate"]["input_held"], 1'300);
    EXPECT_EQ(json["estimate"]["reserved"], 5'396);
    EXPECT_EQ(json["steps"][0]["because"], "quota");
    EXPECT_EQ(json["steps"][0]["limit"]["needed"], 5'396);
    EXPECT_EQ(json["steps"][1]["choice"], "first");
    EXPECT_EQ(json["steps"][1]["from_ms"], 11'000.0);
    EXPECT_EQ(json["settlement"]["quota_tokens"], 5'180);
    EXPECT_EQ(json["times"]["queued_ms"], 11'000.0);
    EXPECT_EQ(json["request"]["client"], "app");
    w.life.limited = false;
    EXPECT_TRUE(nlohmann::json::parse(explain_json(w.life, others))["estimate"].is_null());
}

TEST(Explain, OddBytesStayInsideTheirStrings) {
    Waited w;
    w.life.client = "a\"b\xff\n";
    const auto json = nlohmann::json::parse(explain_json(w.life, {}));
    EXPECT_EQ(json["request"]["client"], "a\"b\xEF\xBF\xBD\n");
}

TEST(Explain, AnUnknownRequestIsToldWhatIsKept) {
    Kept kept;
    const std::int64_t start = 1'790'000'000'000;
    EXPECT_NE(unknown_text("x", kept, start)
                  .find("No request has been kept since weir started at "
                        "2026-09-21T14:13:20.000Z"),
              std::string::npos);
    kept = {3'412, 12, start + 60'000, 0};
    const std::string text = unknown_text("x", kept, start);
    EXPECT_NE(text.find("nothing is kept of request x"), std::string::npos);
    EXPECT_NE(text.find("3,412 requests: all since 2026-09-21T14:14:20.000Z"), std::string::npos)
        << text;
    EXPECT_NE(text.find("12 among them that waited, failed or were refused since weir started at"),
              std::string::npos)
        << text;
}

TEST(Explain, DurationsAreReadable) {
    EXPECT_EQ(duration_text(0), "0 s");
    EXPECT_EQ(duration_text(250), "250 µs");
    EXPECT_EQ(duration_text(1'500), "1.5 ms");
    EXPECT_EQ(duration_text(45'400), "45 ms");
    EXPECT_EQ(duration_text(999'600), "1.0 s");
    EXPECT_EQ(duration_text(14'020'000), "14.0 s");
    EXPECT_EQ(duration_text(250'000'000), "250 s");
}

}  // namespace
}  // namespace weir::observe
