// A request's spans, by the conventions.
#include "observe/life_spans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "unit/given.h"

namespace weir::observe {
namespace {

std::string text_of(const OtlpAttributes& attributes, std::string_view key) {
    const auto found = std::ranges::find(attributes, key, &OtlpAttribute::key);
    if (found == attributes.end()) {
        return "-";
    }
    struct ToText {
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return std::to_string(number); }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    };
    return std::visit(ToText(), found->value);
}

/// A stream that waited for 2 s, failed in one Region and was answered in another.
struct Sample {
    Life life;
    RequestTrace trace;
    WaitStep wait;
    AttemptStep first, second;

    Sample() {
        life.unix_ms = 1'790'000'000'000;
        life.ended = 9'000'000;
        life.first_content = 6'000'000;
        life.id = "id1";
        life.upstream_id = "up1";
        life.client = "app";
        life.operation = "ConverseStream";
        life.model = kSonnet;
        life.home_region = "us-east-1";
        life.outcome = "ok";
        life.status = 200;
        life.limited = life.stream = true;
        life.input_estimate = 100;
        life.usage = {90, 40, 7, 3, true};
        trace.caller =
            *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        trace.span = 77;
        trace.sampled = true;
        trace.state = "rojo=1";
        wait.from = 0;
        wait.to = 2'000'000;
        wait.cause = Hindrance::quota;
        wait.region = "us-east-1";
        wait.model = kSonnet;
        wait.limit_kind = LimitKind::tokens;
        wait.limit = 1'000;
        wait.used = 990;
        wait.cost = 200;
        first.number = 1;
        first.from = 2'000'000;
        first.sent = 2'100'000;
        first.head = 2'200'000;
        first.to = 3'000'000;
        first.account = "default";
        first.region = "us-east-1";
        first.model = kSonnet;
        first.endpoint = "runtime";
        first.why.choice = Choice::first;
        first.why.output = 512;
        first.result = "capacity";
        first.status = 503;
        first.error = "ServiceUnavailableException";
        second = first;
        second.number = 2;
        second.from = 4'000'000;
        second.sent = 4'100'000;
        second.head = 5'000'000;
        second.to = 9'000'000;
        second.region = "us-west-2";
        second.why.choice = Choice::elsewhere;
        second.result = "ok";
        second.status = 200;
        second.error = "";
    }
    std::vector<Span> spans(std::initializer_list<Step> steps) {
        Trail trail;
        trail.begin({});
        for (const Step& step : steps) {
            trail.add(step);
        }
        packed = trail.packed();
        life.steps = packed;
        return spans_of(life, trace, [](std::string_view region, std::string_view endpoint) {
            return ServerAddress{std::string(endpoint) + "." + std::string(region), 443};
        });
    }
    std::vector<Span> spans() { return spans({wait, first, second}); }
    std::string packed;
};

TEST(LifeSpans, ATreeOfOneRequestAndItsAttempts) {
    Sample sample;
    const auto spans = sample.spans();
    ASSERT_EQ(spans.size(), 3U);
    const Span& root = spans[0];
    EXPECT_EQ(root.id, 77U);
    EXPECT_EQ(root.parent, sample.trace.caller.parent);
    EXPECT_EQ(root.kind, SpanKind::server);
    EXPECT_EQ(root.name, "chat " + kSonnet);
    EXPECT_EQ(root.start_unix_ns, 1'790'000'000'000'000'000);
    EXPECT_EQ(root.end_unix_ns, 1'790'000'009'000'000'000);
    EXPECT_EQ(root.status, SpanStatus::unset);
    for (std::uint32_t i = 1; i <= 2; ++i) {
        EXPECT_EQ(spans[i].id, attempt_span(77, i));
        EXPECT_EQ(spans[i].parent, 77U);
        EXPECT_EQ(spans[i].kind, SpanKind::client);
        EXPECT_EQ(spans[i].trace, root.trace);
        EXPECT_EQ(spans[i].state, "rojo=1");
        EXPECT_EQ(spans[i].flags, 1U);
    }
    EXPECT_EQ(spans[1].start_unix_ns, 1'790'000'002'000'000'000);
    EXPECT_EQ(spans[1].end_unix_ns, 1'790'000'003'000'000'000);
    EXPECT_EQ(spans[1].status, SpanStatus::error);
    EXPECT_EQ(spans[2].status, SpanStatus::unset);
}

TEST(LifeSpans, UsageStandsOnceAndIncludesTheCache) {
    Sample sample;
    const auto spans = sample.spans();
    for (const Span& span : {spans[0], spans[1]}) {
        EXPECT_EQ(text_of(span.attributes, "gen_ai.usage.input_tokens"), "-");
    }
    const auto& last = spans[2].attributes;
    EXPECT_EQ(text_of(last, "gen_ai.usage.input_tokens"), "100");
    EXPECT_EQ(text_of(last, "gen_ai.usage.output_tokens"), "40");
    EXPECT_EQ(text_of(last, "gen_ai.usage.cache_read.input_tokens"), "7");
    EXPECT_EQ(text_of(last, "gen_ai.usage.cache_creation.input_tokens"), "3");
    EXPECT_EQ(text_of(last, "gen_ai.response.time_to_first_chunk"), "2.000000");
    EXPECT_EQ(text_of(last, "gen_ai.request.max_tokens"), "512");
    EXPECT_EQ(text_of(last, "http.request.resend_count"), "1");
    EXPECT_EQ(text_of(last, "aws.request_id"), "up1");
    EXPECT_EQ(text_of(last, "server.address"), "runtime.us-west-2");
    EXPECT_EQ(text_of(last, "server.port"), "443");
    EXPECT_EQ(text_of(spans[1].attributes, "error.type"), "ServiceUnavailableException");
    EXPECT_EQ(text_of(spans[1].attributes, "http.response.status_code"), "503");
}

TEST(LifeSpans, EventsOfTheRequest) {
    Sample sample;
    const auto events = sample.spans()[0].events;
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[0].name, "weir.wait");
    EXPECT_EQ(text_of(events[0].attributes, "weir.wait.duration"), "2.000000");
    EXPECT_EQ(text_of(events[0].attributes, "weir.wait.cause"), "quota");
    EXPECT_EQ(text_of(events[0].attributes, "weir.limit.used"), "990");
    EXPECT_EQ(events[1].name, "weir.fallback");
    EXPECT_EQ(events[1].unix_ns, 1'790'000'004'000'000'000);
    EXPECT_EQ(text_of(events[1].attributes, "weir.after"), "ServiceUnavailableException");
    EXPECT_EQ(events[2].name, "weir.first_content");

    sample.second.region = sample.first.region;
    EXPECT_EQ(sample.spans()[0].events[1].name, "weir.retry");
    sample.first.why.choice = Choice::spilled;
    sample.first.why.first_hindered = Hindrance::breaker;
    const auto spilled = sample.spans({sample.first})[0].events;
    EXPECT_EQ(spilled[0].name, "weir.spill");
    EXPECT_EQ(text_of(spilled[0].attributes, "weir.spill.cause"), "breaker");
}

TEST(LifeSpans, ARefusal) {
    Sample sample;
    sample.life.outcome = "throttled";
    sample.life.reason = "quota";
    sample.life.error = "ThrottlingException";
    sample.life.status = 429;
    sample.life.first_content = kNever;
    RefusalStep refusal;
    refusal.at = 20;
    refusal.limit_kind = LimitKind::requests;
    refusal.limit = 5;
    refusal.retry_after = 3'000'000;
    const auto spans = sample.spans({refusal});
    ASSERT_EQ(spans.size(), 1U);
    EXPECT_EQ(spans[0].status, SpanStatus::error);
    EXPECT_EQ(text_of(spans[0].attributes, "error.type"), "ThrottlingException");
    EXPECT_EQ(text_of(spans[0].attributes, "weir.attempts"), "0");
    ASSERT_EQ(spans[0].events.size(), 1U);
    EXPECT_EQ(text_of(spans[0].events[0].attributes, "weir.refusal.retry_after"), "3.000000");
}

TEST(LifeSpans, TheCallersFaultsAreNoErrorsOfTheRequest) {
    Sample sample;
    for (const auto& [outcome, status] :
         {std::pair("client_error", SpanStatus::unset), std::pair("cancelled", SpanStatus::unset),
          std::pair("broken_stream", SpanStatus::error),
          std::pair("deadline", SpanStatus::error)}) {
        sample.life.outcome = outcome;
        sample.life.status = 499;
        const Span root = sample.spans()[0];
        EXPECT_EQ(root.status, status) << outcome;
        EXPECT_EQ(text_of(root.attributes, "error.type"), outcome);
        EXPECT_EQ(text_of(root.attributes, "http.response.status_code"), "-");
    }
}

TEST(LifeSpans, LieWithinTheRequestWhateverTheStepsSay) {
    Sample sample;
    sample.second.from = -5;
    sample.second.to = kNever;
    sample.first.from = 50'000'000;
    sample.first.to = 10;
    const auto spans = sample.spans();
    for (const Span& span : spans) {
        EXPECT_LE(spans[0].start_unix_ns, span.start_unix_ns);
        EXPECT_LE(span.start_unix_ns, span.end_unix_ns);
        EXPECT_LE(span.end_unix_ns, spans[0].end_unix_ns);
    }
}

TEST(LifeSpans, OperationsByTheConventionsNames) {
    EXPECT_EQ(gen_ai_operation("Converse", "m"), "chat");
    EXPECT_EQ(gen_ai_operation("Messages", "m"), "chat");
    EXPECT_EQ(gen_ai_operation("InvokeModel", kSonnet), "chat");
    EXPECT_EQ(gen_ai_operation("InvokeModelWithResponseStream", "eu.amazon.nova-lite-v1:0"),
              "chat");
    EXPECT_EQ(gen_ai_operation("InvokeModel", "amazon.titan-embed-text-v2:0"), "embeddings");
    EXPECT_EQ(gen_ai_operation("InvokeModel", "cohere.embed-english-v3"), "embeddings");
    EXPECT_EQ(gen_ai_operation("InvokeModel", "cohere.rerank-v3-5:0"), "rerank");
    EXPECT_EQ(gen_ai_operation("InvokeModel", "amazon.nova-canvas-v1:0"), "generate_content");
    EXPECT_EQ(gen_ai_operation("InvokeModel", "stability.sd3-5-large-v1:0"), "generate_content");
    EXPECT_EQ(gen_ai_operation("InvokeModel", "meta.llama3-8b-instruct-v1:0"), "text_completion");
    EXPECT_EQ(gen_ai_operation("CountTokens", kSonnet), "");
    EXPECT_EQ(gen_ai_operation("ApplyGuardrail", ""), "");
    EXPECT_EQ(gen_ai_operation("", ""), "");
    Sample sample;
    sample.life.operation = "CountTokens";
    EXPECT_EQ(sample.spans()[0].name, "CountTokens " + kSonnet);
    sample.life.operation = sample.life.model = "";
    EXPECT_EQ(sample.spans()[0].name, "request");
}

}  // namespace
}  // namespace weir::observe
