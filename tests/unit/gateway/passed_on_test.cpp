// What the body alone proves: whose the things are that a call leans on, and which model will run.
#include "admission_world.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;

TEST(Admission, WhatLeansOnAResponseGoesWhereItWasMade) {
    const auto builds_on = [](std::string_view id, std::string_view more = "") {
        return post("/v1/responses",
                    R"({"model":")" + kSonnet + R"(","input":"x")" + std::string(more) +
                        R"(,"previous_response_id":")" + std::string(id) + "\"}",
                    kChat);
    };
    const auto stored = [](std::string_view id) {
        return get("/v1/responses/" + std::string(id), kChat);
    };
    expect_each(
        two_clients(),
        {{builds_on("resp_chat"), 0, ""},
         {builds_on("resp_gone"), 0, ""},
         {builds_on("resp_etl"), 404, "Previous response with id 'resp_etl' not found",
          "previous_response"},
         {builds_on("resp_x"), 404, "Previous response with id", "previous_response"},
         {builds_on("resp_west"), 403, "may not use Region us-west-2", "region"},
         {builds_on("resp_nova"), 403, "may not use model nova", "model"},
         {stored("resp_chat"), 0, ""},
         {stored("resp_etl"), 404, "Response with id 'resp_etl' not found", "response"},
         {post("/v1/responses", R"({"model":")" + kSonnet + R"(","conversation":"c"})", kChat), 404,
          "Conversation not found", "response"},
         {post("/v1/responses", R"({"model":"nova"})", kChat), 403, "may not use model", "model"},
         {post("/v1/responses", "{}", kChat), 400, "weir: "}});

    Config alone = anybody();
    Asked asked(alone, post("/v1/responses",
                            R"({"model":"m.x","input":"x","previous_response_id":"resp_x"})"));
    const auto call = asked.call();
    ASSERT_TRUE(call);
    EXPECT_TRUE(call->region_bound) << "nobody here knows where it is";
    EXPECT_EQ(call->reach, Reach::both);
    expect_each(alone, {{post("/v1/responses", R"({"model":"m.x","conversation":"c"})"), 0, ""}});
}

TEST(Admission, AKeptResponsesTokensAndEndpointGoWithTheCall) {
    for (const auto endpoint : {Endpoint::runtime, Endpoint::mantle}) {
        Asked asked(anybody(), post("/v1/responses",
                                    R"({"model":"m.x","input":"x","previous_response_id":"r"})"));
        auto made = Asked::made("us-west-2", "", "m.x");
        made.endpoint = endpoint;
        asked.world.shared.responses.remember("r", made);
        const auto call = asked.call();
        ASSERT_TRUE(call);
        EXPECT_EQ(call->home_region, "us-west-2");
        EXPECT_GT(call->input_estimate, 1000U);
        EXPECT_EQ(call->reach, endpoint == Endpoint::mantle ? Reach::mantle : Reach::runtime);
        EXPECT_EQ(service_of(*asked.request, endpoint),
                  endpoint == Endpoint::mantle ? Service::mantle : Service::runtime);
    }
}

TEST(Admission, AsynchronousInvocationsAndJobsBelongToWhoMadeThem) {
    const auto job = [](std::string_view id) {
        return get("/model-invocation-job/" + std::string(id), kChat);
    };
    const auto stop = [](std::string_view id, std::string_view fields = kChat) {
        return post("/model-invocation-job/" + std::string(id) + "/stop", "", fields);
    };
    expect_each(two_clients(),
                {{job("resp_chat"), 0, ""},
                 {job("resp_nova"), 404, "resp_nova is not there", "response"},
                 {job("resp_etl"), 404, "resp_etl is not there", "response"},
                 {job("unknown"), 404, "unknown is not there", "response"},
                 {job("arn:aws:bedrock:us-west-2:1:model-invocation-job/resp_chat"), 403,
                  "may not use Region us-west-2", "region"},
                 {get("/async-invoke/unknown", kChat), 404, "is not there", "response"},
                 {get("/async-invoke", kChat), 403, "this list has those of all", "model"},
                 {get("/model-invocation-jobs", kChat), 403, "this list has those of all", "model"},
                 {stop("resp_chat"), 0, ""}});
    Config all = two_clients();
    all.clients[0].models.clear();
    expect_each(all, {{job("unknown"), 0, ""},
                      {get("/async-invoke", kChat), 0, ""},
                      {stop("unknown"), 404, "unknown is not there", "response"}});
    expect_each(anybody(), {{stop("unknown", ""), 0, ""}});
}

TEST(Admission, WhatRunsAModelElsewhereNamesItInTheBody) {
    const auto start = [](std::string_view body, std::string_view fields = kChat) {
        return post("/async-invoke", body, fields);
    };
    const auto rerank = [](const std::string& arn) {
        return post("/rerank",
                    R"({"rerankingConfiguration":{"bedrockRerankingConfiguration":)"
                    R"({"modelConfiguration":{"modelArn":")" +
                        arn + R"("}}}})",
                    kChat);
    };
    const std::string home = "arn:aws:bedrock:us-east-1::foundation-model/";
    expect_each(two_clients(),
                {{start(R"({"modelId":"us.anthropic.x"})"), 0, ""},
                 {start(R"({"modelId":"nova"})"), 403, "may not use model nova", "model"},
                 {start("{}"), 400, "no usable `modelId`"},
                 {post("/model-invocation-job", R"({"modelId":"nova"})", kChat), 403,
                  "may not use model nova", "model"},
                 {rerank(home + "rerank-v1"), 0, ""},
                 {rerank(home + "other-v1"), 403, "may not use model other-v1", "model"},
                 {rerank("arn:aws:bedrock:us-west-2::foundation-model/rerank-v1"), 403,
                  "may not use Region us-west-2", "region"}});
    expect_each(anybody(), {{start("{}", ""), 0, ""}});  // the service says what is wrong with it
}

TEST(Admission, TheControlPlaneShowsWhatAClientMayUse) {
    const auto profile = [](std::string_view id) {
        return get("/inference-profiles/" + std::string(id), kChat);
    };
    const auto guardrail = [](std::string_view id) {
        return post("/guardrail/" + std::string(id) + "/version/1/apply", "{}", kChat);
    };
    expect_each(
        two_clients(),
        {{profile(kSonnet), 0, ""},
         {get("/inference-profiles", kChat), 0, ""},
         {get("/foundation-models/amazon.nova-pro", kChat), 403, "may not use model", "model"},
         {profile("us.amazon.nova"), 403, "may not use model us.amazon.nova", "model"},
         {profile(kElsewhere), 403, "may not use Region us-west-2", "region"},
         {guardrail("g"), 0, ""},
         {guardrail("arn:aws:bedrock:us-west-2:1:guardrail/g"), 403, "may not use Region us-west-2",
          "region"},
         {post("/guardrail-checks/invoke", "{}", kChat), 0, ""},
         {post("/model/us.anthropic.x/count-tokens", "{}", kChat), 0, ""}});
    // A client that may use a profile may read of the model behind it.
    Config exact = two_clients();
    exact.clients[0].models = {kSonnet};
    expect_each(exact, {{get("/foundation-models/anthropic.claude-sonnet-4-5-20250929-v1:0", kChat),
                         0, ""}});
}

TEST(Admission, AnthropicsCountBecomesBedrocks) {
    const auto count = [](std::string_view body) {
        return post("/anthropic/v1/messages/count_tokens", body, kChat);
    };
    expect_each(two_clients(),
                {{count("{}"), 400, "model"},
                 {count(R"({"model":"nova","messages":[]})"), 403, "may not use model", "model"},
                 {count(R"({"model":"us.anthropic.x","messages":[}})"), 400, "weir: "}});
    Asked asked(two_clients(), count(R"({"model":"us.anthropic.x","messages":[]})"));
    ASSERT_TRUE(asked.admit());
    EXPECT_EQ(asked.request->target, "/model/anthropic.x/count-tokens");
    EXPECT_TRUE(asked.request->body.text.starts_with(R"({"input":{"invokeModel":)"));
    EXPECT_EQ(asked.request->body.digest, codec::sha256(asked.request->body.text));
}

TEST(Admission, AClientsRequestsAMinuteCountWhatIsPassedOn) {
    Config config = two_clients();
    config.clients[0].requests_per_minute = 1;
    const std::string text = post("/guardrail/g/version/1/apply", "{}", kChat);
    const auto second = [&](const Config& with) {
        Asked asked(with, text);
        EXPECT_TRUE(asked.admit());
        ScriptedClient again(asked.world.loop, text);
        Request request(asked.world.snapshot, again, asked.world.shared.buffered);
        EXPECT_TRUE(admit_head(request, *asked.world.worker, kWhen));
        return admit_body(request, *asked.world.worker);
    };
    const Admitted limited = second(config);
    ASSERT_FALSE(limited);
    EXPECT_EQ(limited.error().status, 429);
    EXPECT_NE(limited.error().message.find("limit of this client"), std::string::npos);
    config.mode = Mode::observe;
    EXPECT_TRUE(second(config)) << "nobody is limited who is only observed";
}

TEST(Responses, TheLastOnesAreRemembered) {
    ResponseMemory memory;
    const auto id = [](int number) { return "r" + std::to_string(number); };
    for (int i = 0; i <= 100'000; ++i) {
        memory.remember(id(i), Asked::made("us-east-1", "", "m"));
    }
    EXPECT_FALSE(memory.find(id(0)));
    EXPECT_TRUE(memory.find(id(1)));
    memory.remember(id(1), Asked::made("us-west-2", "", "m"));
    EXPECT_EQ(memory.find(id(1))->region, "us-west-2");
    EXPECT_TRUE(memory.find(id(2))) << "what is renewed makes no other go";
}

}  // namespace
}  // namespace weir::gateway
