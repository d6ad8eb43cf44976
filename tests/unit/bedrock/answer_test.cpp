#include "bedrock/answer.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace weir::bedrock {
namespace {

codec::Head head_of(int status, std::vector<codec::Field> fields = {}) {
    codec::Head head;
    head.status = status;
    head.fields = std::move(fields);
    return head;
}

Usage usage_of(std::string body, std::vector<codec::Field> fields = {}) {
    AnswerReader reader;
    return reader.usage(Operation::converse, head_of(200, std::move(fields)), body);
}

Usage known(std::uint64_t in, std::uint64_t out, std::uint64_t read = 0, std::uint64_t write = 0) {
    Usage u;
    u.input = in;
    u.output = out;
    u.cache_read = read;
    u.cache_write = write;
    u.known = true;
    return u;
}

TEST(UsageOfAnswers, ABodyWithoutRoomBehindItIsReadAllTheSame) {
    AnswerReader reader;
    for (const std::size_t filler : {0, 20, 500, 5000}) {
        std::string body = R"({"usage":{"inputTokens":3,"outputTokens":5},"x":")" +
                           std::string(filler, 'x') + R"("})";
        body.shrink_to_fit();
        EXPECT_EQ(reader.usage(Operation::converse, head_of(200), body), known(3, 5));
    }
}

TEST(UsageOfAnswers, EveryFamily) {
    EXPECT_EQ(usage_of(R"({"output":{},"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":8,
                          "cacheReadInputTokens":2,"cacheWriteInputTokens":1}})"),
              known(3, 5, 2, 1));
    EXPECT_EQ(
        usage_of(
            R"({"usage":{"input_tokens":3,"output_tokens":5,"cache_creation_input_tokens":4}})"),
        known(3, 5, 0, 4));
    EXPECT_EQ(usage_of(R"({"generation":"x","prompt_token_count":6,"generation_token_count":7})"),
              known(6, 7));
    EXPECT_EQ(
        usage_of(R"({"inputTextTokenCount":6,"results":[{"tokenCount":7,"outputText":"x"}]})"),
        known(6, 7));
    EXPECT_EQ(usage_of(R"({"usage":{"prompt_tokens":1,"completion_tokens":2}})"), known(1, 2));
    EXPECT_EQ(usage_of("{}", {{"X-Amzn-Bedrock-Input-Token-Count", "9"},
                              {"X-Amzn-Bedrock-Output-Token-Count", "4"}}),
              known(9, 4));
}

TEST(UsageOfAnswers, HowLongTheCacheKeepsWhatWasWritten) {
    Usage hour = known(3, 5, 0, 9);
    hour.cache_write_1h = 4;
    EXPECT_EQ(usage_of(R"({"usage":{"inputTokens":3,"outputTokens":5,"cacheWriteInputTokens":9,
                          "cacheDetails":[{"ttl":"5m","inputTokens":5},{"ttl":"1h","inputTokens":4}]}})"),
              hour);
    const std::string anthropic =
        R"({"usage":{"input_tokens":3,"output_tokens":5,"cache_creation_input_tokens":9,
            "cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":4}}})";
    EXPECT_EQ(usage_of(anthropic), hour);
    const std::vector<codec::Field> counts{{"X-Amzn-Bedrock-Input-Token-Count", "3"},
                                           {"X-Amzn-Bedrock-Output-Token-Count", "5"},
                                           {"X-Amzn-Bedrock-Cache-Write-Input-Token-Count", "9"}};
    EXPECT_EQ(usage_of(anthropic, counts), hour) << "InvokeModel's headers do not tell";
    EXPECT_EQ(usage_of("not JSON", counts), known(3, 5, 0, 9));

    hour.cache_write_1h = 9;
    EXPECT_EQ(usage_of(R"({"usage":{"inputTokens":3,"outputTokens":5,"cacheWriteInputTokens":9,
                          "cacheDetails":[{"ttl":"1h","inputTokens":4000}]}})"),
              hour)
        << "no more than was written";
    for (const char* const odd :
         {"{}", "[]", "null", "[7,null]", R"([{"ttl":"1h"},{"inputTokens":4}])",
          R"([{"ttl":3600,"inputTokens":4}])", R"([{"ttl":"1h","inputTokens":-4}])"}) {
        EXPECT_EQ(usage_of(R"({"usage":{"inputTokens":3,"outputTokens":5,"cacheWriteInputTokens":9,
                              "cacheDetails":)" +
                           std::string(odd) + "}}"),
                  known(3, 5, 0, 9))
            << odd;
    }
}

TEST(UsageOfAnswers, TheTierThatServedTheCall) {
    const auto served = [](const std::string& counts, const std::string& more = "",
                           std::vector<codec::Field> fields = {}) {
        return usage_of(R"({"usage":{"inputTokens":3,"outputTokens":5)" + counts + "}" + more + "}",
                        std::move(fields))
            .tier;
    };
    EXPECT_EQ(served(""), Tier::unset);
    EXPECT_EQ(served("", R"(,"serviceTier":{"type":"flex"})"), Tier::flex);
    EXPECT_EQ(served("", R"(,"serviceTier":{"type":"default"})"), Tier::standard);
    EXPECT_EQ(served("", R"(,"service_tier":"priority")"), Tier::priority) << "OpenAI";
    EXPECT_EQ(served(R"(,"service_tier":"standard")"), Tier::standard) << "Anthropic";
    for (const std::string odd :
         {"null", "7", "\"\"", "\"batch\"", "[]", "{}", R"({"type":"batch"})", R"({"type":""})",
          R"({"type":null})", R"({"type":7})"}) {
        EXPECT_EQ(served("", ",\"serviceTier\":" + odd), Tier::unset) << odd;
    }
    std::vector<codec::Field> head{{"X-Amzn-Bedrock-Service-Tier", "flex"}};
    EXPECT_EQ(served("", "", head), Tier::flex);
    head.push_back({"X-Amzn-Bedrock-Input-Token-Count", "3"});
    head.push_back({"X-Amzn-Bedrock-Output-Token-Count", "5"});
    EXPECT_EQ(served("", "", head), Tier::flex);
    head.front().value = "batch";
    EXPECT_EQ(served("", "", head), Tier::unset);
}

TEST(UsageOfAnswers, WhatIsWrongIsUnknown) {
    EXPECT_FALSE(usage_of("").known);
    EXPECT_FALSE(usage_of("<html>").known);
    EXPECT_FALSE(usage_of(R"({"usage":null})").known);
    EXPECT_FALSE(usage_of(R"({"usage":{"inputTokens":"12"}})").known);
    EXPECT_FALSE(usage_of(R"({"usage":{"inputTokens":-5,"outputTokens":3}})").known);
    for (const char* const absurd : {"1e30", "1e999", "18446744073709551615", "100000001"}) {
        EXPECT_FALSE(
            usage_of(R"({"usage":{"inputTokens":1,"outputTokens":)" + std::string(absurd) + "}}")
                .known)
            << absurd;
    }
    // A tool's input that speaks of usage is not the answer's.
    EXPECT_EQ(
        usage_of(
            R"({"output":{"message":{"content":[{"toolUse":{"input":{"usage":{"inputTokens":99}}}}]}},
                          "usage":{"inputTokens":1,"outputTokens":2}})"),
        known(1, 2));
}

Failure failure_of(int status, std::string body, std::vector<codec::Field> fields = {}) {
    AnswerReader reader;
    return reader.failure(head_of(status, std::move(fields)), body, 1'000'000'000);
}

TEST(Failures, ClassesOfThePolicy) {
    const auto cls = [](int status, std::string_view type, std::string_view message) {
        return classify(status, type, message);
    };
    EXPECT_EQ(
        cls(429, "ThrottlingException", "Too many requests, please wait before trying again."),
        FailureClass::quota_requests);
    EXPECT_EQ(cls(429, "ThrottlingException", "Too many tokens, please wait before trying again."),
              FailureClass::quota_tokens);
    EXPECT_EQ(cls(429, "ThrottlingException",
                  "Too many tokens per day, please wait before trying again."),
              FailureClass::daily);
    EXPECT_EQ(cls(400, "ServiceQuotaExceededException", "Too many tokens per day"),
              FailureClass::daily);
    EXPECT_EQ(
        cls(429, "ThrottlingException", "Model x is currently overloaded. Please try again later."),
        FailureClass::overloaded);
    EXPECT_EQ(cls(429, "ModelNotReadyException", ""), FailureClass::overloaded);
    EXPECT_EQ(cls(529, "", ""), FailureClass::overloaded);
    EXPECT_EQ(cls(503, "ServiceUnavailableException",
                  "Too many connections, please wait before trying again."),
              FailureClass::capacity);
    EXPECT_EQ(cls(500, "InternalServerException", ""), FailureClass::server);
    EXPECT_EQ(cls(502, "", "<html>"), FailureClass::server);
    EXPECT_EQ(cls(424, "ModelErrorException", ""), FailureClass::server);
    EXPECT_EQ(cls(408, "ModelTimeoutException", ""), FailureClass::slow_model);
    EXPECT_EQ(cls(403, "ExpiredTokenException", ""), FailureClass::credentials);
    EXPECT_EQ(cls(403, "InvalidSignatureException", ""), FailureClass::credentials);
    EXPECT_EQ(cls(403, "AccessDeniedException", ""), FailureClass::caller);
    EXPECT_EQ(cls(400, "ValidationException", "prompt is too long: too many tokens"),
              FailureClass::caller);
    EXPECT_EQ(cls(404, "UnknownOperationException", ""), FailureClass::caller);
}

TEST(Failures, TypeAndMessageFromWhereverTheyStand) {
    auto f =
        failure_of(429, R"({"message":"Too many tokens, please wait before trying again."})",
                   {{"x-amzn-ErrorType", "ThrottlingException:http://internal.amazon.com/coral/"}});
    EXPECT_EQ(f.error_type, "ThrottlingException");
    EXPECT_EQ(f.cls, FailureClass::quota_tokens);
    f = failure_of(503, R"({"Message":"x","__type":"com.amazon#ServiceUnavailableException"})");
    EXPECT_EQ(f.error_type, "ServiceUnavailableException");
    EXPECT_EQ(f.message, "x");
    f = failure_of(502, "<html>bad gateway</html>");
    EXPECT_EQ(f.error_type, "ServiceUnavailableException");
    EXPECT_EQ(f.cls, FailureClass::server);
}

TEST(Failures, RetryAfterInAllItsForms) {
    const auto wait = [](std::string_view name, std::string_view value) {
        return failure_of(503, "{}", {{name, value}}).retry_after;
    };
    EXPECT_EQ(wait("Retry-After", "7"), std::chrono::seconds(7));
    EXPECT_EQ(wait("x-amz-retry-after", "1500"), std::chrono::milliseconds(1500));
    EXPECT_EQ(wait("Retry-After", "Sun, 09 Sep 2001 01:46:50 GMT"), std::chrono::seconds(10));
    EXPECT_EQ(wait("Retry-After", "Sun, 09 Sep 2001 01:46:30 GMT"), std::nullopt);
    EXPECT_EQ(wait("Retry-After", "1000000000"), std::chrono::hours(1));
    EXPECT_EQ(wait("Retry-After", "soon"), std::nullopt);
    EXPECT_EQ(wait("Retry-After", "-1"), std::nullopt);
}

codec::EventMessage event(std::string_view type, std::string_view payload) {
    codec::EventMessage m;
    m.headers = {{":message-type", std::string_view("event")}, {":event-type", type}};
    m.payload = payload;
    return m;
}

TEST(Streams, ConverseHoldsUntilContentAndReadsTheMetadata) {
    StreamWatcher w(Operation::converse_stream);
    using Kind = StreamWatcher::Kind;
    EXPECT_EQ(w.on_event(event("messageStart", R"({"role":"assistant"})")), Kind::start);
    EXPECT_EQ(w.on_event(event("contentBlockDelta", R"({"delta":{"text":"Hello there"}})")),
              Kind::content);
    EXPECT_FALSE(w.usage().known);
    EXPECT_GT(w.usage().output, 0U);
    EXPECT_EQ(w.on_event(event("contentBlockStop", "{}")), Kind::preamble);
    EXPECT_FALSE(w.ended());
    EXPECT_EQ(w.on_event(event("messageStop", R"({"stopReason":"end_turn"})")), Kind::end);
    EXPECT_TRUE(w.ended());
    EXPECT_EQ(
        w.on_event(event("metadata", R"({"usage":{"inputTokens":4,"outputTokens":2},"metrics":{},)"
                                     R"("serviceTier":{"type":"flex"}})")),
        Kind::metadata);
    Usage flex = known(4, 2);
    flex.tier = Tier::flex;
    EXPECT_EQ(w.usage(), flex);
}

TEST(Streams, InvokeReadsAnthropicChunks) {
    const auto chunk = [](std::string_view base64) {
        return "{\"bytes\":\"" + std::string(base64) + "\"}";
    };
    StreamWatcher w(Operation::invoke_stream);
    using Kind = StreamWatcher::Kind;
    // {"type":"message_start","message":{"usage":{"input_tokens":11,"output_tokens":1}}}
    EXPECT_EQ(
        w.on_event(event(
            "chunk",
            chunk("eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsidXNhZ2UiOnsiaW5wdXRfdG9rZW5z"
                  "IjoxMSwib3V0cHV0X3Rva2VucyI6MX19fQ=="))),
        Kind::start);
    // {"type":"ping"}
    EXPECT_EQ(w.on_event(event("chunk", chunk("eyJ0eXBlIjoicGluZyJ9"))), Kind::ping);
    // {"type":"content_block_delta","delta":{"text":"hi"}}
    EXPECT_EQ(
        w.on_event(event(
            "chunk",
            chunk("eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJoaSJ9fQ=="))),
        Kind::content);
    EXPECT_FALSE(w.usage().known);
    // {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":9}}
    EXPECT_EQ(
        w.on_event(event(
            "chunk",
            chunk("eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiwiYW1hem9uLWJlZHJvY2staW52b2NhdGlvbk1ldHJpY3Mi"
                  "OnsiaW5wdXRUb2tlbkNvdW50IjoxMSwib3V0cHV0VG9rZW5Db3VudCI6OX19"))),
        Kind::end);
    EXPECT_TRUE(w.ended());
    EXPECT_EQ(w.usage(), known(11, 9));
    // garbage in place of base64 is another family's content, not a crash
    EXPECT_EQ(w.on_event(event("chunk", R"({"bytes":"!!!"})")), Kind::content);
    EXPECT_EQ(w.on_event(event("chunk", "not json")), Kind::content);
}

TEST(Streams, ExceptionsAreClassifiedAsTheirNames) {
    const auto exception = [](std::string_view type, std::string_view payload) {
        codec::EventMessage m;
        m.headers = {{":message-type", std::string_view("exception")}, {":exception-type", type}};
        m.payload = payload;
        StreamWatcher w(Operation::converse_stream);
        EXPECT_EQ(w.on_event(m), StreamWatcher::Kind::failure);
        return w.failure();
    };
    const auto throttled = exception("throttlingException", R"({"message":"Too many requests"})");
    EXPECT_EQ(throttled.cls,
              FailureClass::capacity);  // in a stream it speaks of the service, not of a quota
    EXPECT_EQ(throttled.error_type, "ThrottlingException");
    EXPECT_EQ(throttled.message, "Too many requests");
    EXPECT_EQ(exception("serviceUnavailableException", "{}").cls, FailureClass::capacity);
    EXPECT_EQ(exception("internalServerException", "").cls, FailureClass::server);
    EXPECT_EQ(exception("modelStreamErrorException", "x").cls, FailureClass::server);
    EXPECT_EQ(exception("validationException", "{}").cls, FailureClass::caller);
}

}  // namespace
}  // namespace weir::bedrock
