// Errors as each dialect's clients read them: bodies, streams, statuses.
#include "gateway/dialect.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using bedrock::Dialect;
using bedrock::Operation;

ErrorAnswer error_of(int status, std::string_view type = "AnyException",
                     std::string_view reason = {}) {
    ErrorAnswer made;
    made.status = status;
    made.type = type;
    made.message = "weir: \"no\"";
    made.reason = reason;
    return made;
}

TEST(Dialect, AnthropicsTypeFollowsTheStatus) {
    const std::pair<int, std::string_view> rows[] = {
        {400, "invalid_request_error"}, {401, "authentication_error"},
        {403, "permission_error"},      {404, "not_found_error"},
        {408, "timeout_error"},         {413, "request_too_large"},
        {429, "rate_limit_error"},      {500, "api_error"},
        {503, "overloaded_error"},      {504, "timeout_error"},
        {529, "overloaded_error"}};
    for (const auto& [status, type] : rows) {
        EXPECT_EQ(error_body(Dialect::anthropic, error_of(status), "req_1"),
                  R"({"type":"error","error":{"type":")" + std::string(type) +
                      R"(","message":"weir: \"no\""},"request_id":"req_1"})");
    }
}

TEST(Dialect, OpenAisTypeAndCodeFollowTheError) {
    struct Row {
        ErrorAnswer error;
        std::string_view type;
        std::string_view code;  // as JSON
    };
    const Row rows[] = {
        {error_of(400), "invalid_request_error", "null"},
        {error_of(401), "invalid_request_error", R"("invalid_api_key")"},
        {error_of(404), "invalid_request_error", R"("model_not_found")"},
        {error_of(404, "UnknownOperationException"), "invalid_request_error", R"("unknown_url")"},
        {error_of(404, "X", "response"), "invalid_request_error", "null"},
        {error_of(404, "X", "previous_response"), "invalid_request_error",
         R"("previous_response_not_found")"},
        {error_of(429), "rate_limit_error", R"("rate_limit_exceeded")"},
        {error_of(429, "ServiceQuotaExceededException"), "insufficient_quota",
         R"("insufficient_quota")"},
        {error_of(500), "server_error", "null"},
        {error_of(503), "server_error", R"("service_unavailable")"},
        {error_of(529), "server_error", R"("service_unavailable")"}};
    for (const Row& row : rows) {
        EXPECT_EQ(error_body(Dialect::openai, row.error, "req_1"),
                  R"({"error":{"message":"weir: \"no\"","type":")" + std::string(row.type) +
                      R"(","param":null,"code":)" + std::string(row.code) + "}}");
    }
    EXPECT_EQ(error_body(Dialect::aws, error_of(500), "req_1"), R"({"message":"weir: \"no\""})");
}

TEST(Dialect, AnUnknownKeyAndADaysQuotaHaveTheirOwnStatus) {
    const auto in = [](Dialect dialect, ErrorAnswer answer) {
        return in_dialect(dialect, std::move(answer));
    };
    const auto key = error_of(403, "AccessDeniedException", "key");
    const auto day = error_of(400, "ServiceQuotaExceededException");
    EXPECT_EQ(in(Dialect::aws, key).status, 403);
    EXPECT_EQ(in(Dialect::openai, key).status, 401);
    EXPECT_EQ(in(Dialect::openai, error_of(403, "AccessDeniedException", "model")).status, 403);
    EXPECT_EQ(in(Dialect::aws, day).status, 400);
    EXPECT_EQ(in(Dialect::anthropic, day).status, 429);
    EXPECT_EQ(in(Dialect::anthropic, day).retry_after, 60s);
    auto told = day;
    told.retry_after = 90s;
    EXPECT_EQ(in(Dialect::openai, told).retry_after, 90s);
}

TEST(Dialect, EachNamesTheRequestInItsOwnField) {
    const auto field = [](Dialect dialect) {
        std::string out;
        append_request_id(out, dialect, "r");
        return out;
    };
    EXPECT_EQ(field(Dialect::aws), "");
    EXPECT_EQ(field(Dialect::openai), "x-request-id: r\r\n");
    EXPECT_EQ(field(Dialect::anthropic), "request-id: r\r\n");
}

TEST(Dialect, ABodyWithoutAnErrorObjectIsNotForItsClients) {
    EXPECT_TRUE(speaks(Dialect::aws, "<html>"));
    EXPECT_TRUE(speaks(Dialect::openai, R"({"error":{"message":"x"}})"));
    EXPECT_TRUE(speaks(Dialect::anthropic, R"({"type":"error","error": {"type":"x"}})"));
    EXPECT_FALSE(speaks(Dialect::openai, R"({"error":"x"})"));
    EXPECT_FALSE(speaks(Dialect::openai, R"({"error":null,"message":"x"})"));
    EXPECT_FALSE(speaks(Dialect::anthropic, R"({"message":"Too many \"error\": {"})"));
}

TEST(Dialect, TheLastEventOfAStreamSaysWhatHappened) {
    const auto member = [](Operation operation, int status) {
        const std::string event = error_event(operation, error_of(status));
        const auto at = event.find("Exception", event.find(":exception-type"));
        const auto from = event.find_last_of('\0', at) + 2;  // after the two bytes of its length
        return event.substr(from, at + 9 - from);
    };
    EXPECT_EQ(member(Operation::invoke_stream, 408), "modelTimeoutException");
    EXPECT_EQ(member(Operation::converse_stream, 408), "modelStreamErrorException");
    EXPECT_EQ(member(Operation::converse_stream, 424), "modelStreamErrorException");
    EXPECT_EQ(member(Operation::converse_stream, 429), "throttlingException");
    for (const int status : {503, 504, 529}) {
        EXPECT_EQ(member(Operation::converse_stream, status), "serviceUnavailableException");
    }
    EXPECT_EQ(member(Operation::converse_stream, 500), "internalServerException");
    EXPECT_EQ(member(Operation::converse_stream, 400), "validationException");

    const std::string chat = error_event(Operation::chat_completions, error_of(503));
    EXPECT_EQ(chat,
              R"(data: {"error":{"message":"weir: \"no\"","type":"server_error","param":null,)"
              R"("code":"service_unavailable"}})"
              "\n\n");
    const std::string responses = error_event(Operation::responses, error_of(500));
    EXPECT_TRUE(
        responses.starts_with("event: error\ndata: {\"type\":\"error\",\"code\":"
                              "\"server_error\","))
        << responses;
    const std::string messages = error_event(Operation::messages, error_of(529));
    EXPECT_EQ(
        messages,
        "event: error\n"
        R"(data: {"type":"error","error":{"type":"overloaded_error","message":"weir: \"no\""}})"
        "\n\n");
    EXPECT_NE(sse_error(Operation::messages, "cut").find(R"("type":"api_error")"),
              std::string::npos);
}

}  // namespace
}  // namespace weir::gateway
