// Requests beside each other, attempts after one another, and what becomes of each.
#include "bedrock/model_data.h"
#include "requests.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using net::NetError;

constexpr std::string_view kUnavailable = "x-amzn-ErrorType: ServiceUnavailableException\r\n";

Script silent() {
    Script script;
    script.instead_of_head = hang();
    return script;
}

TEST(ExchangeWaits, ACallsTurnComesWithTheEndOfAnother) {
    Config config = two_regions();
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].requests_per_minute = 1000;
    config.quotas[0].max_in_flight = 1;
    World world(config);
    world.scripts["us-east-1"] = {silent(), whole(kAnswer)};
    ScriptedClient first(world.loop, converse());
    ASSERT_FALSE(world.serve(first));
    ScriptedClient second(world.loop, converse());
    ASSERT_FALSE(world.serve(second));
    EXPECT_EQ(world.seen.size(), 1U);
    first.leave();
    world.go_on();
    EXPECT_EQ(second.status, 200);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeWaits, AnotherTargetServesWhatTheFirstCannot) {
    World world(with_a_fallback());
    world.scripts["us-east-1"] = {whole(R"({"message":"down"})", "503 Down", kUnavailable)};
    world.scripts["us-west-2"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/converse",
                                           R"({"messages":[]})", "x-weir-unheard-of: 1\r\n"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_NE(client.fields.find("x-weir-target: us-west-2/"), std::string::npos);
    EXPECT_NE(client.fields.find("x-weir-attempts: 2\r\n"), std::string::npos);
    const auto metrics = world.metrics.text({});
    EXPECT_NE(metrics.find("weir_fallbacks_total{"), std::string::npos);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeWaits, ATargetThatDoesNotServeTheModelIsPassedOverAndLogged) {
    for (const bool logged : {true, false}) {
        World world(with_a_fallback());
        if (!logged) {
            world.shared.log = nullptr;
        }
        const std::string no = "You don't have access to the model with the specified ID.";
        world.scripts["us-east-1"] = {whole(R"({"message":")" + no + "\"}", "403 Forbidden",
                                            "x-amzn-ErrorType: AccessDeniedException\r\n")};
        world.scripts["us-west-2"] = {whole(kAnswer)};
        ScriptedClient client(world.loop, converse());
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, 200);
        EXPECT_EQ(world.log.find(no) != std::string::npos, logged) << world.log;
    }
}

TEST(ExchangeWaits, WhereAllFailTheLastErrorGoesBackAsItCame) {
    World world(in_a_row(1));
    const std::string body = R"({"message":"Bedrock is unable to process your request."})";
    world.scripts["us-east-1"] = {whole(body, "503 Down", kUnavailable)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 503);
    EXPECT_EQ(client.body, body);
    EXPECT_NE(client.fields.find("x-should-retry: false\r\n"), std::string::npos);
}

TEST(ExchangeWaits, AnAnswerThatCameBeforeTheRequestWasReadCounts) {
    World world(in_a_row(1));
    Script early = whole(R"({"message":"too large"})", "413 Too Large");
    early.write = NetError::reset;
    world.scripts["us-east-1"] = {early};
    ScriptedClient client(world.loop,
                          post("/model/" + std::string(kModel) + "/converse",
                               R"({"messages":[],"x":")" + std::string(20'000, 'x') + "\"}"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 413);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeWaits, AStreamThatWasOpenedIsFollowedByAnother) {
    const std::string start = event("messageStart", R"({"role":"assistant"})");
    const std::string rest =
        event("contentBlockDelta", R"({"delta":{"text":"hello"}})") +
        event("messageStop", R"({"stopReason":"end_turn"})") +
        event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":8}})");
    World world(with_a_fallback());
    Script opened;
    opened.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
    Script following = opened;
    opened.body = {bytes(start), error(NetError::timeout), error(NetError::reset)};
    following.body = {bytes(start + rest)};
    world.scripts["us-east-1"] = {opened};
    world.scripts["us-west-2"] = {following};
    ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/converse-stream",
                                           R"({"messages":[]})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.body, start + rest);
    EXPECT_TRUE(client.ended);
    EXPECT_TRUE(world.nothing_held());

    // The same of server-sent events, and of one that its client does not take.
    World sse(with_a_fallback());
    Script events;
    events.head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    Script last = events;
    events.body = {error(NetError::timeout), error(NetError::reset)};
    last.body = {
        bytes("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
              "data: [DONE]\n\n")};
    sse.scripts["us-east-1"] = {events};
    sse.scripts["us-west-2"] = {last};
    ScriptedClient chat(sse.loop,
                        post("/v1/chat/completions", R"({"model":")" + std::string(kModel) +
                                                         R"(","stream":true,"messages":[]})"));
    ASSERT_TRUE(sse.serve(chat));
    EXPECT_TRUE(chat.flushed);
    EXPECT_TRUE(chat.body.ends_with("data: [DONE]\n\n")) << chat.body;
}

TEST(ExchangeWaits, AnOpenedStreamEndsInWordsThatItsClientMayNotTake) {
    for (const bool takes : {true, false}) {
        World world(in_a_row(1));
        Script opened;
        opened.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
        ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/converse-stream",
                                               R"({"messages":[]})"));
        Step breaks = error(NetError::reset);
        breaks.first = [&] {
            if (!takes) {
                client.fails = NetError::timeout;
            }
        };
        opened.body = {bytes(event("messageStart", R"({"role":"assistant"})")),
                       error(NetError::timeout), breaks};
        world.scripts["us-east-1"] = {opened};
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, 200);
        EXPECT_EQ(client.ended, takes);
        EXPECT_EQ(client.aborted, !takes);
    }
}

TEST(ExchangeWaits, AStreamIsAskedForAndAWholeAnswerComes) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/converse-stream",
                                           R"({"messages":[]})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.body, kAnswer);
}

TEST(ExchangeWaits, MantleIsAskedWithItsOwnSignature) {
    Config config = two_regions();
    config.routes.resize(1);
    config.routes[0].model = "m.x";
    config.routes[0].targets.resize(1);
    config.routes[0].targets[0].region = "us-east-1";
    config.routes[0].targets[0].endpoint = Endpoint::mantle;
    World world(config);
    world.scripts["us-east-1"] = {whole(R"({"id":"c","choices":[]})")};
    ScriptedClient client(world.loop,
                          post("/v1/chat/completions", R"({"model":"m.x","messages":[]})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200) << client.body;
    EXPECT_NE(world.seen[0].head.find("/us-east-1/bedrock-mantle/aws4_request"), std::string::npos)
        << world.seen[0].head;
}

TEST(ExchangeWaits, UsageThatWasSeenIsSettledAtTheDrainsEnd) {
    World world(two_regions());
    Script script;
    script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
    script.body = {bytes(event("messageStart", R"({"role":"assistant"})") +
                         event("contentBlockDelta", R"({"delta":{"text":"hello"}})") +
                         event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":5}})")),
                   hang()};
    world.scripts["us-east-1"] = {script};
    ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/converse-stream",
                                           R"({"messages":[]})"));
    ASSERT_FALSE(world.serve(client));
    world.worker->end_all();
    ASSERT_TRUE(world.go_on());
    EXPECT_TRUE(world.nothing_held());
    EXPECT_NE(world.metrics.text({}).find("outcome=\"drained\""), std::string::npos);
}

TEST(ExchangeWaits, ADrainIsNoFaultOfAClientThatTakesNothing) {
    World world(two_regions());
    ScriptedClient client(world.loop, converse());
    client.on_read = [&] {
        world.worker->end_all();
        client.fails_reading = true;
    };
    ASSERT_TRUE(world.serve(client));
    World second(two_regions());
    second.scripts["us-east-1"] = {silent()};
    ScriptedClient slow(second.loop, converse());
    slow.fails = NetError::timeout;
    ASSERT_FALSE(second.serve(slow));
    second.worker->end_all();
    ASSERT_TRUE(second.go_on());
    for (World* one : {&world, &second}) {
        EXPECT_NE(one->metrics.text({}).find("outcome=\"drained\""), std::string::npos);
    }
}

TEST(ExchangeWaits, ARegionOfACallUnderWayIsNotForgotten) {
    World world{Config()};
    world.scripts["mx-northwest-1"] = {silent()};
    ScriptedClient client(
        world.loop,
        post("/model/" + std::string(kModel) + "/converse", R"({"messages":[]})",
             "Authorization: AWS4-HMAC-SHA256 Credential=A/20231114/mx-northwest-1/bedrock/"
             "aws4_request, SignedHeaders=host, Signature=00\r\n"));
    ASSERT_FALSE(world.serve(client));
    const Region* used = world.worker->region("mx-northwest-1");
    for (const std::string_view direction : {"northeast", "southeast"}) {
        for (int number = 1; number <= 9; ++number) {  // more than there is room for
            world.worker->region("mx-" + std::string(direction) + "-" + std::to_string(number));
        }
    }
    EXPECT_EQ(world.worker->region("mx-northwest-1"), used);
    world.worker->take(world.snapshot);
    client.leave();
    EXPECT_TRUE(world.go_on());
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeWaits, ABodyThatGrowsTooLargeIsRefusedOnItsWay) {
    Config config = two_regions();
    config.limits.max_body = 5;
    World world(config);
    ScriptedClient large(world.loop,
                         "POST /model/m.x/converse HTTP/1.1\r\nHost: localhost\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n123456");
    ASSERT_TRUE(world.serve(large));
    EXPECT_EQ(large.status, 413);
}

}  // namespace
}  // namespace weir::gateway
