// Weir's own answers: what each refusal says, and when the service's own word is repeated.
#include "gateway/answer.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using bedrock::Dialect;
using bedrock::Operation;

Refusal refusal(RefusalReason reason, LimitKind kind = LimitKind::none) {
    Refusal made;
    made.reason = reason;
    made.limit_kind = kind;
    made.region = "us-east-1";
    made.limit = 1000;
    made.used = 900;
    made.cost = 200;
    return made;
}

std::string text(const Refusal& of) {
    return refusal_answer(of, "m").message;
}

TEST(Refusals, NameTheLimitItsUseAndWhatTheCallNeeds) {
    const std::pair<LimitKind, std::string_view> rows[] = {
        {LimitKind::requests, "requests per minute."},
        {LimitKind::tokens, "tokens per minute, and this call needs 200."},
        {LimitKind::daily_tokens, "tokens per day, and this call needs 200."},
        {LimitKind::input_tokens, "input tokens per minute, and this call needs 200."},
        {LimitKind::output_tokens, "output tokens per minute, and this call needs 200."},
        {LimitKind::in_flight, "calls in flight."}};
    for (const auto& [kind, words] : rows) {
        const std::string said = text(refusal(RefusalReason::quota, kind));
        EXPECT_TRUE(said.ends_with(" m in us-east-1 uses 900 of 1,000 " + std::string(words)))
            << said;
        Refusal unknown = refusal(RefusalReason::quota, kind);
        unknown.limit = 0;
        EXPECT_NE(text(unknown).find("the limit itself is not known yet"), std::string::npos);
    }
    EXPECT_TRUE(
        text(refusal(RefusalReason::queue_full)).ends_with("The call is for m in us-east-1."));
    Refusal own = refusal(RefusalReason::client_limit, LimitKind::tokens);
    EXPECT_NE(text(own).find(" It uses 900 of 1,000"), std::string::npos) << text(own);
    Refusal free = refusal(RefusalReason::quota, LimitKind::tokens);
    free.cost = 0;
    free.region.clear();
    free.model = "other";
    free.retry_after = 1ms;
    EXPECT_TRUE(text(free).ends_with(
        " other uses 900 of 1,000 tokens per minute. Room is expected in 1 s."))
        << text(free);
}

TEST(Refusals, AWayOutIsShownWhereThereIsOne) {
    Refusal down = refusal(RefusalReason::unavailable);
    EXPECT_EQ(text(down), "weir: every target of m is down.");
    EXPECT_EQ(refusal_answer(down, "m").retry_after, 1s);
    down.retry_after = 4s;
    EXPECT_TRUE(text(down).ends_with("The next one is probed in 4 s.")) << text(down);
    EXPECT_EQ(refusal_answer(down, "m").retry_after, 4s);
    EXPECT_NE(text(refusal(RefusalReason::no_target)).find("no target of the route of m"),
              std::string::npos);
    EXPECT_NE(text(refusal(RefusalReason::never_fits)).find("Lower max_tokens"), std::string::npos);
}

TEST(Refusals, ABodyThatIsTooLarge) {
    EXPECT_FALSE(oversize(Operation::converse, 10, 10));
    EXPECT_EQ(oversize(Operation::converse, 10, 11)->status, 413);
    constexpr std::uint64_t kMost = 32 << 20;
    EXPECT_FALSE(oversize(Operation::invoke, kMost, 25'000'000));
    for (const auto operation : {Operation::invoke, Operation::invoke_stream}) {
        EXPECT_EQ(oversize(operation, kMost, 25'000'001)->status, 400) << "as the service says it";
    }
    EXPECT_FALSE(oversize(Operation::converse, kMost, 25'000'001));
    EXPECT_EQ(oversize(Operation::invoke, 20'000'000, 25'000'001)->status, 413);
}

TEST(Refusals, AnUpstreamErrorIsRepeatedAsItCame) {
    Failure failure;
    failure.cls = FailureClass::capacity;
    failure.status = 503;
    failure.error_type = "ServiceUnavailableException";
    failure.message = "Bedrock is unable to process your request.";
    failure.retry_after = 7s;
    const ErrorAnswer as_it_came = remembered_answer(failure);
    EXPECT_EQ(as_it_came.status, 503);
    EXPECT_EQ(as_it_came.message, failure.message);
    EXPECT_EQ(as_it_came.retry_after, 7s);
    failure.status = 429;
    failure.retry_after.reset();
    EXPECT_EQ(remembered_answer(failure).retry_after, 1s);
    failure.status = 400;
    EXPECT_EQ(remembered_answer(failure).retry_after, std::nullopt);

    const ErrorAnswer unsaid = remembered_answer(Failure());
    EXPECT_EQ(unsaid.status, 503) << "no status came";
    EXPECT_EQ(unsaid.type, "ServiceUnavailableException");
    EXPECT_NE(unsaid.message.find("all attempts of this call have failed"), std::string::npos);
}

TEST(Refusals, TheLastWordIsTheServicesOrWeirs) {
    Refusal down = refusal(RefusalReason::unavailable);
    EXPECT_EQ(last_word(down, "m", false, false).reason, "unavailable");
    EXPECT_EQ(last_word(down, "m", true, false).reason, "draining");
    EXPECT_EQ(last_word(refusal(RefusalReason::quota), "m", true, false).status, 429);
    Refusal spent = refusal(RefusalReason::attempts_exhausted);
    spent.upstream.emplace().status = 500;
    spent.upstream->cls = FailureClass::server;
    EXPECT_EQ(last_word(spent, "m", true, false).status, 500);
    EXPECT_EQ(last_word(spent, "m", true, false).reason, "");
    EXPECT_EQ(last_word(spent, "m", false, true).outcome, observe::Outcome::deadline);
    spent.repeated = true;
    EXPECT_EQ(last_word(spent, "m", false, false).reason, "attempts_exhausted");
}

TEST(Refusals, WhatTheServiceSaidGoesOnOnlyIfItIsWhatTheRefusalSpeaksOf) {
    KeptAnswer kept;
    kept.failure.status = 400;
    kept.failure.message = "no";
    kept.body = R"({"message":"no"})";
    Refusal of = refusal(RefusalReason::upstream_error);
    EXPECT_FALSE(goes_as_it_came(of, kept, Dialect::aws)) << "it speaks of no upstream";
    of.upstream = kept.failure;
    EXPECT_TRUE(goes_as_it_came(of, kept, Dialect::aws));
    EXPECT_FALSE(goes_as_it_came(of, kept, Dialect::openai)) << "its clients cannot read it";
    of.upstream->message = "other";
    EXPECT_FALSE(goes_as_it_came(of, kept, Dialect::aws));
    of.upstream->status = 500;
    EXPECT_FALSE(goes_as_it_came(of, kept, Dialect::aws));
}

TEST(Refusals, EveryControlByteIsEscaped) {
    EXPECT_EQ(json_text("a\x7f\x01\\"), R"("a\u007f\u0001\\")");
    std::string fields;
    ErrorAnswer plain;
    plain.type = "X";
    append_error_fields(fields, plain);
    EXPECT_EQ(fields, "Content-Type: application/json\r\nx-amzn-ErrorType: X\r\n")
        << "nothing about when to come back";
}

}  // namespace
}  // namespace weir::gateway
