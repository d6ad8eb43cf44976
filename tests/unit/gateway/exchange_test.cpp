// A request from its first byte to its last, through every room, with both ends scripted.
#include "gateway/exchange.h"

#include "requests.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using net::NetError;

TEST(Exchange, AWholeAnswerGoesThroughAsItCame) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(client.body, kAnswer);
    EXPECT_NE(client.fields.find("x-weir-attempts: 1\r\n"), std::string::npos) << client.fields;
    ASSERT_EQ(world.seen.size(), 1U);
    EXPECT_EQ(world.seen[0].released, 1);
    EXPECT_TRUE(world.seen[0].reusable);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, AKeptConnectionThatHadClosedIsFollowedByAFreshOne) {
    World world(two_regions());
    Script dead;
    dead.reused = true;
    dead.write = NetError::closed;
    world.scripts["us-east-1"] = {dead, whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(world.seen.size(), 2U);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, WhoeverLeavesBeforeTheAnswerHoldsNothing) {
    World world(two_regions());
    Script silent;
    silent.instead_of_head = hang();
    world.scripts["us-east-1"] = {silent};
    ScriptedClient client(world.loop, converse());
    EXPECT_FALSE(world.serve(client));
    client.leave();
    EXPECT_TRUE(world.go_on());
    EXPECT_EQ(client.status, 0);
    EXPECT_TRUE(client.aborted) << "else the server would answer 500";
    EXPECT_EQ(world.seen[0].released, 1);
    EXPECT_FALSE(world.seen[0].reusable);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, AnErrorOfTheCallersGoesBackAsItCame) {
    World world(two_regions());
    const std::string body = R"({"message":"The provided model identifier is invalid."})";
    world.scripts["us-east-1"] = {
        whole(body, "400 Bad Request", "x-amzn-ErrorType: ValidationException\r\n")};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 400);
    EXPECT_EQ(client.body, body);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, AFailureThatMayBeRepeatedIsRepeatedUnseen) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(R"({"message":"no"})", "503 Unavailable",
                                        "x-amzn-ErrorType: ServiceUnavailableException\r\n")};
    ScriptedClient client(world.loop, converse());
    EXPECT_FALSE(world.serve(client));  // it waits out the pause before another try
    EXPECT_EQ(client.status, 0);
    client.leave();
    EXPECT_TRUE(world.go_on());
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, RefusedKeysAreFetchedAnewOnce) {
    World world(two_regions());
    const auto refused =
        whole(R"({"message":"The security token included in the request is expired"})",
              "403 Forbidden", "x-amzn-ErrorType: ExpiredTokenException\r\n");
    world.scripts["us-east-1"] = {refused, whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(StaticKeys::refreshes, 1);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, AWrongClockIsToldFromAWrongSecret) {
    World world(two_regions());
    const auto refused = [](const std::string& date) {
        return whole(R"({"message":"Signature expired"})", "403 Forbidden",
                     "x-amzn-ErrorType: InvalidSignatureException\r\nDate: " + date + "\r\n");
    };
    world.scripts["us-east-1"] = {refused("Thu, 01 Jan 2015 00:00:00 GMT"), whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_NE(world.log.find("s ahead of Bedrock's in us-east-1"), std::string::npos) << world.log;
}

TEST(Exchange, SeveralAccountsAreNamed) {
    Config config = two_regions();
    config.accounts["prod"].role_arn = "arn:aws:iam::1:role/weir";
    RouteConfig& route = config.routes.emplace_back();
    route.model = kModel;
    RouteTarget& target = route.targets.emplace_back();
    target.region = "us-east-1";
    target.account = "prod";
    World world(config);
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_NE(client.fields.find("x-weir-target: prod/us-east-1/"), std::string::npos)
        << client.fields;
}

TEST(Exchange, WithoutCredentialsTheClientIsToldSo) {
    World world(two_regions());
    StaticKeys::given = false;
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_GE(client.status, 400);
    EXPECT_NE(client.body.find("no credentials for us-east-1"), std::string::npos) << client.body;
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, WhatIsPassedOnGoesHomeAndComesBack) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(R"({"inputTokens":7})")};
    ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/count-tokens",
                                           R"({"input":{"converse":{"messages":[]}}})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(client.body, R"({"inputTokens":7})");
}

TEST(Exchange, WhatIsPassedOnIsSentAgainOnlyWhereItWasNotSent) {
    World world(two_regions());
    Script dead;
    dead.reused = true;
    dead.write = NetError::closed;
    Script broken;
    broken.instead_of_head = error(NetError::reset);
    world.scripts["us-east-1"] = {dead, broken};
    ScriptedClient client(world.loop,
                          post("/model/" + std::string(kModel) + "/count-tokens", "{}"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 503);
    EXPECT_EQ(world.seen.size(), 2U);
}

TEST(Exchange, AnObservedCallGoesAsItCameWhateverTheQuotaSays) {
    Config config = two_regions();
    config.mode = Mode::observe;
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].tokens_per_minute = 1;
    World world(config);
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, ACallThatCanNeverGoIsRefusedAtOnce) {
    Config config = two_regions();
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].tokens_per_minute = 1;
    World world(config);
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 400);
    EXPECT_EQ(world.seen.size(), 0U);
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, WhoWaitsIsToldAtTheDrainsEnd) {
    Config config = two_regions();
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].requests_per_minute = 1;
    World world(config);
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient first(world.loop, converse());
    ASSERT_TRUE(world.serve(first));
    EXPECT_EQ(first.status, 200);
    ScriptedClient second(world.loop, converse());
    EXPECT_FALSE(world.serve(second));
    world.shared.refuse_waiting = true;
    world.worker->end_all();
    EXPECT_TRUE(world.go_on());
    EXPECT_EQ(second.status, 503);
    EXPECT_NE(second.body.find("shutting down"), std::string::npos) << second.body;
    EXPECT_TRUE(world.nothing_held());
}

TEST(Exchange, TheModelsOfTheRoutesAreListedHere) {
    World world(two_regions());
    ScriptedClient client(world.loop, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    ScriptedClient one(world.loop, "GET /v1/models/none HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(world.serve(one));
    EXPECT_EQ(one.status, 404);
}

TEST(Exchange, AClientThatIsSlowOrGoneIsNoFaultOfThePlace) {
    for (const auto why : {NetError::timeout, NetError::reset}) {
        World world(two_regions());
        world.scripts["us-east-1"] = {whole(kAnswer)};
        ScriptedClient client(world.loop, converse());
        client.fails = why;
        ASSERT_TRUE(world.serve(client));
        EXPECT_TRUE(world.nothing_held());
        EXPECT_TRUE(world.seen[0].reusable);
    }
}

TEST(Exchange, AStreamThatItsClientDoesNotTakeEndsWithoutAnotherWord) {
    for (const auto why : {NetError::timeout, NetError::reset}) {
        World world(two_regions());
        Script script;
        script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
        script.body = {bytes(event("messageStart", R"({"role":"assistant"})") +
                             event("contentBlockDelta", R"({"delta":{"text":"hello"}})")),
                       hang()};
        world.scripts["us-east-1"] = {script};
        ScriptedClient client(world.loop, post("/model/" + std::string(kModel) + "/converse-stream",
                                               R"({"messages":[]})"));
        client.fails = why;
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, 200);
        EXPECT_EQ(client.body, "");
        EXPECT_FALSE(world.seen[0].reusable);
        EXPECT_TRUE(world.nothing_held());
    }
}

TEST(Exchange, ABodyThatDoesNotComeEndsIt) {
    World world(two_regions());
    ScriptedClient client(world.loop, converse());
    client.fails_reading = true;
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 0);
    EXPECT_EQ(world.seen.size(), 0U);
    EXPECT_TRUE(world.nothing_held());
}

/// What a head or a body can be refused for, and in which words.
TEST(Exchange, WhatIsNotTakenIsRefusedTypedAndCostsNoUpstream) {
    struct Row {
        std::string request;
        int status;
        std::string_view words;
    };
    const std::string path = "/model/" + std::string(kModel) + "/converse";
    const auto with = [&](std::string_view fields) { return post(path, "{}", fields); };
    const Row rows[] = {
        {"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "no operation"},
        {post("/model/m/invoke-with-bidirectional-stream", "{}"), 501, "Bidirectional"},
        {"POST " + path + " HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}", 403,
         "Host"},
        {with("Origin: http://evil.example\r\n"), 403, ""},
        {with("Via: 1.1 weir-test\r\n"), 508, "before"},
        {with("Content-Type: text/plain\r\n"), 400, "twice"},
        {with("Content-Encoding: gzip\r\n"), 415, "gzip"},
        {with("Expect: miracles\r\n"), 417, "100-continue"},
        {with("x-weir-priority: urgent\r\n"), 400, "interactive, standard or batch"},
        {with("x-weir-deadline-ms: soon\r\n"), 400, "1 to 3600000"},
        {with("x-weir-deadline-ms: 0\r\n"), 400, "1 to 3600000"},
        {post(path, "not json"), 400, ""},
        {post("/v1/chat/completions", "not json"), 400, ""},
        {post(path, "{}",
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=A/20231114/eu-nowhere-9/bedrock/aws4_request, "
              "SignedHeaders=host, Signature=00\r\n"),
         400, "not declared"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.request);
        World world(two_regions());
        ScriptedClient client(world.loop, row.request);
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, row.status) << client.body;
        EXPECT_NE(client.body.find(row.words), std::string::npos) << client.body;
        EXPECT_EQ(world.seen.size(), 0U);
        EXPECT_TRUE(world.nothing_held());
    }
}

}  // namespace
}  // namespace weir::gateway
