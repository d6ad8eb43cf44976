// What goes over the wire decodes to what was meant.
#include "simulator/answer.h"
#include "simulator/refusal.h"

#include "codec/eventstream.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::simulator {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr Language kAll[] = {Language::converse, Language::anthropic, Language::nova,
                             Language::titan,    Language::llama,     Language::mistral,
                             Language::openai};

Generation generation(std::uint64_t output) {
    Generation made;
    made.request_id = "3d1c2f6e-0000-4000-8000-000000000000";
    made.model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    made.use = {.input = 11, .output = output, .cache_read = 3, .cache_write = 2};
    made.ttft = 100ms;
    made.rate = 50;
    return made;
}

struct Event {
    std::string type;
    std::string exception;
    Json payload;
};

std::vector<Event> decode(std::string_view bytes) {
    std::vector<Event> events;
    while (!bytes.empty()) {
        codec::EventMessage message;
        const auto taken = codec::read_event(bytes, message);
        EXPECT_TRUE(taken && *taken);
        if (!taken || !*taken) {
            break;
        }
        events.push_back({std::string(message.event_type()), std::string(message.exception_type()),
                          Json::parse(message.payload)});
        bytes.remove_prefix(**taken);
    }
    return events;
}

std::string unbase64(const std::string& text) {
    std::string out;
    unsigned bits = 0;
    int held = 0;
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (const char c : text) {
        if (c == '=') {
            break;
        }
        bits = bits * 64 + static_cast<unsigned>(alphabet.find(c));
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>(bits >> static_cast<unsigned>(held));
            bits &= (1U << static_cast<unsigned>(held)) - 1;
        }
    }
    return out;
}

TEST(Answer, ConverseHasEveryRequiredMember) {
    const Generation made = generation(20);
    const Json body = Json::parse(answer_body(made, Language::converse));
    EXPECT_EQ(body["output"]["message"]["role"], "assistant");
    EXPECT_EQ(body["output"]["message"]["content"][0]["text"], make_text(made, 0, 20));
    EXPECT_EQ(body["stopReason"], "end_turn");
    EXPECT_EQ(body["usage"]["inputTokens"], 11);
    EXPECT_EQ(body["usage"]["outputTokens"], 20);
    EXPECT_EQ(body["usage"]["totalTokens"], 36);
    EXPECT_EQ(body["usage"]["cacheReadInputTokens"], 3);
    EXPECT_EQ(body["metrics"]["latencyMs"], 500);
}

TEST(Answer, EveryLanguageSaysTheTextAndTheCut) {
    Generation made = generation(20);
    made.cut = true;
    const std::string text = make_text(made, 0, 20);
    for (const Language language : kAll) {
        const std::string body = answer_body(made, language);
        const Json json = Json::parse(body);
        EXPECT_NE(json.dump().find(Json(text).dump().substr(1, 20)), std::string::npos);
        EXPECT_TRUE(body.find("max_tokens") != std::string::npos ||
                    body.find("length") != std::string::npos ||
                    body.find("LENGTH") != std::string::npos);
    }
}

TEST(Answer, ConverseStreamHasItsEventsInOrderAndItsUsageLast) {
    const Generation made = generation(20);
    const auto events = decode(stream_head(made, Language::converse) +
                               stream_piece(made, Language::converse, make_text(made, 0, 12)) +
                               stream_piece(made, Language::converse, make_text(made, 12, 8)) +
                               stream_tail(made, Language::converse));
    ASSERT_EQ(events.size(), 6U);
    const char* order[] = {"messageStart",     "contentBlockDelta", "contentBlockDelta",
                           "contentBlockStop", "messageStop",       "metadata"};
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].type, order[i]);
        EXPECT_TRUE(events[i].payload.contains("p"));
    }
    EXPECT_EQ(events[1].payload["delta"]["text"].get<std::string>() +
                  events[2].payload["delta"]["text"].get<std::string>(),
              make_text(made, 0, 20));
    EXPECT_EQ(events[5].payload["usage"]["outputTokens"], 20);
    EXPECT_EQ(events[5].payload["metrics"]["latencyMs"], 500);
}

TEST(Answer, InvokeStreamsAreChunksThatEndWithTheMetrics) {
    const Generation made = generation(20);
    for (const Language language : kAll) {
        if (language == Language::converse) {
            continue;
        }
        const auto events = decode(stream_head(made, language) +
                                   stream_piece(made, language, make_text(made, 0, 20)) +
                                   stream_tail(made, language));
        ASSERT_FALSE(events.empty());
        for (const Event& event : events) {
            EXPECT_EQ(event.type, "chunk");
        }
        const Json last = Json::parse(unbase64(events.back().payload["bytes"].get<std::string>()));
        EXPECT_EQ(last["amazon-bedrock-invocationMetrics"]["outputTokenCount"], 20);
        EXPECT_EQ(last["amazon-bedrock-invocationMetrics"]["inputTokenCount"], 11);
        EXPECT_EQ(last["amazon-bedrock-invocationMetrics"]["firstByteLatency"], 100);
    }
}

TEST(Answer, AnExceptionIsAnExceptionMessage) {
    const StreamException exception = stream_exception(FaultKind::first_event);
    const auto events = decode(stream_error(exception.name, exception.payload));
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].exception, "serviceUnavailableException");
    EXPECT_EQ(events[0].payload["message"], "Bedrock is unable to process your request.");
}

TEST(Answer, EchoRepeatsThePrompt) {
    Generation made = generation(20);
    made.echo = "größer 🌊";
    EXPECT_EQ(make_text(made, 0, 5) + make_text(made, 5, 15), made.echo);
}

TEST(Refusal, SaysWhatTheServiceSays) {
    EXPECT_EQ(quota_error(Verdict::tokens).status, 429);
    EXPECT_EQ(quota_error(Verdict::tokens).type, "ThrottlingException");
    EXPECT_EQ(Json::parse(quota_error(Verdict::tokens).body)["message"],
              "Too many tokens, please wait before trying again.");
    EXPECT_EQ(Json::parse(quota_error(Verdict::requests).body)["message"],
              "Too many requests, please wait before trying again.");
    EXPECT_EQ(Json::parse(quota_error(Verdict::daily).body)["message"],
              "Too many tokens per day, please wait before trying again.");
    EXPECT_EQ(Json::parse(fault_error(FaultKind::overloaded, "m").body)["message"],
              "Model m is currently overloaded. Please try again later.");
    const std::pair<FaultKind, int> statuses[] = {
        {FaultKind::unavailable, 503},   {FaultKind::too_many_connections, 503},
        {FaultKind::overloaded, 429},    {FaultKind::overloaded_529, 529},
        {FaultKind::not_ready, 429},     {FaultKind::internal, 500},
        {FaultKind::model_timeout, 408}, {FaultKind::model_error, 424},
        {FaultKind::access_denied, 403}, {FaultKind::expired_token, 403},
        {FaultKind::daily_quota, 429},   {FaultKind::garbage, 502},
        {FaultKind::first_event, 503},   {FaultKind::mid_stream, 424}};
    for (const auto& [kind, status] : statuses) {
        EXPECT_EQ(fault_error(kind, "m").status, status) << to_string(kind);
    }
}

}  // namespace
}  // namespace weir::simulator
