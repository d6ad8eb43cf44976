// Who may ask, from where, with which head and how large a body.
#include "admission_world.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;

TEST(Admission, NobodyWithoutACredentialWhereClientsHaveThem) {
    const std::string target = "/model/" + kSonnet + "/converse";
    const auto key = [&](std::string_view fields) { return post(target, "{}", fields); };
    expect_each(two_clients(),
                {{key(""), 403, "a client key is needed", "key"},
                 {key("x-api-key: wrong\r\n"), 403, "no client has this key", "key"},
                 {key(kChat), 0, ""},
                 {key("Authorization: AWS4-HMAC-SHA256 nonsense\r\n"), 403, "", "key"},
                 {key(signed_fields(target, "{}", false)), 0, ""},
                 {key(signed_fields(target, "{}", true)), 0, ""},
                 {key(signed_fields(target, "{}", false, "bedrock-mantle")), 0, ""},
                 {key(signed_fields(target, "other", false)), 403, "signature", "key"},
                 {key(signed_fields(target, "other", true)), 403, "x-amz-content-sha256", "key"},
                 {key(signed_fields("/elsewhere", "{}", true)), 403, "signature", "key"},
                 {key(signed_fields(target, "{}", false) + "x-amz-content-sha256: none\r\n"), 403,
                  "x-amz-content-sha256", "key"}});
}

TEST(Admission, ASignerIsKnownOnceItsSignatureIs) {
    const std::string target = "/model/" + kSonnet + "/converse";
    Asked good(two_clients(), post(target, "{}", signed_fields(target, "{}", false)));
    ASSERT_TRUE(admit_head(*good.request, *good.world.worker, kWhen));
    EXPECT_EQ(good.request->identity.name, "");
    ASSERT_TRUE(run(good.world.loop, read_body(*good.request, good.client, *good.world.worker)));
    ASSERT_TRUE(admit_body(*good.request, *good.world.worker));
    EXPECT_EQ(good.request->identity.name, "etl");
    Asked early(two_clients(), post(target, "{}", signed_fields(target, "{}", true)));
    ASSERT_TRUE(admit_head(*early.request, *early.world.worker, kWhen));
    EXPECT_EQ(early.request->identity.name, "etl") << "before anything is held for it";
    Asked bad(two_clients(), post(target, "{}", signed_fields(target, "x", false)));
    EXPECT_FALSE(bad.admit());
    EXPECT_EQ(bad.request->identity.client, nullptr);
}

TEST(Admission, ModelsAndRegionsOfAClient) {
    Config west = two_clients();
    west.default_region = "us-west-2";
    expect_each(two_clients(),
                {{converse_of("amazon.nova-pro", kChat), 403,
                  "client chat may not use model amazon.nova-pro", "model"},
                 {post("/model/" + std::string(kElsewhere) + "/converse", "{}", kChat), 403,
                  "client chat may not use Region us-west-2", "region"}});
    expect_each(west,
                {{converse_of(kSonnet, kChat), 403, "may not use Region us-west-2", "region"}});
}

TEST(Admission, TheRegionIsTheSignaturesElseTheDefaultElseTheOnlyOne) {
    const auto home = [](const Config& config, std::string_view fields) {
        Asked asked(config, converse_of("m.x", fields));
        const Admitted admitted = asked.admit();
        return admitted ? std::string(asked.request->home_region) : admitted.error().message;
    };
    const auto in = [](std::string_view region) {
        return "Authorization: AWS4-HMAC-SHA256 Credential=A/20231114/" + std::string(region) +
               "/bedrock/aws4_request, SignedHeaders=host, Signature=00\r\n";
    };
    Config config = anybody();
    EXPECT_EQ(home(config, in("us-west-2")), "us-west-2");
    EXPECT_EQ(home(config, "Authorization: Basic x\r\n"), "us-east-1");
    EXPECT_NE(home(config, in("eu-west-1")).find("declared are us-east-1, us-west-2"),
              std::string::npos);
    config.default_region.clear();
    EXPECT_NE(home(config, "").find("there is no default_region"), std::string::npos);
    config.regions.erase("us-east-1");
    EXPECT_EQ(home(config, ""), "us-west-2");
    config.regions.clear();
    EXPECT_EQ(home(config, in("eu-west-1")), "eu-west-1");
    EXPECT_NE(home(config, in("middle-earth-1")).find("names, is not one"), std::string::npos);
    EXPECT_NE(home(config, "").find("there is no default_region"), std::string::npos);
}

TEST(Admission, WhatTheHeadAsksOfWeir) {
    const auto of = [](const Config& config, const std::string& fields) {
        auto asked = std::make_unique<Asked>(config, converse_of(kSonnet, fields));
        const Admitted admitted = asked->admit();
        EXPECT_TRUE(admitted) << admitted.error().message;
        return asked;
    };
    const auto plain = of(anybody(),
                          "x-weir-priority: Interactive\r\nx-weir-deadline-ms: 250\r\n"
                          "amz-sdk-invocation-id: i\r\namz-sdk-request: attempt=3; max=5\r\n"
                          "Content-Encoding: identity\r\nExpect: 100-continue\r\n");
    EXPECT_EQ(plain->request->directives.priority, Priority::interactive);
    EXPECT_EQ(plain->request->directives.deadline, 250ms);
    EXPECT_EQ(plain->request->directives.invocation, "i");
    EXPECT_EQ(plain->request->directives.sdk_attempt, 3);
    EXPECT_EQ(of(anybody(), "amz-sdk-request: max=5\r\n")->request->directives.sdk_attempt, 0);
    EXPECT_EQ(of(anybody(), "amz-sdk-request: attempt=x\r\n")->request->directives.sdk_attempt, 0);
    EXPECT_EQ(of(anybody(), "Content-Encoding:\r\n")->request->directives.deadline, std::nullopt);
    // A client's own priority is the best that it may have.
    const auto batch = of(two_clients(), std::string(kChat) + "x-weir-priority: interactive\r\n");
    EXPECT_EQ(batch->request->directives.priority, Priority::batch);
    expect_each(anybody(),
                {{converse_of(kSonnet, "x-weir-deadline-ms: 3600001\r\n"), 400, "1 to 3600000"},
                 {converse_of(kSonnet, "x-weir-deadline-ms: 5s\r\n"), 400, "1 to 3600000"}});
}

TEST(Admission, AnthropicsClientListsModelsInItsOwnDialect) {
    Asked asked(anybody(), get("/v1/models", "anthropic-version: 2023-06-01\r\n"));
    ASSERT_TRUE(asked.admit());
    EXPECT_EQ(asked.request->dialect, bedrock::Dialect::anthropic);
    EXPECT_EQ(asked.request->home_region, "") << "no Region is asked";
}

TEST(Admission, BodiesAreBounded) {
    Config config = anybody();
    config.limits.max_body = 8;
    const std::string chunked =
        "POST /model/m.x/converse HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        "\r\n";
    expect_each(config, {{converse_of("m.x", "", "123456789"), 413, "limits.max_body allows 8"},
                         {converse_of("m.x", "", "12345678"), 0, ""},
                         {chunked + "123456789", 413, "has 9 bytes"},
                         {chunked + "12345678", 0, ""}});
    config.limits.max_buffered = 7;
    expect_each(config,
                {{converse_of("m.x", "", "12345678"), 503, "limits.max_buffered", "buffered"}});
    const std::string invoke =
        "POST /model/m.x/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Length: 25000001\r\n\r\n";
    expect_each(anybody(), {{invoke, 400, "length less than or equal to 25000000"}});
    config.limits.max_body = 100;
    expect_each(config, {{invoke, 413, "25,000,001 bytes"}});
}

TEST(Admission, WhatBindsACallToItsRegion) {
    const auto call = [](const std::string& text) {
        Asked asked(anybody(), text);
        const auto made = asked.call();
        struct Bound {
            std::string profile, guardrail;
            bool region_bound;
            std::optional<std::uint64_t> max_output;
        };
        return Bound{std::string(made->profile), std::string(made->guardrail), made->region_bound,
                     made->max_output};
    };
    const std::string_view field = "X-Amzn-Bedrock-GuardrailIdentifier: mine\r\n";
    const std::string_view guarded =
        R"({"messages":[],"guardrailConfig":{"guardrailIdentifier":"theirs"}})";
    EXPECT_EQ(call(converse_of(kElsewhere)).profile, kElsewhere);
    EXPECT_EQ(call(converse_of("m.x")).profile, "");
    EXPECT_EQ(call(converse_of("m.x", field)).guardrail, "mine");
    EXPECT_EQ(call(converse_of("m.x", "", guarded)).guardrail, "theirs");
    EXPECT_EQ(call(converse_of("m.x", field, guarded)).guardrail, "a guardrail")
        << "which of the two is not clear";
    EXPECT_TRUE(call(converse_of("m.x", "",
                                 R"({"messages":[{"role":"user","content":[{"document":{"source":)"
                                 R"({"s3Location":{"uri":"s3://b/k"}}}}]}]})"))
                    .region_bound);
    // A model that answers without text has no maximum of tokens, whatever the body calls so.
    const std::string_view maximum = R"({"inputText":"x","max_tokens":5})";
    EXPECT_EQ(call(post("/model/amazon.titan-embed-text-v2:0/invoke", maximum)).max_output,
              std::nullopt);

    Asked broken(anybody(), converse_of("m.x", "", "[]"));
    const auto refused_call = broken.call();
    ASSERT_FALSE(refused_call);
    EXPECT_EQ(refused_call.error().status, 400);
}

TEST(Admission, EachOperationHasItsService) {
    const auto service = [](const std::string& text, Endpoint endpoint = Endpoint::runtime) {
        Asked asked(anybody(), text);
        EXPECT_TRUE(asked.admit());
        return service_of(*asked.request, endpoint);
    };
    EXPECT_EQ(service(converse_of("m.x")), Service::runtime);
    EXPECT_EQ(service(get("/inference-profiles")), Service::control);
    EXPECT_EQ(service(post("/model-invocation-job", "{}")), Service::control);
    EXPECT_EQ(service(get("/model-invocation-job/j")), Service::control);
    EXPECT_EQ(service(get("/model-invocation-jobs")), Service::control);
    EXPECT_EQ(service(post("/model-invocation-job/j/stop", "")), Service::control);
    EXPECT_EQ(service(post("/rerank", "{}")), Service::agent);
    EXPECT_EQ(service(converse_of("m.x"), Endpoint::mantle), Service::mantle);
}

TEST(Admission, ALargeBodyIsFreedAndASmallOneStays) {
    Asked asked(anybody(), converse_of("m.x", "", R"({"a":")" + std::string(9000, 'x') + "\"}"));
    ASSERT_TRUE(asked.admit());
    asked.request->body.free();
    EXPECT_EQ(asked.request->body.text.capacity(), std::string().capacity());
    EXPECT_EQ(asked.world.shared.buffered.load(), 0U);
    Asked small(anybody(), converse_of("m.x"));
    ASSERT_TRUE(small.admit());
    small.request->body.free();
    EXPECT_EQ(small.request->body.text, "{}");
}

}  // namespace
}  // namespace weir::gateway
