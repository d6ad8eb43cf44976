#include "bedrock/sse_watcher.h"

#include <gtest/gtest.h>

namespace weir::bedrock {
namespace {

using Kind = StreamKind;

/// Shows the watcher one event, as the decoder reads it.
Kind show(SseWatcher& watcher, std::string_view data, std::string_view name = {}) {
    codec::SseEvent event;
    event.event = name;
    event.data = data;
    event.has_data = true;
    return watcher.on_event(event);
}

constexpr std::string_view kRole =
    R"({"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})";
constexpr std::string_view kText =
    R"({"id":"c","choices":[{"index":0,"delta":{"content":"hello there, reader"},"finish_reason":null}]})";
constexpr std::string_view kStop =
    R"({"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
constexpr std::string_view kUsage =
    R"({"id":"c","choices":[],"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":10}}})";

TEST(SseWatcher, Chat) {
    SseWatcher watcher(Operation::chat_completions);
    EXPECT_EQ(show(watcher, kRole), Kind::preamble);
    EXPECT_EQ(show(watcher, kText), Kind::content);
    EXPECT_FALSE(watcher.ended());
    EXPECT_FALSE(watcher.usage().known);
    EXPECT_GT(watcher.usage().output, 2U);
    EXPECT_EQ(show(watcher, kStop), Kind::end);
    EXPECT_TRUE(watcher.ended());
    EXPECT_EQ(show(watcher, kUsage), Kind::metadata);
    EXPECT_FALSE(watcher.hidden());
    EXPECT_EQ(show(watcher, "[DONE]"), Kind::end);
    EXPECT_EQ(watcher.usage(), (Usage{20, 5, 10, 0, true}));
}

TEST(SseWatcher, UsageThatTheClientDidNotAskForIsHidden) {
    SseWatcher watcher(Operation::chat_completions, true);
    show(watcher, kText);
    EXPECT_FALSE(watcher.hidden());
    show(watcher, kUsage);
    EXPECT_TRUE(watcher.hidden());
    show(watcher, "[DONE]");
    EXPECT_FALSE(watcher.hidden());
    // Usage beside a choice is the service's own way, and is left alone.
    show(watcher,
         R"({"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1}})");
    EXPECT_FALSE(watcher.hidden());
}

TEST(SseWatcher, ChatContentHasManyNames) {
    for (const auto* delta :
         {R"({"reasoning_content":"hm"})", R"({"content":null,"reasoning":"hm"})",
          R"({"refusal":"no"})", R"({"tool_calls":[{"index":0,"id":"t"}]})"}) {
        SseWatcher watcher(Operation::chat_completions);
        EXPECT_EQ(show(watcher, R"({"choices":[{"delta":)" + std::string(delta) + "}]}"),
                  Kind::content)
            << delta;
    }
}

TEST(SseWatcher, ChatErrors) {
    SseWatcher watcher(Operation::chat_completions);
    EXPECT_EQ(
        show(
            watcher,
            R"({"error":{"message":"Too many tokens","type":"rate_limit_error","code":"rate_limit_exceeded"}})"),
        Kind::failure);
    EXPECT_EQ(watcher.failure().cls, FailureClass::capacity);  // the quota had admitted the call
    EXPECT_EQ(watcher.failure().status, 429);
    EXPECT_EQ(watcher.failure().message, "Too many tokens");
    SseWatcher named(Operation::chat_completions);
    EXPECT_EQ(show(named, R"({"error":{"message":"m","type":"server_error"}})", "error"),
              Kind::failure);
    EXPECT_EQ(named.failure().cls, FailureClass::server);
}

TEST(SseWatcher, TextThatLooksLikeAnErrorIsText) {
    SseWatcher watcher(Operation::chat_completions);
    EXPECT_EQ(show(watcher, R"({"choices":[{"delta":{"content":"{\"error\":{\"message\":1}}"}}]})"),
              Kind::content);
}

TEST(SseWatcher, Responses) {
    SseWatcher watcher(Operation::responses);
    EXPECT_EQ(
        show(watcher,
             R"({"type":"response.created","response":{"id":"resp_1","error":null,"usage":null}})",
             "response.created"),
        Kind::preamble);
    EXPECT_EQ(watcher.response_id(), "resp_1");
    EXPECT_EQ(show(watcher, R"({"type":"response.output_item.added","item":{"type":"message"}})"),
              Kind::preamble);
    EXPECT_EQ(show(watcher, R"({"type":"response.output_text.delta","delta":"hello"})"),
              Kind::content);
    EXPECT_EQ(
        show(
            watcher,
            R"({"type":"response.completed","response":{"id":"resp_1","service_tier":"flex","usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3}}})",
            "response.completed"),
        Kind::end);
    EXPECT_TRUE(watcher.ended());
    EXPECT_EQ(watcher.usage(), (Usage{5, 3, 4, 0, true, 0, Tier::flex}));
}

TEST(SseWatcher, ResponsesFailures) {
    SseWatcher failed(Operation::responses);
    EXPECT_EQ(
        show(
            failed,
            R"({"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"busy"}}})"),
        Kind::failure);
    EXPECT_EQ(failed.failure().message, "busy");
    EXPECT_EQ(failed.failure().cls, FailureClass::capacity);
    SseWatcher error(Operation::responses);
    EXPECT_EQ(show(error, R"({"type":"error","code":"server_error","message":"oh"})", "error"),
              Kind::failure);
    EXPECT_EQ(error.failure().cls, FailureClass::server);
    EXPECT_EQ(error.failure().message, "oh");
    SseWatcher cut(Operation::responses);
    EXPECT_EQ(
        show(
            cut,
            R"({"type":"response.incomplete","response":{"usage":{"input_tokens":1,"output_tokens":2}}})"),
        Kind::end);
    EXPECT_TRUE(cut.ended());
}

TEST(SseWatcher, AToolCallIsContent) {
    SseWatcher responses(Operation::responses);
    EXPECT_EQ(
        show(responses,
             R"({"type":"response.output_item.added","item":{"type":"function_call","name":"f"}})",
             "response.output_item.added"),
        Kind::content);
    SseWatcher messages(Operation::messages);
    EXPECT_EQ(
        show(messages, R"({"type":"content_block_start","content_block":{"type":"tool_use"}})",
             "content_block_start"),
        Kind::content);
}

TEST(SseWatcher, Messages) {
    SseWatcher watcher(Operation::messages);
    EXPECT_EQ(
        show(
            watcher,
            R"({"type":"message_start","message":{"usage":{"input_tokens":7,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}})",
            "message_start"),
        Kind::start);
    EXPECT_EQ(
        show(watcher, R"({"type":"content_block_start","content_block":{"type":"text","text":""}})",
             "content_block_start"),
        Kind::preamble);
    EXPECT_EQ(show(watcher, R"({"type":"ping"})", "ping"), Kind::ping);
    EXPECT_EQ(show(watcher,
                   R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"hello"}})",
                   "content_block_delta"),
              Kind::content);
    EXPECT_FALSE(watcher.usage().known);
    EXPECT_EQ(
        show(
            watcher,
            R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}})",
            "message_delta"),
        Kind::metadata);
    EXPECT_FALSE(watcher.ended());
    EXPECT_EQ(show(watcher, R"({"type":"message_stop"})", "message_stop"), Kind::end);
    EXPECT_TRUE(watcher.ended());
    EXPECT_EQ(watcher.usage(), (Usage{7, 12, 3, 2, true}));
}

TEST(SseWatcher, AnOverloadedModelSaysSo) {
    SseWatcher watcher(Operation::messages);
    EXPECT_EQ(show(watcher,
                   R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
                   "error"),
              Kind::failure);
    EXPECT_EQ(watcher.failure().cls, FailureClass::overloaded);
    EXPECT_EQ(watcher.failure().status, 529);
}

TEST(SseWatcher, CommentsAreSignsOfLife) {
    SseWatcher watcher(Operation::messages);
    const codec::SseEvent none;
    EXPECT_EQ(watcher.on_event(none), Kind::ping);
}

}  // namespace
}  // namespace weir::bedrock
