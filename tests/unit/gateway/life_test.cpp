// What a request leaves behind for GET /explain/ID, on every path.
#include "gateway/inquiry.h"
#include "requests.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace weir::gateway {
namespace {

using namespace test;
using observe::AttemptStep;
using observe::kNever;
using observe::RefusalStep;
using observe::WaitStep;

std::string id_in(const std::string& fields) {
    const std::string name = "x-weir-request-id: ";
    const auto at = fields.find(name);
    return at == std::string::npos ? "" : fields.substr(at + name.size(), 26);
}

/// What is kept of the request that this client made.
struct Kept {
    Kept(const World& world, const std::string& id) : packed(world.worker->lives.find(id)) {
        if (packed) {
            life = observe::unpack(*packed).value();
            steps = observe::unpack_steps(life.steps);
        }
    }
    std::optional<std::string> packed;
    observe::Life life;
    std::vector<observe::Step> steps;
};

TEST(Life, OfAnAnsweredCall) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(kAnswer, "200 OK", "x-amzn-RequestId: up-1\r\n")};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    const Kept kept(world, id_in(client.fields));
    ASSERT_TRUE(kept.packed);
    EXPECT_EQ(kept.life.operation, "Converse");
    EXPECT_EQ(kept.life.model, kModel);
    EXPECT_EQ(kept.life.status, 200);
    EXPECT_EQ(kept.life.outcome, "ok");
    EXPECT_EQ(kept.life.upstream_id, "up-1");
    EXPECT_EQ(kept.life.usage.output, 4U);
    EXPECT_GT(kept.life.bytes, 10U);
    EXPECT_TRUE(kept.life.limited);
    EXPECT_GE(kept.life.ended, 0);
    ASSERT_EQ(kept.steps.size(), 1U);
    const auto& attempt = std::get<AttemptStep>(kept.steps[0]);
    EXPECT_EQ(attempt.region, "us-east-1");
    EXPECT_EQ(attempt.account, "default");
    EXPECT_EQ(attempt.why.choice, Choice::first);
    EXPECT_EQ(attempt.result, "ok");
    EXPECT_EQ(attempt.status, 200);
    EXPECT_GT(attempt.reservation, 0U);
    EXPECT_LE(attempt.from, attempt.sent);
    EXPECT_LE(attempt.sent, attempt.head);
    EXPECT_LE(attempt.head, attempt.to);
    EXPECT_TRUE(world.worker->lives.find("up-1")) << "by the service's id as well";
    EXPECT_EQ(world.worker->lives.kept().eventful, 0U);
}

TEST(Life, NeverHoldsAPromptOrAnAnswer) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient client(world.loop,
                          post("/model/" + std::string(kModel) + "/converse",
                               R"({"messages":[{"role":"user","content":[{"text":"swordfish"}]}]})",
                               "Authorization: Bearer open-sesame\r\n"));
    ASSERT_TRUE(world.serve(client));
    const Kept kept(world, id_in(client.fields));
    ASSERT_TRUE(kept.packed);
    for (const char* secret : {"swordfish", "hello", "open-sesame"}) {
        EXPECT_EQ(kept.packed->find(secret), std::string::npos) << secret;
    }
}

TEST(Life, OfACallThatFellBack) {
    World world(with_a_fallback());
    world.scripts["us-east-1"] = {whole(R"({"message":"down"})", "503 Down",
                                        "x-amzn-ErrorType: ServiceUnavailableException\r\n")};
    world.scripts["us-west-2"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    const Kept kept(world, id_in(client.fields));
    ASSERT_EQ(kept.steps.size(), 2U);
    const auto& first = std::get<AttemptStep>(kept.steps[0]);
    EXPECT_EQ(first.region, "us-east-1");
    EXPECT_EQ(first.result, "capacity");
    EXPECT_EQ(first.status, 503);
    EXPECT_EQ(first.error, "ServiceUnavailableException");
    const auto& second = std::get<AttemptStep>(kept.steps[1]);
    EXPECT_EQ(second.region, "us-west-2");
    EXPECT_EQ(second.why.choice, Choice::elsewhere);
    EXPECT_EQ(second.result, "ok");
    EXPECT_GE(second.from, first.to);
    EXPECT_EQ(world.worker->lives.kept().eventful, 1U);
}

TEST(Life, OfACallThatIsPassedOnOrRefused) {
    World world(two_regions());
    world.scripts["us-east-1"] = {whole(R"({"inputTokens":3})")};
    ScriptedClient counted(world.loop,
                           post("/model/" + std::string(kModel) + "/count-tokens", "{}"));
    ASSERT_TRUE(world.serve(counted));
    const Kept passed(world, id_in(counted.fields));
    ASSERT_EQ(passed.steps.size(), 1U);
    EXPECT_EQ(std::get<AttemptStep>(passed.steps[0]).why.choice, Choice::as_it_came);
    EXPECT_FALSE(passed.life.limited);

    for (const std::string& request :
         {get("/no/such/path"), post("/model/" + std::string(kModel) + "/converse", "no json"),
          post("/openai/v1/chat/completions", "{}"), post("/anthropic/v1/messages", "[]")}) {
        ScriptedClient client(world.loop, request);
        ASSERT_TRUE(world.serve(client));
        EXPECT_GE(client.status, 400);
        const std::string id = id_in(client.fields);
        const Kept kept(world, id);
        ASSERT_TRUE(kept.packed) << request;
        EXPECT_EQ(kept.life.id, id);
        EXPECT_EQ(kept.life.status, client.status);
        EXPECT_FALSE(kept.life.error.empty());
        EXPECT_TRUE(kept.steps.empty());
    }
}

TEST(Life, OfACallThatNoLimitLetsPass) {
    Config config = two_regions();
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].tokens_per_minute = 100;
    World world(config);
    ScriptedClient client(world.loop,
                          post("/model/" + std::string(kModel) + "/converse",
                               R"({"messages":[],"inferenceConfig":{"maxTokens":500}})"));
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 400);
    const Kept kept(world, id_in(client.fields));
    ASSERT_EQ(kept.steps.size(), 1U);
    const auto& refusal = std::get<RefusalStep>(kept.steps[0]);
    EXPECT_EQ(refusal.reason, RefusalReason::never_fits);
    EXPECT_EQ(refusal.limit, 100U);
    EXPECT_GT(refusal.cost, 500U);
    EXPECT_EQ(kept.life.reason, "never_fits");
}

/// One call is under way, another waits for its end.
struct Line {
    static Config config() {
        Config config = two_regions();
        config.quotas = {quota_of(kModel, "us-east-1")};
        config.quotas[0].requests_per_minute = 1000;
        config.quotas[0].max_in_flight = 1;
        return config;
    }
    Line() : world(config()), like(world.loop, world.shared, world.snapshot, 1) {
        Script silent;
        silent.instead_of_head = hang();
        world.scripts["us-east-1"] = {silent, whole(kAnswer)};
        first.emplace(world.loop, converse());
        EXPECT_FALSE(world.serve(*first));
        second.emplace(world.loop, converse());
        EXPECT_FALSE(world.serve(*second));
        // The same seed gives the same ids.
        sent_id = like.new_request_id();
        waiting_id = like.new_request_id();
    }
    std::optional<std::string> told(const std::string& id) {
        std::optional<std::string> found;
        world.worker->calls.for_each([&](const CallUnderWay& call) {
            if (auto one = call.tell(id)) {
                found = std::move(one);
            }
        });
        return found;
    }
    World world;
    Worker like;
    std::optional<ScriptedClient> first;
    std::optional<ScriptedClient> second;
    std::string sent_id;
    std::string waiting_id;
};

TEST(Life, OfCallsUnderWay) {
    Line line;
    const auto sent = line.told(line.sent_id);
    ASSERT_TRUE(sent);
    const auto sent_life = observe::unpack(*sent).value();
    EXPECT_EQ(sent_life.ended, kNever);
    const auto sent_steps = observe::unpack_steps(sent_life.steps);
    ASSERT_EQ(sent_steps.size(), 1U);
    EXPECT_EQ(std::get<AttemptStep>(sent_steps[0]).to, kNever);
    EXPECT_NE(std::get<AttemptStep>(sent_steps[0]).sent, kNever);
    EXPECT_EQ(std::get<AttemptStep>(sent_steps[0]).head, kNever);

    const auto waits = line.told(line.waiting_id);
    ASSERT_TRUE(waits);
    const auto waiting_steps = observe::unpack_steps(observe::unpack(*waits)->steps);
    ASSERT_EQ(waiting_steps.size(), 1U);
    const auto& wait = std::get<WaitStep>(waiting_steps[0]);
    EXPECT_EQ(wait.to, kNever);
    EXPECT_EQ(wait.cause, Hindrance::in_flight);
    EXPECT_EQ(wait.region, "us-east-1");
    EXPECT_EQ(wait.limit, 1U);
    EXPECT_FALSE(line.told("another"));

    line.first->leave();
    line.world.go_on();
    const Kept gone(line.world, line.sent_id);
    EXPECT_EQ(gone.life.outcome, "cancelled");
    ASSERT_EQ(gone.steps.size(), 1U);
    EXPECT_EQ(std::get<AttemptStep>(gone.steps[0]).result, "cancelled");
    const Kept served(line.world, line.waiting_id);
    EXPECT_EQ(served.life.outcome, "ok");
    ASSERT_EQ(served.steps.size(), 2U);
    EXPECT_NE(std::get<WaitStep>(served.steps[0]).to, kNever);
    EXPECT_EQ(std::get<AttemptStep>(served.steps[1]).result, "ok");
}

TEST(Life, NothingIsKeptWhereNothingIsToBe) {
    World world(two_regions());
    world.shared.explain.memory = 0;
    world.worker = std::make_unique<Worker>(world.loop, world.shared, world.snapshot, 1);
    world.scripts["us-east-1"] = {whole(kAnswer)};
    ScriptedClient client(world.loop, converse());
    ASSERT_TRUE(world.serve(client));
    EXPECT_EQ(client.status, 200);
    EXPECT_FALSE(world.worker->lives.find(id_in(client.fields)));
    EXPECT_EQ(world.worker->lives.kept().requests, 0U);
}

/// Asks two workers.
struct TwoWorkers {
    explicit TwoWorkers(World& world) {
        for (int i = 0; i < 2; ++i) {
            workers.push_back(
                std::make_unique<Worker>(world.loop, world.shared, world.snapshot, 7 + i));
        }
    }
    ExplainAnswer ask(World& world, const std::string& id) {
        auto inquiry = std::make_unique<Inquiry>();
        inquiry->id = id;
        inquiry->snapshot = world.snapshot;
        inquiry->started_unix_ms = 1'790'000'000'000;
        std::optional<ExplainAnswer> answer;
        inquiry->done = [&](ExplainAnswer given) { answer = std::move(given); };
        explain(workers, 0, std::move(inquiry));
        while (world.loop.poll() > 0) {
        }
        return answer.value();
    }
    std::vector<std::unique_ptr<Worker>> workers;
};

TEST(Inquiry, AsksEveryWorkerAndSaysWhatIsKept) {
    World world(two_regions());
    TwoWorkers asked(world);
    observe::Life life;
    life.id = "one";
    life.ended = 5;
    asked.workers[1]->lives.remember(life, true);
    const auto found = asked.ask(world, "one");
    EXPECT_TRUE(found.found);
    EXPECT_EQ(nlohmann::json::parse(found.text)["id"], "one");
    const auto unknown = asked.ask(world, "two");
    EXPECT_FALSE(unknown.found);
    EXPECT_NE(unknown.text.find("Kept are 1 requests"), std::string::npos) << unknown.text;
}

TEST(Inquiry, ListsRequestsOfEveryWorker) {
    World world(two_regions());
    TwoWorkers asked(world);
    observe::Life life;
    life.ended = 5;
    for (const std::size_t i : {0U, 1U}) {
        const std::string id = "r" + std::to_string(i);
        life.id = id;
        life.unix_ms = static_cast<std::int64_t>(i);
        asked.workers[i]->lives.remember(life, true);
    }
    std::string answer;
    auto survey = std::make_unique<Survey>(
        Survey{observe::RecentRequests({}), [&](std::string text) { answer = std::move(text); }});
    list_requests(asked.workers, 0, std::move(survey));
    while (world.loop.poll() > 0) {
    }
    const auto json = nlohmann::json::parse(answer);
    ASSERT_EQ(json["requests"].size(), 2U);
    EXPECT_EQ(json["requests"][0]["id"], "r1");
}

TEST(Inquiry, TheQueryOfAListIsStrict) {
    const auto query = recent_query("/requests?client=a%2Eb&region=us-east-1&outcome=ok&limit=7");
    ASSERT_TRUE(query) << query.error().message;
    EXPECT_EQ(query->client, "a.b");
    EXPECT_EQ(query->region, "us-east-1");
    EXPECT_EQ(query->outcome, "ok");
    EXPECT_EQ(query->limit, 7U);
    EXPECT_EQ(recent_query("/requests")->limit, 50U);
    for (const char* bad :
         {"?limit=0", "?limit=201", "?limit=7x", "?limit=", "?limit=-1", "?clients=a", "?client"}) {
        const std::string target = std::string("/requests") + bad;
        EXPECT_FALSE(recent_query(target)) << bad;
    }
}

TEST(Inquiry, OtherRegionsAreThoseThatTheRouteDoesNotUse) {
    Config config = two_regions();
    EXPECT_EQ(other_regions(config, kModel, "us-east-1"), std::vector<std::string>{"us-west-2"});
    config.regions["eu-west-1"].endpoint = "http://127.0.0.1:3";
    config.routes.resize(1);
    config.routes[0].model = std::string(kModel);
    config.routes[0].targets.resize(2);
    config.routes[0].targets[0].region = "us-east-1";
    config.routes[0].targets[1].region = "us-west-2";
    EXPECT_EQ(other_regions(config, kModel, "us-east-1"), std::vector<std::string>{"eu-west-1"});
}

}  // namespace
}  // namespace weir::gateway
