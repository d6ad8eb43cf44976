// The OpenAI and Anthropic paths and what is passed on, from the first byte to the last: what is
// read of an answer on its way, and remembered. And what the log and the metrics say afterwards.
#include "bedrock/model_data.h"
#include "observe/access_log.h"
#include "requests.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;

Script sse(std::deque<Step> body) {
    Script script;
    script.head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    script.body = std::move(body);
    return script;
}

std::string responses_event(std::string_view type, std::string_view rest) {
    return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"" +
           std::string(rest) + "}\n\n";
}

const std::string kResponse =
    R"({"id":"resp_1","object":"response","status":"completed","output":[],)"
    R"("usage":{"input_tokens":9,"output_tokens":4,"total_tokens":13}})";

std::string ask(std::string_view more = {}) {
    return post("/v1/responses", R"({"model":"m.x","input":"x")" + std::string(more) + "}");
}

/// The Region that a next turn, built on resp_1, goes to. The first went to us-west-2.
std::string next_turn(World& world) {
    world.scripts["us-east-1"] = {whole(R"({"id":"east"})")};
    world.scripts["us-west-2"] = {whole(R"({"id":"west"})")};
    ScriptedClient client(world.loop, ask(R"(,"previous_response_id":"resp_1")"));
    EXPECT_TRUE(world.serve(client));
    return client.body;
}

/// Unsigned calls go west; the test then makes east the default again.
World& in_the_west(std::unique_ptr<World>& world) {
    Config config = two_regions();
    config.default_region = "us-west-2";
    world = std::make_unique<World>(config);
    return *world;
}
void back_east(World& world) {
    auto next = std::make_shared<Snapshot>(two_regions());
    next->regions = world.snapshot->regions;
    world.worker->take(next);
}

TEST(ExchangeApis, AResponseIsBuiltUponWhereItWasMade) {
    std::unique_ptr<World> held;
    const auto served = [&](Script script, std::string_view more, bool all) {
        World& world = in_the_west(held);
        world.scripts["us-west-2"] = {std::move(script)};
        ScriptedClient client(world.loop, ask(more));
        EXPECT_EQ(world.serve(client), all);
        EXPECT_EQ(client.status, 200);
        back_east(world);
        EXPECT_EQ(next_turn(world), R"({"id":"west"})");
        client.leave();
        world.go_on();
    };
    served(whole(kResponse), "", true);
    {
        SCOPED_TRACE("an answer too large to hold, whose id comes first");
        Script large;
        large.body = {bytes(R"({"id":"resp_1","output":")" + std::string(2 << 20, 'x')), hang()};
        served(large, "", false);
    }
    {
        SCOPED_TRACE("a stream under way");
        served(sse({bytes(responses_event("response.created", R"(,"response":{"id":"resp_1"})") +
                          responses_event("response.output_text.delta", R"(,"delta":"hi")")),
                    hang()}),
               R"(,"stream":true)", false);
    }
    {
        SCOPED_TRACE("a stream that has ended");
        served(sse({bytes(responses_event("response.created", R"(,"response":{"id":"resp_1"})") +
                          responses_event("response.output_text.delta", R"(,"delta":"hi")") +
                          responses_event("response.completed", ",\"response\":" + kResponse))}),
               R"(,"stream":true)", true);
    }
}

TEST(ExchangeApis, AStreamOfServerSentEventsGoesThroughWithoutTheUsageThatWeirAskedFor) {
    World world(two_regions());
    const std::string delta =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
    const std::string usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";
    world.scripts["us-east-1"] = {sse({bytes(delta), bytes(usage + "data: [DONE]\n\n")})};
    ScriptedClient client(
        world.loop, post("/v1/chat/completions", R"({"model":"m.x","stream":true,"messages":[]})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.body, delta + "data: [DONE]\n\n");
    EXPECT_NE(world.seen[0].body.find("include_usage"), std::string::npos);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeApis, AnErrorIsInTheClientsOwnWords) {
    Config config = two_regions();
    config.retry.max_attempts = 1;
    World world(config);
    world.scripts["us-east-1"] = {whole(R"({"message":"The model is not there."})", "404 Not Found",
                                        "x-amzn-ErrorType: ResourceNotFoundException\r\n")};
    ScriptedClient client(world.loop,
                          post("/anthropic/v1/messages", R"({"model":"m.x","max_tokens":5})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 404);
    EXPECT_NE(client.body.find(R"("type":"not_found_error","message":"The model is not there.")"),
              std::string::npos)
        << client.body;
    EXPECT_NE(client.fields.find("\r\nrequest-id: "), std::string::npos) << client.fields;
}

TEST(ExchangeApis, AnthropicsCountIsAnsweredInItsShape) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(R"({"inputTokens":7})")};
    ScriptedClient client(world.loop, post("/anthropic/v1/messages/count_tokens",
                                           R"({"model":"us.anthropic.x","messages":[]})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.body, R"({"input_tokens":7})");
    EXPECT_TRUE(world.seen[0].head.starts_with("POST /model/anthropic.x/count-tokens "));
}

TEST(ExchangeApis, WhatIsMadeAsynchronouslyIsRememberedByTheEndOfItsArn) {
    const std::string arn = "arn:aws:bedrock:us-east-1:1:async-invoke/made";
    for (const auto& [target, member] :
         {std::pair<std::string_view, std::string>{"/async-invoke", "invocationArn"},
          {"/model-invocation-job", "jobArn"}}) {
        World world(two_regions());
        world.scripts["us-east-1"] = {whole("{\"" + member + "\":\"" + arn + "\"}")};
        ScriptedClient client(world.loop,
                              post(target, R"({"modelId":"m.x"})", "x-weir-deadline-ms: 5000\r\n"));
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, 200);
        const auto made = world.shared.responses.find("made");
        ASSERT_TRUE(made);
        EXPECT_EQ(made->region, "us-east-1");
        EXPECT_EQ(made->model, "m.x");
    }
    World world(two_regions());
    world.scripts["us-east-1"] = {whole("{}")};
    ScriptedClient client(world.loop, post("/async-invoke", R"({"modelId":"m.x"})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_FALSE(world.shared.responses.find("")) << "it has no name";
}

TEST(ExchangeApis, AKeptResponseIsReadWhereItIs) {
    std::unique_ptr<World> held;
    World& world = in_the_west(held);
    world.scripts["us-west-2"] = {whole(kResponse)};
    ScriptedClient first(world.loop, ask());
    ASSERT_TRUE(world.serve(first));
    back_east(world);
    world.scripts["us-west-2"] = {whole(kResponse)};
    ScriptedClient client(world.loop, get("/v1/responses/resp_1"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(client.body, kResponse);
}

TEST(ExchangeApis, AnthropicsModelIsReadOnInvokesStream) {
    Config config = two_regions();
    config.models = bedrock::builtin_models();
    World world(config);
    Script script;
    script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
    script.body = {bytes(event("chunk", R"({"bytes":"eyJ0eXBlIjoicGluZyJ9"})"))};
    world.scripts["us-east-1"] = {script};
    config.retry.max_attempts = 1;
    ScriptedClient client(
        world.loop, post("/model/" + std::string(kModel) + "/invoke-with-response-stream", "{}"));
    EXPECT_FALSE(world.serve(client)) << "a ping is no end: it is sent again after a pause";
    client.leave();
    EXPECT_TRUE(world.go_on());
    // Of a family whose streams have no end of their own, the body's end is one.
    World other(two_regions());
    other.scripts["us-east-1"] = {script};
    ScriptedClient plain(other.loop, post("/model/m.x/invoke-with-response-stream", "{}"));
    EXPECT_TRUE(other.serve(plain));
    EXPECT_EQ(plain.status, 200);
}

TEST(ExchangeApis, TheAccessLogHasALineForEachRequest) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    Config config = two_regions();
    config.timeouts.interim_100 = 1s;
    config.routes.resize(1);
    config.routes[0].model = "first";
    config.routes[0].targets.resize(1);
    config.routes[0].targets[0] = {.region = "us-west-2", .model = "second"};
    World world(config);
    {
        observe::LineWriter log(pipe[1]);
        world.shared.access_log = &log;
        world.scripts["us-east-1"] = {
            whole(R"({"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})")};
        ScriptedClient good(world.loop, converse());
        EXPECT_TRUE(world.serve(good));
        Script stream;
        stream.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
        stream.body = {bytes(
            event("messageStart", R"({"role":"assistant"})") +
            event("contentBlockDelta", R"({"delta":{"text":"hello"}})") +
            event("messageStop", R"({"stopReason":"end_turn"})") +
            event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":8}})"))};
        world.scripts["us-west-2"] = {stream};
        ScriptedClient streamed(
            world.loop, post("/model/first/converse-stream", "{}", "x-weir-what: ever\r\n"));
        EXPECT_TRUE(world.serve(streamed));
        EXPECT_NE(streamed.fields.find("x-weir-degraded: true\r\n"), std::string::npos)
            << streamed.fields;
        ScriptedClient refused(world.loop, get("/nothing"));
        EXPECT_TRUE(world.serve(refused));
        world.scripts["us-east-1"] = {whole("{}")};
        ScriptedClient passed(world.loop, post("/guardrail/g/version/1/apply", "{}"));
        EXPECT_TRUE(world.serve(passed));
        ScriptedClient odd(world.loop, post("/model/m.x/converse", "[]"));
        EXPECT_TRUE(world.serve(odd));
        world.scripts["us-east-1"] = {whole("{}")};
        ScriptedClient silent(world.loop, converse());
        EXPECT_TRUE(world.serve(silent));
    }
    ::close(pipe[1]);
    std::string text(64 << 10, '\0');
    const auto got = ::read(pipe[0], text.data(), text.size());
    ::close(pipe[0]);
    ASSERT_GT(got, 0);
    text.resize(static_cast<std::size_t>(got));
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    ASSERT_EQ(lines.size(), 6U) << text;
    const auto says = [&](std::size_t line, std::string_view what) {
        EXPECT_NE(lines[line].find(what), std::string::npos) << what << " in " << lines[line];
    };
    says(0, R"("operation":"Converse")");
    says(0, R"("output":4)");
    says(0, R"("ttft_ms":null)");
    says(1, R"("target_region":"us-west-2")");
    says(1, R"("target_model":"second")");
    says(1, R"("stream":true)");
    EXPECT_EQ(lines[1].find(R"("ttft_ms":null)"), std::string::npos) << lines[1];
    says(2, R"("status":404)");
    says(2, R"("attempts":0)");
    says(3, R"("operation":"ApplyGuardrail")");
    says(3, R"("attempts":1)");
    says(4, R"("reserved":null)");
    says(4, R"("status":400)");
    says(5, R"("output":null)");
    EXPECT_NE(world.metrics.text({}).find("weir_unknown_header"), std::string::npos);
}

}  // namespace
}  // namespace weir::gateway
