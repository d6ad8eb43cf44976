// Signatures from the other side: what the published suite signs is taken, and nothing near it.
#include "codec/sigv4_verify.h"

#include "unit/codec/sigv4_suite.h"

#include <gtest/gtest.h>

namespace {

using namespace weir::codec;
using weir::testing::kExample;
using weir::testing::kThen;
using weir::testing::SuiteCase;

/// A signed request with a body, of which anything may be changed.
struct Signed {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    SigningOptions options;

    std::optional<SignatureFault> fault(std::string_view service, std::int64_t now = kThen) const {
        Head head;
        head.method = method;
        head.target = target;
        for (const auto& [name, value] : fields)
            head.fields.push_back({name, value});
        const auto claim = read_claim(head, std::span(&service, 1), now);
        if (!claim)
            return claim.error();
        if (claim->authorization.access_key_id != kExample.access_key_id)
            return SignatureFault{"UnrecognizedClientException", "whoever looks keys up says so"};
        Signer signer{std::string(service)};
        return check_claim(signer, head, *claim, kExample, sha256(body), options);
    }
    std::string& field(std::string_view name) {
        for (auto& [known, value] : fields)
            if (equals_ignore_case(known, name))
                return value;
        return fields.emplace_back(name, "").second;
    }
};

/// The suite's request as its signer would send it.
Signed signed_case(const SuiteCase& one) {
    Signer signer("service");
    const auto views = one.request.views();
    const Signature made =
        signer.sign({one.request.method, one.request.target, views, sha256(one.request.body)},
                    one.credentials, "us-east-1", kThen, one.options);
    Signed out{one.request.method, one.request.target, one.request.fields, one.request.body,
               one.options};
    out.field("X-Amz-Date") = made.amz_date;
    if (!one.credentials.session_token.empty())
        out.field("X-Amz-Security-Token") = one.credentials.session_token;
    if (one.options.sign_body_header)
        out.field("x-amz-content-sha256") = made.content_sha256;
    EXPECT_EQ(made.signature, one.signature);
    out.field("Authorization") = made.authorization;
    return out;
}

/// Calls `use` with `good` changed in each of its signed bytes, one at a time.
template <class Use>
void each_change(const Signed& good, Use use) {
    const auto change = [&](std::string& text, Signed& changed, const std::string& what) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char kept = text[i];
            if (kept == ' ' || kept == '\t' || kept == '\n' || kept == '\r')
                continue;  // what counts as one blank is the canonical form's affair
            text[i] = kept == 'x' ? 'y' : 'x';
            use(changed, what + ", byte " + std::to_string(i));
            text[i] = kept;
        }
    };
    Signed changed = good;
    change(changed.method, changed, "method");
    change(changed.body, changed, "body");
    changed.body += "x";
    use(changed, "a longer body");
    changed.body = good.body;
    if (good.options.normalize_path) {  // which may undo a change within
        changed.target += "x";
        use(changed, "a longer path");
        changed.target = good.target;
    } else {
        change(changed.target, changed, "target");
    }
    const auto names =
        ";" +
        std::string(parse_authorization(Signed(good).field("authorization"))->signed_headers) + ";";
    for (std::size_t i = 0; i < good.fields.size(); ++i) {
        std::string name = changed.fields[i].first;
        for (char& c : name)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        if (name == "authorization" || names.find(";" + name + ";") != std::string::npos)
            change(changed.fields[i].second, changed, name);
    }
    for (std::size_t i = 0; i < good.fields.size(); ++i) {
        Signed fewer = good;
        fewer.fields.erase(fewer.fields.begin() + static_cast<std::ptrdiff_t>(i));
        if (fewer.fields.size() + 1 == good.fields.size() &&
            names.find(";" + good.fields[i].first + ";") != std::string::npos)
            use(fewer, "without " + good.fields[i].first);
    }
}

TEST(SigV4Verify, SuiteOfOthersEachByteCounts) {
    const auto folder = weir::testing::suite("sigv4");
    WEIR_REQUIRE_SUITE(folder);
    int seen = 0;
    std::size_t changes = 0;
    for (const SuiteCase& one : weir::testing::sigv4_suite(folder)) {
        SCOPED_TRACE(one.name);
        const Signed good = signed_case(one);
        const auto fault = good.fault("service");
        EXPECT_FALSE(fault) << fault->message;
        each_change(good, [&](const Signed& changed, const std::string& what) {
            EXPECT_TRUE(changed.fault("service")) << what;
            ++changes;
        });
        ++seen;
    }
    EXPECT_EQ(seen, 38);
    EXPECT_GT(changes, 38U * 200);
}

/// A Converse call as boto3 sends it.
Signed converse_call() {
    Signed call{"POST",
                "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                {{"Host", "weir.internal:7070"}, {"Content-Type", "application/json"}},
                R"({"messages":[]})",
                {}};
    Signer signer("bedrock");
    const std::vector<Field> fields{{"Host", "weir.internal:7070"},
                                    {"Content-Type", "application/json"}};
    const Signature made = signer.sign({call.method, call.target, fields, sha256(call.body)},
                                       kExample, "us-east-1", kThen);
    call.field("X-Amz-Date") = made.amz_date;
    call.field("Authorization") = made.authorization;
    return call;
}

std::string said(const std::optional<SignatureFault>& fault) {
    return fault ? std::string(fault->type) + ": " + fault->message : "nothing";
}

TEST(SigV4Verify, TheAuthorityIsTheHost) {
    Signer signer("bedrock");
    const std::vector<Field> fields{{":authority", "weir.internal:7070"}};
    const Signature made =
        signer.sign({"GET", "/async-invoke", fields, sha256("")}, kExample, "us-east-1", kThen);
    EXPECT_TRUE(made.authorization.contains("SignedHeaders=:authority;x-amz-date,"));
    Signed call{"GET", "/async-invoke", {{"host", "weir.internal:7070"}}, "", {}};
    call.field("x-amz-date") = made.amz_date;
    call.field("authorization") = made.authorization;
    EXPECT_EQ(said(call.fault("bedrock")), "nothing");
    call.field("host") = "elsewhere:7070";
    EXPECT_NE(said(call.fault("bedrock")), "nothing");
}

TEST(SigV4Verify, FiveMinutesEitherWay) {
    const Signed call = converse_call();
    for (const int off : {-300, -1, 0, 1, 300})
        EXPECT_EQ(said(call.fault("bedrock", kThen + off)), "nothing") << off;
    EXPECT_TRUE(said(call.fault("bedrock", kThen + 301))
                    .starts_with("InvalidSignatureException: Signature expired: 20150830T123600Z"));
    EXPECT_TRUE(said(call.fault("bedrock", kThen - 301))
                    .starts_with("InvalidSignatureException: Signature not yet current: "));
}

TEST(SigV4Verify, WhatIsNoSignature) {
    const Signed good = converse_call();
    const auto with = [&](std::string_view name, auto change) {
        Signed call = good;
        change(call.field(name));
        return said(call.fault("bedrock"));
    };
    const auto replace = [](std::string_view from, std::string_view to) {
        return [=](std::string& text) { text.replace(text.find(from), from.size(), to); };
    };
    const auto starts = [](const std::string& text, std::string_view with_this) {
        EXPECT_TRUE(text.starts_with(with_this)) << text;
    };
    constexpr std::string_view kIncomplete = "IncompleteSignatureException: ";
    starts(with("Authorization", [](std::string& a) { a = "Bearer x"; }), kIncomplete);
    starts(with("Authorization", [](std::string& a) { a.resize(a.find("Signature=")); }),
           kIncomplete);
    starts(with("Authorization", replace("content-type;host;", "content-type;")), kIncomplete);
    starts(with("Authorization", replace(";x-amz-date", "")), kIncomplete);
    for (const char* date : {"", "20150830", "20150830T123600", "20151330T123600Z",
                             "20150830T243600Z", "2015083xT123600Z"})
        starts(with("X-Amz-Date", [date](std::string& d) { d = date; }), kIncomplete);
    starts(with("Authorization", replace("/bedrock/", "/s3/")),
           "InvalidSignatureException: Credential should be scoped to correct service: 'bedrock'.");
    starts(with("Authorization", replace("/20150830/", "/20150831/")),
           "InvalidSignatureException: Date in Credential scope");
    starts(with("Authorization", replace("us-east-1", "us-west-2")),
           "InvalidSignatureException: The request signature we calculated");
    starts(with("Authorization", replace("content-type;host", "host;content-type")),
           "InvalidSignatureException: The request signature we calculated");
    starts(with("Authorization", [](std::string& a) { a.pop_back(); }),
           "InvalidSignatureException: The request signature we calculated");
}

TEST(SigV4Verify, TheBodysSumMustBeTheBodys) {
    Signed call = converse_call();
    call.fields.emplace_back("x-amz-content-sha256", to_hex(sha256(call.body)));
    EXPECT_EQ(said(call.fault("bedrock")), "nothing");
    for (const char* value : {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""}) {
        call.fields.back().second = value;
        EXPECT_TRUE(said(call.fault("bedrock"))
                        .starts_with("InvalidSignatureException: The value of x-amz-content-"))
            << value;
    }
}

TEST(SigV4Verify, Digests) {
    const Digest digest = sha256("abc");
    EXPECT_EQ(parse_digest(to_hex(digest)), digest);
    std::string upper = to_hex(digest);
    upper[0] = 'B';
    for (const std::string& bad : {upper, to_hex(digest) + "0", to_hex(digest).substr(2),
                                   std::string(64, 'g'), std::string("UNSIGNED-PAYLOAD")})
        EXPECT_EQ(parse_digest(bad), std::nullopt) << bad;
}

TEST(SigV4Verify, Dates) {
    EXPECT_EQ(parse_amz_date("20150830T123600Z"), kThen);
    EXPECT_EQ(parse_amz_date("19700101T000000Z"), 0);
    EXPECT_EQ(parse_amz_date("20000229T235959Z"), 951868799);
    for (const char* bad : {"20010229T000000Z", "20150830t123600Z", "20150830T126000Z", " ",
                            "20150830T123600Zx", "-0150830T123600Z"})
        EXPECT_EQ(parse_amz_date(bad), std::nullopt) << bad;
}

}  // namespace
