// Cases of a table: bytes that a client sends, and what has to become of its stream or connection.
#pragma once

#include "unit/net/http2_client.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace weir::net::test::http2 {

/// Says what it was asked. "/slow" takes its time, "/unread" leaves the body where it is.
inline Task<void> tell(Downstream& request) {
    if (request.head().target == "/unread") {
        co_await request.loop().sleep(milliseconds(150));
        co_return;
    }
    const auto body = co_await whole_body(request);
    if (!body) {
        co_return;
    }
    if (request.head().target == "/slow") {
        co_await request.loop().sleep(milliseconds(150));
    }
    std::string answer(request.head().method);
    answer += ' ';
    answer += request.head().target;
    answer += ' ';
    answer += *body;
    for (const auto& field : request.head().fields) {
        answer += '\n';
        answer += field.name;
        answer += ": ";
        answer += field.value;
    }
    co_await request.send(200, "", answer);
}

enum class Is : std::uint8_t {
    served,  // stream 1 is answered 200, and so is a request after it
    lives,   // whatever became of stream 1, a request after it is answered
    reset,   // a stream error `code` on stream 1; the connection lives on
    over,    // a connection error `code`
};

struct Row {
    const char* section;
    const char* what;
    std::string bytes;
    Is want;
    std::uint32_t code = 0;
    std::string then = {};       // goes out when stream 1 is over
    std::string in_answer = {};  // must be in stream 1's
};

inline constexpr std::uint32_t kTop = 0x7FFFFFFF;

inline void expect_row(std::uint16_t port, const Row& row) {
    SCOPED_TRACE(std::string(row.section) + ": " + row.what);
    Http2Client client(port);
    client.send(row.bytes);
    if (!row.then.empty()) {
        EXPECT_TRUE(client.answer(1).ended);
        client.send(row.then);
    }
    if (row.want == Is::over) {
        const auto code = client.farewell();
        ASSERT_TRUE(code) << "ended without GOAWAY";
        EXPECT_EQ(*code, row.code);
        return;
    }
    client.send(get(101));
    EXPECT_EQ(client.answer(101).status(), 200);
    const Answer& answer = client.answers[1];
    if (row.want == Is::reset) {
        ASSERT_TRUE(answer.reset);
        EXPECT_EQ(*answer.reset, row.code);
    } else if (row.want == Is::served) {
        EXPECT_TRUE(client.until([&] { return answer.ended; }));
        EXPECT_EQ(answer.status(), 200);
        EXPECT_NE(answer.body.find(row.in_answer), std::string::npos) << answer.body;
    }
}

inline void expect_all(const std::vector<Row>& rows) {
    Running running(tell);
    for (const Row& row : rows) {
        expect_row(running.port(), row);
    }
}

}  // namespace weir::net::test::http2
