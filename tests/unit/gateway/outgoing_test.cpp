// What one attempt sends, byte for byte.
#include "gateway/outgoing.h"

#include "admission_world.h"
#include "gateway/tracing.h"

#include <gtest/gtest.h>

#include <cctype>

namespace weir::gateway {
namespace {

using namespace test;

Config one_region(const std::string& endpoint = "http://127.0.0.1:1") {
    Config config;
    config.regions["us-east-1"].endpoint = endpoint;
    config.default_region = "us-east-1";
    config.aliases["fast"] = "anthropic.claude-haiku-4-5-20251001-v1:0";
    return config;
}

struct OutgoingTest : ::testing::Test {
    void ask(Config config, std::string text) {
        request.reset();  // counts its bytes in the world that is about to go
        client.reset();
        world = std::make_unique<World>(std::move(config));
        client = std::make_unique<ScriptedClient>(world->loop, std::move(text));
        request = std::make_unique<Request>(world->snapshot, *client, world->shared.buffered);
        const Admitted head = admit_head(*request, *world->worker, kWhen);
        ASSERT_TRUE(head) << head.error().message;
        const auto body = run(world->loop, read_body(*request, *client, *world->worker));
        ASSERT_TRUE(body && *body);
        const Admitted rest = admit_body(*request, *world->worker);
        ASSERT_TRUE(rest) << rest.error().message;
        const auto call = to_call(*request, *world->worker, CallId(), Instant());
        ASSERT_TRUE(call) << call.error().message;
        target = Target{std::string(request->home_region), std::string(request->model)};
        grant.target = &target;
        keys = world->worker->region("us-east-1")->keys->get();
    }
    bool compose_it() {
        const Destination to{*world->worker->region("us-east-1"), Service::runtime, keys.get(),
                             world->worker->signer};
        return compose(out, *request, grant, to, "weir-test", kWhen);
    }
    bool says(std::string_view line) const {
        return out.head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
    }

    std::unique_ptr<World> world;
    std::unique_ptr<ScriptedClient> client;
    std::unique_ptr<Request> request;
    Target target;
    Grant grant;
    std::shared_ptr<const aws::Credentials> keys;
    Outgoing out;
};

std::string messages_to(std::string_view model, std::string_view fields = {},
                        std::string_view body = R"({"messages":[]})") {
    return converse_of(model, fields, body);
}

TEST_F(OutgoingTest, ARequestAsItCameIsSignedAnew) {
    ask(one_region(),
        messages_to("m.x", "User-Agent: sdk\r\nx-weir-priority: batch\r\nCookie: no\r\n"));
    ASSERT_TRUE(compose_it());
    EXPECT_EQ(out.body, R"({"messages":[]})");
    EXPECT_EQ(out.body.data(), request->body.text.data());
    EXPECT_EQ(out.head,
              "POST /model/m.x/converse HTTP/1.1\r\n"
              "Host: 127.0.0.1:1\r\n"
              "Content-Length: 15\r\n"
              "Content-Type: application/json\r\n"
              "User-Agent: sdk\r\n"
              "Via: 1.1 weir-test\r\n"
              "X-Amz-Date: 20231114T221320Z\r\n" +
                  out.head.substr(out.head.find("Authorization: ")));
    EXPECT_NE(out.head.find("Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/"
                            "us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;"
                            "x-amz-date, Signature="),
              std::string::npos)
        << out.head;
    EXPECT_TRUE(out.head.ends_with("\r\n\r\n"));
    EXPECT_EQ(out.unknown_fields, 0U);
}

TEST_F(OutgoingTest, AFieldOfOursThatIsNoneIsCountedAndStaysHere) {
    ask(one_region(), messages_to("m.x", "x-weir-priorty: batch\r\n"));
    ASSERT_TRUE(compose_it());
    EXPECT_EQ(out.unknown_fields, 1U);
    EXPECT_EQ(out.head.find("priorty"), std::string::npos);
}

TEST_F(OutgoingTest, ANicknameAndAFallbackGoOnUnderTheirModelsName) {
    ask(one_region(), messages_to("fast"));
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(out.head.starts_with(
        "POST /model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse HTTP/1.1\r\n"))
        << out.head;
    target.model = "other.model";
    grant.substituted = true;
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(out.head.starts_with("POST /model/other.model/converse HTTP/1.1\r\n"));
}

TEST_F(OutgoingTest, AProfileStandsForTheCallersOwn) {
    ask(one_region(), messages_to("m.x"));
    grant.profile = "arn:aws:bedrock:us-west-2:1:application-inference-profile/abc";
    ASSERT_TRUE(compose_it());
    EXPECT_NE(out.head.find("application-inference-profile%2Fabc/converse"), std::string::npos);
}

TEST_F(OutgoingTest, ALoweredMaximumIsTheOnlyChangeOfTheBody) {
    ask(one_region(), messages_to("anthropic.claude-x", {},
                                  R"({"messages":[],"inferenceConfig":{"maxTokens":4096}})"));
    grant.max_output = 100;
    ASSERT_TRUE(compose_it());
    EXPECT_EQ(out.body, R"({"messages":[],"inferenceConfig":{"maxTokens":100}})");
    EXPECT_TRUE(says("Content-Length: " + std::to_string(out.body.size())));
}

TEST_F(OutgoingTest, ATierOfThePlaceStandsInTheBody) {
    ask(one_region(), messages_to("anthropic.claude-x"));
    target.tier = Tier::flex;
    ASSERT_TRUE(compose_it());
    EXPECT_NE(out.body.find("flex"), std::string_view::npos) << out.body;
}

TEST_F(OutgoingTest, AGuardrailOfThePlaceStandsForTheClients) {
    ask(one_region(),
        messages_to("anthropic.claude-x", {},
                    R"({"messages":[],"guardrailConfig":{"guardrailIdentifier":"mine"}})"));
    grant.guardrail = "theirs";
    ASSERT_TRUE(compose_it());
    EXPECT_NE(out.body.find("\"theirs\""), std::string_view::npos) << out.body;
    EXPECT_EQ(out.body.find("\"mine\""), std::string_view::npos) << out.body;
}

TEST_F(OutgoingTest, OnOpenAisPathModelAndUsageStandInTheBody) {
    const std::string body = R"({"model":"fast","stream":true,"messages":[]})";
    ask(one_region(),
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
    grant.path = ApiPath::openai_v1;
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(out.head.starts_with("POST /openai/v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_NE(out.body.find("anthropic.claude-haiku-4-5-20251001-v1:0"), std::string_view::npos);
    EXPECT_NE(out.body.find("include_usage"), std::string_view::npos) << out.body;
}

TEST_F(OutgoingTest, AnEndpointsPathComesFirst) {
    ask(one_region("http://127.0.0.1:1/base"), messages_to("m.x"));
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(out.head.starts_with("POST /base/model/m.x/converse HTTP/1.1\r\n"));
}

TEST_F(OutgoingTest, WithoutCredentialsNothingIsSent) {
    ask(one_region(), messages_to("m.x"));
    keys = nullptr;
    EXPECT_FALSE(compose_it());
}

TEST_F(OutgoingTest, ABearerKeyIsSentAndNothingIsSigned) {
    ask(one_region(), messages_to("m.x", "Authorization: Bearer the-clients\r\n"));
    auto bearer = std::make_shared<aws::Credentials>();
    bearer->bearer_token = "weirs-own";
    keys = bearer;
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(says("Authorization: Bearer weirs-own"));
    EXPECT_EQ(out.head.find("the-clients"), std::string::npos);
    EXPECT_EQ(out.head.find("X-Amz-Date"), std::string::npos);
}

TEST_F(OutgoingTest, ASessionsTokenGoesWithTheSignature) {
    ask(one_region(), messages_to("m.x"));
    auto session = std::make_shared<aws::Credentials>(*keys);
    session->session_token = "TOKEN";
    keys = session;
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(says("X-Amz-Security-Token: TOKEN"));
}

TEST_F(OutgoingTest, ATierAndAGuardrailThatNoBodyHasGoIntoTheHead) {
    ask(one_region(),
        "POST /model/m.x/invoke HTTP/1.1\r\nHost: localhost\r\n"
        "X-Amzn-Bedrock-GuardrailIdentifier: mine\r\nContent-Length: 2\r\n\r\n{}");
    target.tier = Tier::flex;
    grant.guardrail = "theirs";
    ASSERT_TRUE(compose_it());
    EXPECT_EQ(out.body, "{}");
    EXPECT_TRUE(says("X-Amzn-Bedrock-Service-Tier: flex")) << out.head;
    EXPECT_TRUE(says("X-Amzn-Bedrock-GuardrailIdentifier: theirs")) << out.head;
    EXPECT_EQ(out.head.find("mine"), std::string::npos);
}

TEST_F(OutgoingTest, AnArnGoesOnAsItCame) {
    const std::string arn = "arn:aws:bedrock:us-east-1:1:inference-profile/m.x";
    ask(one_region(), messages_to(arn));
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(out.head.starts_with("POST /model/" + arn + "/converse HTTP/1.1\r\n"));
}

TEST_F(OutgoingTest, TheCallersOwnKeyGoesOnWhereThatIsConfigured) {
    Config config = one_region();
    config.credentials.source = CredentialsSource::client_bearer;
    ask(config, messages_to("m.x", "Authorization: Bearer the-clients\r\n"));
    keys = nullptr;
    ASSERT_TRUE(compose_it());
    EXPECT_TRUE(says("Authorization: Bearer the-clients"));
    ask(config, messages_to("m.x"));
    ASSERT_TRUE(compose_it());
    EXPECT_EQ(out.head.find("Authorization"), std::string::npos)
        << "the service says what it lacks";
}

constexpr std::string_view kTraceFields =
    "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
    "tracestate: rojo=1\r\n"
    "Tracestate: congo=2\r\n"
    "X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1"
    "\r\n";

TEST_F(OutgoingTest, WithoutTracesTheFieldsOfATraceGoOnAsTheyCame) {
    ask(one_region(), messages_to("m.x", kTraceFields));
    ASSERT_TRUE(compose_it());
    EXPECT_NE(out.head.find("\r\n" + std::string(kTraceFields)), std::string::npos) << out.head;
    EXPECT_NE(out.head.find("SignedHeaders=content-type;host;x-amz-date,"), std::string::npos)
        << "whoever changes them on the way breaks no signature";
}

struct TracedTest : OutgoingTest {
    void ask_traced(std::string_view fields) {
        Config config = one_region();
        config.otlp.endpoint = "http://127.0.0.1:4318";
        ask(std::move(config), messages_to("m.x", fields));
        trace =
            trace_of(request->head, request->snapshot->config.otlp, [this] { return ++random; });
        const TraceFields traced(request->head, trace, 2);
        const Destination to{*world->worker->region("us-east-1"), Service::runtime, keys.get(),
                             world->worker->signer};
        ASSERT_TRUE(compose(out, *request, grant, to, "weir-test", kWhen, traced.fields()));
        span = observe::hex_span(observe::attempt_span(trace.span, 2));
    }
    std::size_t count(std::string_view name) const {
        std::string lower;
        for (const char c : out.head) {
            lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        std::size_t found = 0;
        for (auto at = lower.find(name); at != std::string::npos; at = lower.find(name, at + 1)) {
            ++found;
        }
        return found;
    }
    std::uint64_t random = 0;
    observe::RequestTrace trace;
    std::string span;
};

TEST_F(TracedTest, UpstreamGetsTheAttemptAsItsParent) {
    ask_traced(kTraceFields);
    EXPECT_TRUE(says("traceparent: 00-0af7651916cd43dd8448eb211c80319c-" + span + "-01"))
        << out.head;
    EXPECT_TRUE(says("tracestate: rojo=1,congo=2")) << out.head;
    EXPECT_TRUE(says("X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" + span +
                     ";Sampled=1"))
        << out.head;
    EXPECT_EQ(count("traceparent:"), 1U);
    EXPECT_EQ(count("tracestate:"), 1U);
    EXPECT_EQ(count("x-amzn-trace-id:"), 1U);
    EXPECT_NE(out.head.find("SignedHeaders=content-type;host;x-amz-date,"), std::string::npos);
}

TEST_F(TracedTest, XraysFieldAloneNamesTheTrace) {
    ask_traced("x-amzn-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?\r\n");
    EXPECT_EQ(observe::hex(trace.caller.trace), "5759e988bd862e3fe1be46a994272793");
    EXPECT_FALSE(trace.own);
    EXPECT_TRUE(says("traceparent: 00-5759e988bd862e3fe1be46a994272793-" + span + "-00"))
        << out.head;
    EXPECT_TRUE(
        says("X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Parent=" + span))
        << out.head;
}

TEST_F(TracedTest, ATraceBeginsWhereNoneIsNamed) {
    for (const std::string_view fields :
         {"", "traceparent: 00-zz\r\ntracestate: rojo=1\r\n",
          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
          "traceparent: 00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01\r\n"}) {
        ask_traced(fields);
        EXPECT_EQ(trace.caller.parent, 0U);
        EXPECT_TRUE(trace.own);
        EXPECT_TRUE(
            says("traceparent: 00-" + observe::hex(trace.caller.trace) + "-" + span + "-02"))
            << out.head;
        EXPECT_EQ(count("traceparent:"), 1U);
        EXPECT_EQ(count("tracestate:"), 0U) << "it belongs to no trace";
        EXPECT_EQ(count("x-amzn-trace-id"), 0U) << "none is invented";
    }
}

}  // namespace
}  // namespace weir::gateway
