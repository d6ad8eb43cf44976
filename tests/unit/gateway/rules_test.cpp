#include "gateway/answer.h"
#include "gateway/header_rules.h"
#include "gateway/identity.h"
#include "gateway/snapshot.h"

#include "codec/sigv4.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

codec::Head head_with(std::vector<codec::Field> fields) {
    codec::Head head;
    head.fields = std::move(fields);
    return head;
}

TEST(HeaderRules, OneHopsFieldsAndSecretsStayHere) {
    const auto head = head_with({{"Host", "weir"},
                                 {"Connection", "close, X-Hop"},
                                 {"X-Hop", "1"},
                                 {"Keep-Alive", "5"},
                                 {"TE", "trailers"},
                                 {"Proxy-Authorization", "x"},
                                 {"Authorization", "secret"},
                                 {"X-Api-Key", "secret"},
                                 {"X-Amz-Date", "d"},
                                 {"X-Amz-Security-Token", "t"},
                                 {"X-Amz-Content-Sha256", "h"},
                                 {"Cookie", "c"},
                                 {"Expect", "100-continue"},
                                 {"Accept-Encoding", "gzip"},
                                 {"Content-Length", "3"},
                                 {"x-weir-deadline-ms", "5"},
                                 {"x-weir-frobnicate", "5"},
                                 {"Content-Type", "application/json"},
                                 {"amz-sdk-invocation-id", "i"}});
    std::string out;
    std::vector<std::string_view> unknown;
    append_forwarded_request_fields(out, head, unknown);
    EXPECT_EQ(out, "Content-Type: application/json\r\namz-sdk-invocation-id: i\r\n");
    EXPECT_EQ(unknown, std::vector<std::string_view>{"x-weir-frobnicate"});
}

TEST(HeaderRules, AFieldOfThePlaceStandsForTheClients) {
    codec::Head head;
    head.fields = {{"x-amzn-bedrock-service-tier", "priority"}, {"Accept", "*/*"}};
    std::string out;
    std::vector<std::string_view> unknown;
    const codec::Field tier{"X-Amzn-Bedrock-Service-Tier", "flex"};
    append_forwarded_request_fields(out, head, unknown, std::span(&tier, 1));
    EXPECT_EQ(out, "Accept: */*\r\nX-Amzn-Bedrock-Service-Tier: flex\r\n");
}

TEST(HeaderRules, AnswersLoseTheirHopAndOurNames) {
    const auto head = head_with({{"Content-Type", "a/b"},
                                 {"Transfer-Encoding", "chunked"},
                                 {"Date", "now"},
                                 {"Connection", "keep-alive"},
                                 {"x-weir-target", "forged"},
                                 {"Connection", " ,\tX-Hop\t,"},
                                 {"X-Hop", "1"},
                                 {"Proxy-Authenticate", "Basic"},
                                 {"x-amzn-bedrock-x", "1"}});
    std::string out;
    append_forwarded_response_fields(out, head);
    EXPECT_EQ(out, "Content-Type: a/b\r\nx-amzn-bedrock-x: 1\r\n");
}

TEST(HeaderRules, WhatIsSignedOrFramedByComesOnce) {
    const auto found = [](std::initializer_list<codec::Field> fields) {
        codec::Head head;
        for (const auto& field : fields) {
            head.add(field);
        }
        return std::string(ambiguous_field(head));
    };
    EXPECT_EQ(found({{"Host", "a"},
                     {"Content-Type", "application/json"},
                     {"X-Amz-Date", "20260101T000000Z"},
                     {"Connection", "keep-alive, X-Mine"},
                     {"X-Mine", "1"},
                     {"Accept", "a"},
                     {"Accept", "b"}}),
              "");
    for (const std::string_view name :
         {"Content-Type", "content-type", "Host", "Content-Length", "Transfer-Encoding",
          "Authorization", "x-api-key", "X-Amz-Date", "X-Amz-Security-Token",
          "x-amz-content-sha256", "X-Amzn-Bedrock-GuardrailIdentifier"}) {
        EXPECT_EQ(found({{name, "a"}, {"Accept", "x"}, {name, "b"}}), name);
        EXPECT_EQ(found({{name, "a"}, {"Connection", name}}), name);
        const std::string list = "close , " + std::string(name) + ",x";
        EXPECT_EQ(found({{"connection", list}, {name, "a"}}), name);
        EXPECT_EQ(found({{name, "a"}}), "");
    }
    EXPECT_EQ(found({{"CONTENT-type", "a"}, {"content-TYPE", "a"}}), "CONTENT-type");
}

constexpr std::int64_t kSignedAt = 1440938160;  // 2015-08-30T12:36:00Z

std::vector<ClientConfig> chat_and_etl(bool keys) {
    ClientConfig chat;
    chat.name = "chat";
    ClientConfig etl;
    etl.name = "etl";
    if (keys) {
        chat.key_sha256 = {codec::to_hex(codec::sha256("chat-key")),
                           codec::to_hex(codec::sha256("older"))};
        etl.key_sha256 = {codec::to_hex(codec::sha256("etl-key"))};
    }
    return {chat, etl};
}

TEST(Identity, KeysWhereClientsDemandThem) {
    const ClientDirectory directory(chat_and_etl(true));
    EXPECT_EQ(
        identify(directory, head_with({{"authorization", "Bearer chat-key"}}), "", kSignedAt).name,
        "chat");
    EXPECT_EQ(
        identify(directory, head_with({{"authorization", "bearer older"}}), "", kSignedAt).name,
        "chat");
    EXPECT_EQ(identify(directory, head_with({{"x-api-key", "etl-key"}}), "", kSignedAt).name,
              "etl");
    EXPECT_FALSE(identify(directory, head_with({{"x-api-key", "wrong"}}), "", kSignedAt).admitted);
    EXPECT_FALSE(identify(directory, head_with({}), "etl", kSignedAt).admitted);
    EXPECT_FALSE(
        identify(directory, head_with({{"x-weir-client", "etl"}}), "", kSignedAt).admitted);
    EXPECT_FALSE(
        identify(directory, head_with({{"authorization", "Bearer "}}), "", kSignedAt).admitted);
}

std::string signed_by(std::string_view id, std::string_view service = "bedrock") {
    return "AWS4-HMAC-SHA256 Credential=" + std::string(id) + "/20150830/us-east-1/" +
           std::string(service) +
           "/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=00";
}

TEST(Identity, SignersAreLookedUpBeforeTheirBodyIsThere) {
    auto clients = chat_and_etl(true);
    clients[1].access_key_id = "WEIRETL";
    clients[1].secret_access_key = "secret";
    const ClientDirectory directory(clients);
    const auto of = [&](std::string_view authorization, std::string_view name = "x-a",
                        std::string_view value = "") {
        return identify(directory,
                        head_with({{"host", "h"},
                                   {"x-amz-date", "20150830T123600Z"},
                                   {"authorization", authorization},
                                   {name, value}}),
                        "", kSignedAt);
    };
    const auto known = of(signed_by("WEIRETL"));
    EXPECT_TRUE(known.admitted);
    ASSERT_NE(known.pair, nullptr);
    EXPECT_EQ(known.pair->key.secret_access_key, "secret");
    EXPECT_EQ(known.client->name, "etl");
    EXPECT_EQ(known.name, "") << "nobody until the signature is checked";
    EXPECT_EQ(of(signed_by("WEIRETL", "bedrock-mantle")).client->name, "etl")
        << "AnthropicBedrockMantle signs for that service";

    const auto fault_of = [](const Identity& identity) {
        EXPECT_FALSE(identity.admitted);
        EXPECT_EQ(identity.client, nullptr);
        EXPECT_EQ(identity.pair, nullptr);
        return identity.fault ? identity.fault->type : std::string_view();
    };
    EXPECT_EQ(fault_of(of(signed_by("WEIROTHER"))), "UnrecognizedClientException");
    EXPECT_EQ(fault_of(of(signed_by("WEIRETL", "s3"))), "InvalidSignatureException");
    EXPECT_EQ(fault_of(of("AWS4-HMAC-SHA256 nonsense")), "IncompleteSignatureException");
    EXPECT_EQ(fault_of(of(signed_by("WEIRETL"), "x-amz-security-token", "t")),
              "UnrecognizedClientException");
    EXPECT_EQ(fault_of(of("Basic x")), "");

    // An SDK signs with dummies beside the key that counts.
    EXPECT_EQ(of(signed_by("WEIROTHER"), "x-api-key", "chat-key").name, "chat");
    EXPECT_FALSE(of(signed_by("WEIRETL"), "x-api-key", "wrong").admitted);
    // Where no client has a pair a signature says nothing about who asks.
    EXPECT_FALSE(identify(ClientDirectory(chat_and_etl(true)),
                          head_with({{"authorization", signed_by("WEIRETL")}}), "", kSignedAt)
                     .fault);
}

TEST(Identity, NamesInTheirOrder) {
    const ClientDirectory directory(chat_and_etl(false));
    const auto head =
        head_with({{"x-weir-client", "etl"}, {"user-agent", "Boto3/1 app/notebook lang/python"}});
    EXPECT_EQ(identify(directory, head, "chat", kSignedAt).name, "chat");
    EXPECT_EQ(identify(directory, head, "", kSignedAt).name, "etl");
    EXPECT_NE(identify(directory, head, "", kSignedAt).client, nullptr);
    EXPECT_EQ(
        identify(directory, head_with({{"user-agent", "Boto3/1 app/notebook"}}), "", kSignedAt)
            .name,
        "notebook");
    EXPECT_EQ(identify(directory, head_with({{"x-weir-client", "a b\"c"}}), "", kSignedAt).name,
              "");
    EXPECT_EQ(
        identify(directory, head_with({{"x-weir-client", std::string(65, 'a')}}), "", kSignedAt)
            .name,
        "");
}

TEST(Identity, GlobsMatchWithoutBacktrackingForever) {
    EXPECT_TRUE(glob_match("us.anthropic.*", "us.anthropic.claude"));
    EXPECT_TRUE(glob_match("*", ""));
    EXPECT_FALSE(glob_match("us.*.x", "us.a.y"));
    EXPECT_FALSE(glob_match("*a*a*a*a*a*a*a*a*b", std::string(5'000, 'a')));
}

TEST(Browsers, PagesAndReboundNamesAreRefused) {
    const std::vector<std::string> listen{"127.0.0.1:7070"};
    const auto refused = [&](std::vector<codec::Field> fields) {
        return !browser_refusal(head_with(std::move(fields)), listen, {"weir.internal"}).empty();
    };
    EXPECT_TRUE(refused({{"Host", "127.0.0.1:7070"}, {"Origin", "https://evil.example"}}));
    EXPECT_TRUE(refused({{"Host", "127.0.0.1:7070"}, {"Sec-Fetch-Site", "cross-site"}}));
    EXPECT_TRUE(refused({{"Host", "evil.example:7070"}}));
    EXPECT_TRUE(refused({{"Host", "127.0.0.1.evil.example"}}));
    EXPECT_FALSE(refused({{"Host", "127.0.0.1:7070"}}));
    EXPECT_FALSE(refused({{"Host", "localhost"}}));
    EXPECT_FALSE(refused({{"Host", "[::1]:7070"}}));
    EXPECT_FALSE(refused({{"Host", "weir.internal:7070"}}));
    // Behind a wildcard any address of this machine is right, a name never.
    const auto wild = [](std::string_view host) {
        return browser_refusal(head_with({{"Host", host}}), {"0.0.0.0:7070"}, {}).empty();
    };
    EXPECT_TRUE(wild("10.1.2.3:7070"));
    EXPECT_FALSE(wild("rebound.example:7070"));
}

TEST(Identity, KeysPairsAndNamesInTheirShapes) {
    ClientConfig signer;
    signer.name = "etl";
    signer.access_key_id = "WEIRETL";
    EXPECT_TRUE(ClientDirectory({signer}).keys_required()) << "a pair is a credential too";
    ClientConfig odd;
    odd.name = "odd";
    odd.key_sha256 = {"00"};
    EXPECT_EQ(ClientDirectory({odd}).by_key("key"), nullptr);
    const ClientDirectory nobody({});
    const auto name = [&](std::string_view given) {
        return identify(nobody, head_with({{"x-weir-client", given}}), "", kSignedAt).name;
    };
    for (const std::string_view good : {"a", "Z9", "a.b_c-d", "0"}) {
        EXPECT_EQ(name(good), good);
    }
    for (const std::string_view bad : {"", "a{", "a@", "a/b", "a:", "[", "\x80"}) {
        EXPECT_EQ(name(bad), "") << bad;
    }
    EXPECT_EQ(identify(nobody, head_with({{"user-agent", "  a  app/x"}}), "", kSignedAt).name, "x");
}

TEST(Browsers, HostsInTheirShapes) {
    EXPECT_EQ(host_part("[::1]:7070"), "::1");
    EXPECT_EQ(host_part("[::1"), "[::1");
    EXPECT_EQ(host_part("fe80::1"), "fe80::1");
    EXPECT_EQ(host_part("a:1"), "a");
    EXPECT_TRUE(is_loopback("127.8.8.8"));
    EXPECT_FALSE(is_loopback("127.evil.example"));
    const auto takes = [](std::string_view host, const std::string& listen,
                          const std::string& allowed = "x") {
        return browser_refusal(head_with({{"Host", host}}), {listen}, {allowed}).empty();
    };
    EXPECT_TRUE(takes("192.0.2.7:7070", "192.0.2.7:7070"));
    EXPECT_FALSE(takes("192.0.2.8:7070", "192.0.2.7:7070"));
    EXPECT_TRUE(takes("weir.internal:7070", "192.0.2.7:7070", "weir.internal:7070"));
    EXPECT_TRUE(takes("[2001:db8::1]:7070", "[::]:7070"));
    EXPECT_TRUE(takes("192.0.2.8", "*:7070"));
    EXPECT_FALSE(takes("evil.example", "*:7070"));
    EXPECT_EQ(browser_refusal(head_with({}), {}, {}), "") << "HTTP/1.0 names no host";
}

TEST(Refusals, TheTableOfTheInterface) {
    Refusal r;
    r.reason = RefusalReason::quota;
    r.limit_kind = LimitKind::tokens;
    r.model = "m";
    r.region = "us-east-1";
    r.limit = 1000;
    r.used = 990;
    r.cost = 50;
    r.retry_after = std::chrono::milliseconds(90'500);
    const auto a = refusal_answer(r, "m");
    EXPECT_EQ(a.status, 429);
    EXPECT_EQ(a.type, "ThrottlingException");
    EXPECT_EQ(a.message,
              "weir: no capacity before this call's deadline. m in us-east-1 uses 990 of 1,000 "
              "tokens per minute, and this call needs 50. Room is expected in 91 s.");
    std::string fields;
    append_error_fields(fields, a);
    EXPECT_NE(fields.find("x-amz-retry-after: 90500\r\n"), std::string::npos);
    EXPECT_NE(fields.find("\r\nRetry-After: 60\r\n"), std::string::npos);
    EXPECT_NE(fields.find("x-weir-retry-after: 91\r\n"), std::string::npos);
    EXPECT_NE(fields.find("x-should-retry: false\r\n"), std::string::npos);

    const auto status = [](RefusalReason reason) {
        Refusal other;
        other.reason = reason;
        return refusal_answer(other, "m").status;
    };
    EXPECT_EQ(status(RefusalReason::client_limit), 429);
    EXPECT_EQ(status(RefusalReason::queue_full), 429);
    EXPECT_EQ(status(RefusalReason::deadline), 429);
    Refusal late;
    late.reason = RefusalReason::deadline;
    EXPECT_EQ(refusal_answer(late, "m").outcome, observe::Outcome::deadline);
    late.retry_after = std::chrono::seconds(3);
    EXPECT_EQ(refusal_answer(late, "m").outcome, observe::Outcome::throttled)
        << "what it waited for in vain was a limit";
    EXPECT_EQ(status(RefusalReason::daily_quota), 400);
    EXPECT_EQ(status(RefusalReason::never_fits), 400);
    EXPECT_EQ(status(RefusalReason::unavailable), 503);
}

TEST(Refusals, NoMessageReadsLikeAFullPrompt) {
    for (int i = 0; i <= static_cast<int>(RefusalReason::no_target); ++i) {
        for (int k = 0; k <= static_cast<int>(LimitKind::daily_tokens); ++k) {
            Refusal r;
            r.reason = static_cast<RefusalReason>(i);
            r.limit_kind = static_cast<LimitKind>(k);
            r.limit = 5;
            const auto text = refusal_answer(r, "model").message;
            for (const auto* bad :
                 {"too many tokens", "Too many tokens", "context", "input is too long"}) {
                EXPECT_EQ(text.find(bad), std::string::npos) << text;
            }
        }
    }
}

TEST(Refusals, BodiesEscapeWhatJsonCannotHold) {
    EXPECT_EQ(error_body("a\"b\\c\n"), R"({"message":"a\"b\\c\u000a"})");
}

}  // namespace
}  // namespace weir::gateway
