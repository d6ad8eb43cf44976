#include "codec/sigv4.h"

#include "unit/codec/sigv4_suite.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace {

using namespace weir::codec;

using weir::testing::kExample;
using weir::testing::kThen;

TEST(SigV4, SuiteOfOthers) {
    const auto folder = weir::testing::suite("sigv4");
    WEIR_REQUIRE_SUITE(folder);
    Signer signer("service");
    int seen = 0;
    for (const auto& one : weir::testing::sigv4_suite(folder)) {
        SCOPED_TRACE(one.name);
        const auto fields = one.request.views();
        const Signature got =
            signer.sign({one.request.method, one.request.target, fields, sha256(one.request.body)},
                        one.credentials, "us-east-1", kThen, one.options);
        EXPECT_EQ(got.canonical_request, one.canonical_request);
        EXPECT_EQ(got.string_to_sign, one.string_to_sign);
        EXPECT_EQ(got.signature, one.signature);
        EXPECT_TRUE(one.signed_request.contains(got.authorization + "\n"));
        ++seen;
    }
    EXPECT_EQ(seen, 38);
}

struct BedrockVector {
    const char* path;
    const char* canonical_path;
    const char* canonical_sum;
    const char* signature;
};

class SigV4Bedrock : public ::testing::TestWithParam<BedrockVector> {};

TEST_P(SigV4Bedrock, EncodesAnEncodedPathOnceMore) {
    const BedrockVector& vector = GetParam();
    Signer signer("bedrock");
    const std::vector<Field> headers{{"Host", "bedrock-runtime.us-east-1.amazonaws.com"},
                                     {"Content-Type", "application/json"}};
    const Digest body = sha256(R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})");
    const Signature got =
        signer.sign({"POST", vector.path, headers, body}, kExample, "us-east-1", kThen);
    EXPECT_TRUE(got.canonical_request.contains(vector.canonical_path));
    EXPECT_EQ(to_hex(sha256(got.canonical_request)), vector.canonical_sum);
    EXPECT_EQ(got.signature, vector.signature);
    EXPECT_EQ(got.amz_date, "20150830T123600Z");
    EXPECT_EQ(got.content_sha256, "");
    EXPECT_EQ(got.authorization,
              "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, "
              "SignedHeaders=content-type;host;x-amz-date, Signature=" +
                  std::string(vector.signature));
}

INSTANTIATE_TEST_SUITE_P(
    Vectors, SigV4Bedrock,
    ::testing::Values(
        BedrockVector{"/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                      "\n/model/us.anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse\n",
                      "01bfdc1398cad04a72ba789153da49c9a26f1337792a729d1822edfb150ee9fa",
                      "24ac9ad5a743023594984d946e9219bdb9ef9bc120ce390f0e0a2a2de60e837b"},
        BedrockVector{"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-"
                      "inference-profile%2Fabcdefghij12/converse",
                      "profile%252Fabcdefghij12/converse\n",
                      "02e29ce761cd98f03561cac7c53354caaefab51cadba1b477cba8356621a5dcb",
                      "fc32ae1f3a22449d4a8fd7affdfe391f79f2ac161b65cba08083cb2187444d20"}));

std::string sign_at(Signer& signer, std::int64_t time, std::string_view region,
                    const SigningCredentials& credentials) {
    const std::vector<Field> headers{{"Host", "h"}};
    return signer.sign({"GET", "/", headers, sha256("")}, credentials, region, time).signature;
}

TEST(SigV4, CachedKeysAreNeverMixedUp) {
    Signer kept("bedrock");
    for (int round = 0; round < 2; ++round)
        for (std::int64_t day = 0; day < 30; ++day)
            for (const char* region : {"us-east-1", "eu-west-1"})
                for (const char* secret : {"one", "two"}) {
                    const SigningCredentials credentials{"AK", secret, ""};
                    Signer fresh("bedrock");
                    EXPECT_EQ(sign_at(kept, kThen + day * 86400, region, credentials),
                              sign_at(fresh, kThen + day * 86400, region, credentials));
                }
}

TEST(SigV4, WhatSignaturesOfASecondShareIsNeverMixedUp) {
    Signer kept("bedrock");
    const auto same = [&kept](const SigningRequest& request, const SigningCredentials& credentials,
                              std::string_view region, std::int64_t time,
                              const SigningOptions& options) {
        Signer fresh("bedrock");
        const Signature expected = fresh.sign(request, credentials, region, time, options);
        const Signature& got = kept.sign(request, credentials, region, time, options);
        EXPECT_EQ(got.authorization, expected.authorization);
        EXPECT_EQ(got.canonical_request, expected.canonical_request);
        EXPECT_EQ(got.string_to_sign, expected.string_to_sign);
        EXPECT_EQ(got.signature, expected.signature);
        EXPECT_EQ(got.amz_date, expected.amz_date);
        EXPECT_EQ(got.content_sha256, expected.content_sha256);
    };
    const std::vector<Field> plain{{"Host", "h"}};
    const std::vector<Field> typed{{"Host", "h"}, {"Content-Type", "x"}};
    const std::vector<Field> other{{"Host", "h"}, {"Content-Type", "y"}};
    const std::vector<SigningCredentials> keys{
        {"AK", "s", ""}, {"AK", "s", "t"}, {"AK", "z", ""}, {"BK", "s", ""}};
    // One thing differs from the base at a time, with other bodies in between.
    for (const char* body : {"one", "two", "three"}) {
        const Digest digest = sha256(body);
        for (int round = 0; round < 2; ++round) {
            same({"POST", "/a", typed, digest}, keys[0], "r", kThen, {});
            same({"GET", "/a", typed, digest}, keys[0], "r", kThen, {});
            same({"POST", "/a?b=c", typed, digest}, keys[0], "r", kThen, {});
            same({"POST", "/a/../b", typed, digest}, keys[0], "r", kThen, {});
            same({"POST", "/a/../b", typed, digest}, keys[0], "r", kThen, {true, false});
            same({"POST", "/a", plain, digest}, keys[0], "r", kThen, {});
            same({"POST", "/a", other, digest}, keys[0], "r", kThen, {});
            same({"POST", "/a", typed, digest}, keys[0], "r", kThen, {false, true});
            same({"POST", "/a", typed, digest}, keys[0], "q", kThen, {});
            same({"POST", "/a", typed, digest}, keys[0], "r", kThen + 1, {});
            for (const SigningCredentials& key : keys)
                same({"POST", "/a", typed, digest}, key, "r", kThen, {});
        }
    }
}

TEST(SigV4, DatesOfTheWholeRange) {
    Signer signer("s");
    const std::vector<Field> headers{{"Host", "h"}};
    const auto date = [&](std::int64_t time) {
        return signer.sign({"GET", "/", headers, {}}, kExample, "r", time).amz_date;
    };
    EXPECT_EQ(date(0), "19700101T000000Z");
    EXPECT_EQ(date(951782399), "20000228T235959Z");
    EXPECT_EQ(date(951868799), "20000229T235959Z");
    EXPECT_EQ(date(1798761599), "20261231T235959Z");
    EXPECT_EQ(date(-1), "19700101T000000Z");
    EXPECT_EQ(date(INT64_MAX), "99991231T235959Z");
}

TEST(SigV4, ItsOwnHeadersReplaceLeftOvers) {
    Signer signer("bedrock");
    const SigningCredentials temporary{"AK", "secret", "new-token"};
    const std::vector<Field> stale{
        {"Host", "h"}, {"X-Amz-Date", "19990101T000000Z"}, {"X-Amz-Security-Token", "old-token"}};
    const std::vector<Field> clean{{"Host", "h"}};
    const auto sign = [&](std::span<const Field> headers) {
        return signer.sign({"GET", "/", headers, sha256("")}, temporary, "r", kThen);
    };
    EXPECT_EQ(sign(stale).signature, sign(clean).signature);
    EXPECT_TRUE(sign(clean).canonical_request.contains("x-amz-security-token:new-token\n"));
}

TEST(SigV4, QueriesAreEncodedOnceAndSorted) {
    Signer signer("s");
    const std::vector<Field> headers{{"Host", "h"}};
    const auto query = [&](std::string_view target) {
        const std::string canonical =
            signer.sign({"GET", target, headers, {}}, kExample, "r", kThen).canonical_request;
        const std::size_t start = canonical.find('\n', 4) + 1;
        return canonical.substr(start, canonical.find('\n', start) - start);
    };
    EXPECT_EQ(query("/"), "");
    EXPECT_EQ(query("/?"), "");
    EXPECT_EQ(query("/?b=2&a=3&a=1&c"), "a=1&a=3&b=2&c=");
    EXPECT_EQ(query("/?a=x%2fy%20z&&%zz=%4"), "%25zz=%254&a=x%2Fy%20z");
    EXPECT_EQ(query("/?a=b=c/d"), "a=b%3Dc%2Fd");
}

TEST(SigV4, ParsesWhatItWrites) {
    Signer signer("bedrock");
    const std::vector<Field> headers{{"Host", "h"}, {"Content-Type", "x"}};
    const Signature got =
        signer.sign({"POST", "/x", headers, sha256("")}, kExample, "us-west-2", kThen);
    const auto parsed = parse_authorization(got.authorization);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->access_key_id, "AKIDEXAMPLE");
    EXPECT_EQ(parsed->date, "20150830");
    EXPECT_EQ(parsed->region, "us-west-2");
    EXPECT_EQ(parsed->service, "bedrock");
    EXPECT_EQ(parsed->signed_headers, "content-type;host;x-amz-date");
    EXPECT_EQ(parsed->signature, got.signature);
}

TEST(SigV4, ParsesNothingElse) {
    const std::string scope = "Credential=AK/20150830/us-east-1/bedrock/aws4_request";
    const std::string rest = "SignedHeaders=host,Signature=ab";
    EXPECT_TRUE(parse_authorization("AWS4-HMAC-SHA256 " + scope + "," + rest));
    EXPECT_TRUE(parse_authorization("AWS4-HMAC-SHA256  " + rest + " ,  " + scope));
    for (const std::string& bad : {
             std::string(),
             std::string("Bearer x"),
             std::string("AWS4-HMAC-SHA256"),
             "AWS4-HMAC-SHA256" + scope + "," + rest,
             "AWS4-HMAC-SHA512 " + scope + "," + rest,
             "AWS4-HMAC-SHA256 " + scope,
             "AWS4-HMAC-SHA256 " + rest,
             "AWS4-HMAC-SHA256 " + scope + "," + rest + ",x=y",
             "AWS4-HMAC-SHA256 " + scope + "," + rest + ",",
             "AWS4-HMAC-SHA256 " + scope + "," + scope + "," + rest,
             "AWS4-HMAC-SHA256 " + scope + "/x," + rest,
             std::string("AWS4-HMAC-SHA256 Credential=AK/2015083x/r/s/aws4_request,") + rest,
             std::string("AWS4-HMAC-SHA256 Credential=AK/20150830/r/s/aws5_request,") + rest,
             std::string("AWS4-HMAC-SHA256 Credential=/20150830/r/s/aws4_request,") + rest,
             std::string("AWS4-HMAC-SHA256 Credential=AK/20150830//s/aws4_request,") + rest,
             std::string("AWS4-HMAC-SHA256 Credential=AK,") + rest,
         })
        EXPECT_FALSE(parse_authorization(bad)) << bad;
}

TEST(Digests, PublishedVectors) {
    EXPECT_EQ(to_hex(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 4231, cases 1, 2 and 6 (a key longer than a block).
    EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'),
                                 "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digests, PiecesMakeTheSameSum) {
    const bool held = rc::check([](const std::vector<std::string>& pieces) {
        Sha256 running;
        std::string whole;
        for (const std::string& piece : pieces) {
            running.update(piece);
            whole += piece;
        }
        RC_ASSERT(running.finish() == sha256(whole));
        running.update(whole);  // started afresh
        RC_ASSERT(running.finish() == sha256(whole));
    });
    EXPECT_TRUE(held);
}

}  // namespace
