// An answer from a script on its way to a scripted client.
#pragma once

#include "gateway/relay.h"

#include "gateway/clock.h"
#include "gateway/stream_relay.h"
#include "scripted.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace weir::gateway::test {

inline const std::string kStart = event("messageStart", R"({"role":"assistant"})");
inline const std::string kDelta = event("contentBlockDelta", R"({"delta":{"text":"hello"}})");
inline const std::string kStop = event("messageStop", R"({"stopReason":"end_turn"})");
inline const std::string kMetadata =
    event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":8}})");
inline const std::string kThrottled =
    event("throttlingException", R"({"message":"slow down"})", "exception", ":exception-type");

/// An answer from `script`, on its way to a client.
struct RelayTest : ::testing::Test, AttemptParts {
    RelayTest() { times.started = times.sent = now(); }

    void open(Script script) {
        scripts = {std::move(script)};
        attempt = std::make_unique<Attempt>(loop, place, "us-east-1", stop,
                                            Clocks(timeouts, times, times.started));
        const auto head = [](Attempt& a) -> net::Task<bool> {
            co_await a.connect(false);
            co_await a.write("x", std::string_view());
            const auto end = co_await a.read_head();
            co_return end == Attempt::End::done;
        };
        ASSERT_TRUE(run(loop, head(*attempt)).value_or(false));
    }
    void whole(Script script) {
        open(std::move(script));
        answer = std::make_unique<WholeAnswer>(ends(), buffered, net::BufferShares::Holder(),
                                               reader, bedrock::Operation::converse, true);
    }
    void stream(std::deque<Step> body) {
        Script script;
        script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
        script.body = std::move(body);
        open(std::move(script));
        events = std::make_unique<EventRelay>(bedrock::Operation::converse_stream, true);
        answer =
            std::make_unique<StreamAnswer>(ends(), buffered, *events, opened, nullptr, nullptr);
    }
    Ends ends() { return {*attempt, client, stop, limits, "X-Weir: 1\r\n"}; }

    Relay::Turn judge() { return run(loop, answer->judge()).value_or(Relay::Turn::over); }
    Relay::Turn pass() { return run(loop, answer->pass()).value_or(Relay::Turn::over); }
    void end() { ASSERT_TRUE(run(loop, answer->end()).has_value()); }

    LimitsConfig limits;
    ScriptedClient client{loop, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
    std::atomic<std::uint64_t> buffered{0};
    bedrock::AnswerReader reader;
    std::unique_ptr<Attempt> attempt;
    std::unique_ptr<EventRelay> events;
    bool opened = false;
    std::unique_ptr<Relay> answer;
};

inline Script with_length(std::string body) {
    Script script;
    script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n";
    script.body = {bytes(std::move(body))};
    return script;
}

/// Feeds `bytes` in pieces of `step` and gathers what goes on.
inline std::string relayed(StreamRelay& relay, std::string_view bytes, std::size_t step) {
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const std::string piece(
            bytes.substr(at, step));  // a buffer that dies, as the connection's does
        const auto got = relay.take(piece);
        out.append(got.first).append(got.second);
    }
    return out;
}

}  // namespace weir::gateway::test
