// How a request ends that does not simply succeed: refused keys, a drain, a reload meanwhile, an
// answer cut short, an exception.
#include "bedrock/model_data.h"
#include "observe/explain.h"
#include "policy/tariff.h"
#include "relay_world.h"
#include "requests.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using net::NetError;

std::string answer(std::uint64_t output) {
    return R"({"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},)"
           R"("stopReason":"end_turn","usage":{"inputTokens":9,"outputTokens":)" +
           std::to_string(output) + R"(,"totalTokens":13}})";
}

std::string converse_stream() {
    return post("/model/" + std::string(kModel) + "/converse-stream", R"({"messages":[]})");
}

Script stream(std::deque<Step> body) {
    Script script;
    script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
    script.body = std::move(body);
    return script;
}

const Script& expired() {
    static const Script script =
        whole(R"({"message":"The security token included in the request is expired"})",
              "403 Forbidden", "x-amzn-ErrorType: ExpiredTokenException\r\n");
    return script;
}

/// The reload that takes us-east-1 away.
std::function<void()> losing_a_region(World& world) {
    return [&world] {
        Config config = two_regions();
        config.regions.erase("us-east-1");
        auto next = std::make_shared<Snapshot>(config);
        next->regions.emplace("us-west-2", world.snapshot->regions.at("us-west-2"));
        world.worker->take(next);
    };
}

TEST(ExchangeEnds, NothingBeginsOnceTheDrainsTimeIsOver) {
    World world(two_regions());
    world.shared.refuse_waiting = true;
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 503);
    EXPECT_NE(client.body.find("shutting down"), std::string::npos);
    EXPECT_TRUE(world.seen.empty());
}

TEST(ExchangeEnds, TheDrainsEndReachesACallWhereverItIs) {
    const auto drain = [](World& world) {
        return [&world] {
            world.shared.refuse_waiting = true;
            world.worker->end_all();
        };
    };
    {
        World world(two_regions());
        ScriptedClient client(world.loop, converse());
        client.on_read = drain(world);
        ASSERT_TRUE(world.serve(client)) << "before it is sent";
        EXPECT_EQ(client.status, 503);
        EXPECT_TRUE(world.seen.empty());
        EXPECT_TRUE(world.nothing_held());
    }
    {
        World world(two_regions());
        Script silent;
        silent.instead_of_head = hang();
        world.scripts["us-east-1"] = {silent};
        ScriptedClient client(world.loop, converse());
        ASSERT_FALSE(world.serve(client));
        drain(world)();
        ASSERT_TRUE(world.go_on()) << "while its answer is awaited";
        EXPECT_EQ(client.status, 503);
        EXPECT_TRUE(world.nothing_held());
    }
    {
        World world(two_regions());
        world.scripts["us-east-1"] = {stream({bytes(kStart + kDelta), hang()})};
        ScriptedClient client(world.loop, converse_stream());
        ASSERT_FALSE(world.serve(client));
        drain(world)();
        ASSERT_TRUE(world.go_on()) << "in its stream";
        EXPECT_EQ(client.status, 200);
        EXPECT_TRUE(client.ended);
        EXPECT_NE(client.body.find("serviceUnavailableException"), std::string::npos);
        EXPECT_TRUE(world.nothing_held());
    }
    {
        World world(two_regions());
        Script large;
        large.body = {bytes(std::string(2 << 20, 'x')), hang()};
        world.scripts["us-east-1"] = {large};
        ScriptedClient client(world.loop, converse());
        ASSERT_FALSE(world.serve(client));
        drain(world)();
        ASSERT_TRUE(world.go_on()) << "in a large answer";
        EXPECT_TRUE(client.aborted);
        EXPECT_TRUE(world.nothing_held());
    }
    {
        World world(two_regions());
        Script error = whole("", "400 Bad Request");
        error.body = {hang()};
        world.scripts["us-east-1"] = {error};
        ScriptedClient client(world.loop, converse());
        ASSERT_FALSE(world.serve(client));
        drain(world)();
        ASSERT_TRUE(world.go_on()) << "in an error's body";
        EXPECT_EQ(client.status, 503);
    }
}

TEST(ExchangeEnds, ARegionThatAReloadTakesAwayFailsTheAttempt) {
    Config config = two_regions();
    config.retry.max_attempts = 1;
    World world(config);
    ScriptedClient client(world.loop, converse());
    client.on_read = losing_a_region(world);
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 503);
    EXPECT_NE(client.body.find("us-east-1 is no longer declared"), std::string::npos)
        << client.body;
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeEnds, KeysOfARegionThatIsGoneAreNotFetched) {
    Config config = two_regions();
    config.retry.max_attempts = 1;
    World world(config);
    Script script = expired();
    script.on_write = losing_a_region(world);
    world.scripts["us-east-1"] = {script};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(StaticKeys::refreshes, 0);
    EXPECT_GE(client.status, 400);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeEnds, WhoLeavesWhileKeysAreFetchedIsNotWaitedFor) {
    World world(two_regions());
    world.scripts["us-east-1"] = {expired()};
    ScriptedClient client(world.loop, converse());
    StaticKeys::hangs = true;
    EXPECT_FALSE(world.serve(client));
    client.leave();
    EXPECT_TRUE(world.go_on());
    EXPECT_EQ(client.status, 0);
    StaticKeys::pending();  // the keys come after all
    EXPECT_TRUE(world.go_on());
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeEnds, WhatIsPassedOnGetsNewKeysOnceToo) {
    World world(two_regions());
    world.scripts["us-east-1"] = {expired(), expired()};
    ScriptedClient client(world.loop,
                          post("/model/" + std::string(kModel) + "/count-tokens", "{}"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 403);
    EXPECT_EQ(StaticKeys::refreshes, 1);
    EXPECT_EQ(world.seen.size(), 2U);
}

TEST(ExchangeEnds, APlaceThatCannotBeReachedIsComplainedOfAndNamed) {
    Config config = two_regions();
    config.retry.max_attempts = 1;
    World world(config);
    for (const auto why : {NetError::connect, NetError::dns}) {
        Script unreachable;
        unreachable.connect = why;
        world.scripts["us-east-1"] = {unreachable};
        ScriptedClient client(world.loop, converse());
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, 503);
        EXPECT_NE(client.body.find("no connection to us-east-1"), std::string::npos) << client.body;
    }
    EXPECT_EQ(world.log.find("no connection to us-east-1"),
              world.log.rfind("no connection to us-east-1"))
        << "an outage is one thing to say";
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeEnds, AnswersThatAreNoneAreFailures) {
    Config config = two_regions();
    config.retry.max_attempts = 1;
    World world(config);
    Script odd = whole("{}", "600 What");
    Script garbage;
    garbage.instead_of_head = error(NetError::protocol);
    for (const Script& script : {odd, garbage}) {
        world.scripts["us-east-1"] = {script};
        ScriptedClient client(world.loop, converse());
        ASSERT_TRUE(world.serve(client));
        EXPECT_GE(client.status, 500) << client.body;
    }
}

/// A good answer as long as max_tokens, after weir has lowered it, has been cut by weir.
struct CutShort : ::testing::Test {
    CutShort() {
        Config config = two_regions();
        config.models = bedrock::builtin_models();
        config.routes.resize(1);
        config.routes[0].model = std::string(kModel);
        config.routes[0].targets.resize(1);
        config.routes[0].targets[0].region = "us-east-1";
        config.routes[0].right_size = true;
        world = std::make_unique<World>(config);
        for (int i = 0; i < 200; ++i) {
            world->scripts["us-east-1"] = {whole(answer(4))};
            ScriptedClient client(world->loop, converse());
            EXPECT_TRUE(world->serve(client));
        }
        world->seen.clear();
        Script cut = whole(answer(4096), "200 OK", "x-amzn-RequestId: cut\r\n");
        world->scripts["us-east-1"] = {cut};
        client.emplace(world->loop,
                       post("/model/" + std::string(kModel) + "/converse",
                            R"({"messages":[],"inferenceConfig":{"maxTokens":4096}})"));
    }
    void then(Script script) { world->scripts["us-east-1"].push_back(std::move(script)); }
    bool gives(std::string_view id) const {
        return client->fields.find("x-amzn-RequestId: " + std::string(id)) != std::string::npos;
    }

    std::unique_ptr<World> world;
    std::optional<ScriptedClient> client;
};

TEST_F(CutShort, IsAskedForAgainWithTheCallersNumber) {
    then(whole(answer(4000), "200 OK", "x-amzn-RequestId: full\r\n"));
    ASSERT_TRUE(world->serve(*client));
    EXPECT_EQ(client->status, 200);
    EXPECT_TRUE(gives("full")) << client->fields;
    ASSERT_EQ(world->seen.size(), 2U);
    EXPECT_EQ(world->seen[0].body.find("4096"), std::string::npos) << world->seen[0].body;
    EXPECT_NE(world->seen[1].body.find("4096"), std::string::npos) << world->seen[1].body;
    const auto kept = world->worker->lives.find("full");
    ASSERT_TRUE(kept);
    const auto life = observe::unpack(*kept).value();
    const auto settled = observe::settled_of(life, observe::unpack_steps(life.steps));
    EXPECT_EQ(settled.answers, 2U);
    EXPECT_EQ(settled.quota_tokens, policy::quota_tokens(life.usage, life.output_burndown));
    client.reset();
    EXPECT_TRUE(world->nothing_held());
}

TEST_F(CutShort, IsBetterThanAnError) {
    then(whole(R"({"message":"no"})", "400 Bad Request",
               "x-amzn-ErrorType: ValidationException\r\n"));
    ASSERT_TRUE(world->serve(*client));
    EXPECT_EQ(client->status, 200);
    EXPECT_TRUE(gives("cut")) << client->fields;
    EXPECT_EQ(client->body, answer(4096));
    const auto kept = world->worker->lives.find("cut");
    ASSERT_TRUE(kept);
    const auto life = observe::unpack(*kept).value();
    const auto told = observe::sentences(life, observe::unpack_steps(life.steps));
    EXPECT_EQ(told.back().find(", 0 s with the service"), std::string::npos) << told.back();
    EXPECT_TRUE(world->nothing_held());
}

TEST_F(CutShort, IsBetterThanTheDrainsWord) {
    Script silent;
    silent.instead_of_head = hang();
    then(silent);
    ASSERT_FALSE(world->serve(*client));
    world->worker->end_all();
    ASSERT_TRUE(world->go_on());
    EXPECT_EQ(client->status, 200);
    EXPECT_TRUE(gives("cut")) << client->fields;
    EXPECT_TRUE(world->nothing_held());
}

/// What throws where, and what the log says of it.
TEST(ExchangeEnds, AnExceptionIsAnEndLikeAnyOther) {
    {
        World world(two_regions());
        world.shared.reach = [](const Region&, Service) -> std::unique_ptr<net::Upstreams> {
            throw std::runtime_error("no memory for it");
        };
        ScriptedClient client(world.loop, converse());
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.status, 500);
        EXPECT_NE(client.fields.find("InternalServerException"), std::string::npos);
        EXPECT_EQ(client.body.find("no memory"), std::string::npos) << "for the log alone";
        EXPECT_NE(world.log.find("met an exception inside weir: no memory for it"),
                  std::string::npos);
        EXPECT_TRUE(world.nothing_held());
    }
    {
        World world(two_regions());
        Script script = stream({bytes(kStart + kDelta), hang([] { throw 7; })});
        world.scripts["us-east-1"] = {script};
        ScriptedClient client(world.loop, converse_stream());
        ASSERT_TRUE(world.serve(client));
        EXPECT_TRUE(client.aborted) << "the client must not take it for complete";
        EXPECT_NE(world.log.find("of no known kind"), std::string::npos);
        EXPECT_TRUE(world.nothing_held());
    }
    {
        World world(two_regions());
        world.scripts["us-east-1"] = {whole(answer(4))};
        world.shared.log = nullptr;
        ScriptedClient client(world.loop, converse());
        client.on_send = [] { throw std::bad_alloc(); };
        ASSERT_TRUE(world.serve(client)) << "nothing can be said, nor logged";
        EXPECT_TRUE(client.aborted);
        EXPECT_TRUE(world.nothing_held());
    }
}

TEST(ExchangeEnds, AnotherAttemptCanFollowAnOpenedStreamButNoWholeAnswer) {
    Config config = two_regions();
    config.retry.base_delay = Duration::zero();
    config.retry.max_attempts = 2;
    World world(config);
    world.scripts["us-east-1"] = {
        stream({bytes(kStart), error(NetError::timeout), error(NetError::reset)}),
        whole(answer(4))};
    ScriptedClient client(world.loop, converse_stream());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(world.seen.size(), 2U);
    EXPECT_EQ(client.status, 200) << "the head went out when nothing had come for long";
    EXPECT_TRUE(client.ended);
    EXPECT_TRUE(client.body.starts_with(kStart));
    EXPECT_NE(client.body.find("serviceUnavailableException"), std::string::npos);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeEnds, AnEventBeyondTheProtocolEndsTheStreamInWords) {
    World world(two_regions());
    std::string large(12, '\0');
    large[0] = '\x7f';  // its length
    world.scripts["us-east-1"] = {stream({bytes(kStart + kDelta), bytes(large)})};
    ScriptedClient client(world.loop, converse_stream());
    ASSERT_TRUE(world.serve(client));
    EXPECT_TRUE(client.body.starts_with(kStart + kDelta));
    EXPECT_GT(client.body.size(), kStart.size() + kDelta.size());
    EXPECT_FALSE(world.seen[0].reusable);
    EXPECT_TRUE(world.nothing_held());
}

TEST(ExchangeEnds, AThrottledCallThatIsOnlyObservedKeepsItsError) {
    for (const std::string_view status : {"429 Too Many Requests", "500 Error"}) {
        Config config = two_regions();
        config.mode = Mode::observe;
        World world(config);
        const std::string body = R"({"message":"no"})";
        world.scripts["us-east-1"] = {whole(body, status)};
        ScriptedClient client(world.loop, converse());
        ASSERT_TRUE(world.serve(client));
        EXPECT_EQ(client.body, body);
        EXPECT_EQ(client.fields.find("x-should-retry") != std::string::npos,
                  status.starts_with("429"));
        const auto rows = world.shadow->rows();
        ASSERT_EQ(rows.size(), 1U);
        EXPECT_EQ(rows[0].counts.throttled, status.starts_with("429") ? 1U : 0U);
        EXPECT_EQ(rows[0].counts.failed, status.starts_with("429") ? 0U : 1U);
    }
}

TEST(ExchangeEnds, AnObservedCallIsSentAgainWhereItWasNotSent) {
    Config config = two_regions();
    config.mode = Mode::observe;
    World world(config);
    Script dead;
    dead.reused = true;
    dead.write = NetError::closed;
    world.scripts["us-east-1"] = {dead, whole(answer(4))};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(world.seen.size(), 2U);

    World left(config);
    left.scripts["us-east-1"] = {stream({bytes(kStart + kDelta), hang()})};
    ScriptedClient gone(left.loop, converse_stream());
    ASSERT_FALSE(left.serve(gone));
    gone.leave();
    ASSERT_TRUE(left.go_on());
    EXPECT_EQ(left.shadow->rows()[0].counts.failed, 1U);
}

}  // namespace
}  // namespace weir::gateway
