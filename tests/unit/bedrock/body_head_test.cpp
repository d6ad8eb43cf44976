#include "bedrock/body_head.h"

#include "bedrock/request.h"

#include <gtest/gtest.h>

namespace weir::bedrock {
namespace {

BodyHead head_of(Operation operation, std::string body) {
    const std::string before = body;
    auto head = read_body_head(operation, body);
    EXPECT_EQ(body, before);
    EXPECT_TRUE(head) << (head ? "" : head.error().message);
    return head.value_or(BodyHead());
}

std::string complaint(std::string body) {
    auto head = read_body_head(Operation::chat_completions, body);
    return head ? "" : head.error().message;
}

TEST(BodyHead, ModelAndStream) {
    const auto head =
        head_of(Operation::messages, R"({"max_tokens":1,"model":"a.b:0","messages":[]})");
    EXPECT_EQ(head.model, "a.b:0");
    EXPECT_FALSE(head.stream);
    EXPECT_TRUE(head_of(Operation::messages, R"({"model":"m","stream":true})").stream);
    EXPECT_EQ(head_of(Operation::messages, R"({"mod\u0065l":"\u006d"})").model, "m");
}

TEST(BodyHead, OnlyOneModelAndOneStream) {
    EXPECT_NE(complaint(R"({"model":"a","model":"b"})"), "");
    EXPECT_NE(complaint(R"({"model":"a","mod\u0065l":"b"})"), "");
    EXPECT_NE(complaint(R"({"model":"a","stream":false,"stream":true})"), "");
    for (const char* twice :
         {R"({"model":"a","previous_response_id":"resp_1","previous_response_id":"resp_2"})",
          R"({"model":"a","previous_response_id":"resp_1","previous\u005fresponse_id":null})",
          R"({"model":"a","conversation":"a","conversation":"b"})",
          R"({"model":"a","stream_options":{},"stream_options":null})"}) {
        EXPECT_NE(complaint(twice).find("more than once"), std::string::npos) << twice;
    }
    for (const char* odd : {"1", "\"true\"", "[true]", "True"}) {
        EXPECT_NE(complaint(R"({"model":"a","stream":)" + std::string(odd) + "}"), "") << odd;
    }
    EXPECT_EQ(complaint(R"({"model":"a","stream":null})"), "");
    for (const char* bad : {"", "[]", "{", "null", R"({"model":1})", R"({"model":""})", R"({})",
                            R"({"model":"a b"})", R"({"model":"a\n"})", R"({"model":"é"})"}) {
        EXPECT_NE(complaint(bad), "") << bad;
    }
    EXPECT_NE(complaint(R"({"model":")" + std::string(3000, 'a') + "\"}"), "");
}

TEST(BodyHead, UsageIsStatedWhenAskedFor) {
    const auto asks = [](std::string body) {
        return !head_of(Operation::chat_completions, std::move(body)).states_usage;
    };
    EXPECT_FALSE(asks(R"({"model":"m"})"));
    EXPECT_TRUE(asks(R"({"model":"m","stream":true})"));
    EXPECT_TRUE(asks(R"({"model":"m","stream":true,"stream_options":{"include_usage":false}})"));
    EXPECT_FALSE(asks(R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})"));
    EXPECT_TRUE(head_of(Operation::responses, R"({"model":"m","stream":true})").states_usage);
    EXPECT_TRUE(head_of(Operation::messages, R"({"model":"m","stream":true})").states_usage);
}

TEST(BodyHead, UsageIsAskedForWithoutTouchingAnythingElse) {
    EXPECT_EQ(with_stated_usage(R"( {"model":"m", "stream":true})"),
              R"( {"stream_options":{"include_usage":true},"model":"m", "stream":true})");
    EXPECT_EQ(with_stated_usage(R"({"model":"m","stream_options":{}})"),
              R"({"model":"m","stream_options":{"include_usage":true}})");
    EXPECT_EQ(with_stated_usage(R"({"model":"m","stream_options":{"x":[1]}})"),
              R"({"model":"m","stream_options":{"include_usage":true,"x":[1]}})");
    EXPECT_EQ(
        with_stated_usage(R"({"stream_options":{"include_usage": false , "x":1},"model":"m"})"),
        R"({"stream_options":{"include_usage": true , "x":1},"model":"m"})");
    EXPECT_EQ(with_stated_usage(R"({"model":"m","stream_options":null})"),
              R"({"model":"m","stream_options":{"include_usage":true}})");
    EXPECT_EQ(with_stated_usage(R"({"model":"m","stream_options":7})"),
              R"({"model":"m","stream_options":7})");
}

TEST(BodyHead, AnotherModelInItsPlace) {
    EXPECT_EQ(with_body_model(R"({"a":{"model":"x"}, "model" : "old" ,"b":1})", "us.new:0"),
              R"({"a":{"model":"x"}, "model" : "us.new:0" ,"b":1})");
    EXPECT_EQ(with_body_model(R"({"model":"old"})", "a\"b"), R"({"model":"a\"b"})");
    EXPECT_EQ(with_body_model("{broken", "x"), "{broken");
}

TEST(BodyHead, WhatIsKeptInOneRegion) {
    const auto turn = head_of(Operation::responses,
                              R"({"model":"m","previous_response_id":"resp_1","input":"hi"})");
    EXPECT_EQ(turn.previous_response, "resp_1");
    EXPECT_TRUE(turn.stateful);
    EXPECT_TRUE(head_of(Operation::responses, R"({"model":"m","conversation":"c"})").stateful);
    EXPECT_FALSE(
        head_of(Operation::responses, R"({"model":"m","previous_response_id":null})").stateful);
    EXPECT_FALSE(
        head_of(Operation::messages, R"({"model":"m","previous_response_id":"x"})").stateful);
    std::string answer = R"({"object":"response","id":"resp_7","output":[{"id":"msg_1"}]})";
    EXPECT_EQ(response_id(answer), "resp_7");
    std::string other = R"({"id":7})";
    EXPECT_EQ(response_id(other), "");
}

RequestFacts facts_of(Operation operation, std::string body) {
    RequestReader reader;
    return reader.read(operation, "m", Family::openai, body).value_or(RequestFacts());
}

TEST(BodyFacts, EachPathHasItsOwnMaximum) {
    EXPECT_EQ(facts_of(Operation::chat_completions, R"({"max_tokens":5})").max_output, 5U);
    EXPECT_EQ(facts_of(Operation::chat_completions, R"({"max_tokens":1,"max_completion_tokens":9})")
                  .max_output,
              9U);
    EXPECT_EQ(facts_of(Operation::responses, R"({"max_output_tokens":7})").max_output, 7U);
    EXPECT_EQ(facts_of(Operation::responses, R"({"max_tokens":7})").max_output, std::nullopt);
    EXPECT_EQ(facts_of(Operation::messages, R"({"max_tokens":8})").max_output, 8U);
}

TEST(BodyFacts, AMaximumIsLoweredOrAdded) {
    const auto lowered = [](Operation operation, std::string body) {
        const auto facts = facts_of(operation, body);
        return with_max_output(body, facts, operation, Family::nova, 3);
    };
    EXPECT_EQ(lowered(Operation::responses, R"({"input":"x","max_output_tokens":7})"),
              R"({"input":"x","max_output_tokens":3})");
    EXPECT_EQ(lowered(Operation::responses, R"({"input":"x"})"),
              R"({"max_output_tokens":3,"input":"x"})");
    EXPECT_EQ(lowered(Operation::chat_completions, R"({"messages":[]})"),
              R"({"max_completion_tokens":3,"messages":[]})");
    EXPECT_EQ(lowered(Operation::messages, R"({"messages":[]})"),
              R"({"max_tokens":3,"messages":[]})");
}

TEST(BodyFacts, OnlyThePromptCounts) {
    const std::string text(400, 'a');
    const auto bare = facts_of(Operation::chat_completions,
                               R"({"messages":[{"role":"user","content":")" + text + R"("}]})")
                          .input_estimate;
    const auto dressed =
        facts_of(
            Operation::chat_completions,
            R"({"model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","user":"somebody","stop":["x"],)"
            R"("stream":true,"stream_options":{"include_usage":true},"service_tier":"flex",)"
            R"("messages":[{"role":"user","content":")" +
                text + R"("}]})")
            .input_estimate;
    EXPECT_EQ(bare, dressed);
    const auto as_string =
        facts_of(Operation::responses, R"({"input":")" + text + R"("})").input_estimate;
    const auto as_items =
        facts_of(
            Operation::responses,
            R"({"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":")" +
                text + R"("}]}]})")
            .input_estimate;
    EXPECT_GT(as_string, 30U);
    EXPECT_NEAR(static_cast<double>(as_string), static_cast<double>(as_items), 8);
    EXPECT_NEAR(static_cast<double>(bare), static_cast<double>(as_items), 8);
    EXPECT_GT(facts_of(Operation::responses, R"({"input":[{"role":"user","content":[)"
                                             R"({"type":"input_image","image_url":"data:x"}]}]})")
                  .input_estimate,
              1'500U);
}

}  // namespace
}  // namespace weir::bedrock
