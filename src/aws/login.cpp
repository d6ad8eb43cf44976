#include "aws/login.h"

#include "aws/http_call.h"
#include "aws/json_read.h"
#include "aws/text.h"
#include "aws/token_cache.h"
#include "codec/proof_key.h"

#include <nlohmann/json.hpp>

#include <chrono>

namespace weir::aws {
namespace {

using WallClock = std::chrono::system_clock;
using nlohmann::json;

constexpr std::chrono::minutes kRenewLoginAhead(5);

/// What proves that whoever renews the session holds its key (RFC 9449); empty: it could not be
/// made.
std::string proof_of(const codec::ProofKey& key, const std::string& url) {
    const std::string x = key.x();
    const std::string y = key.y();
    const std::string id = codec::random_bytes(16);
    if (x.empty() || y.empty() || id.empty()) {
        return {};
    }
    const json head{{"typ", "dpop+jwt"},
                    {"alg", "ES256"},
                    {"jwk",
                     {{"kty", "EC"},
                      {"x", codec::base64url(x)},
                      {"y", codec::base64url(y)},
                      {"crv", "P-256"}}}};
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(WallClock::now().time_since_epoch());
    const json claims{
        {"htm", "POST"}, {"htu", url}, {"iat", now.count()}, {"jti", codec::base64url(id)}};
    constexpr auto kReplace = json::error_handler_t::replace;
    const std::string text = codec::base64url(head.dump()) + "." +
                             codec::base64url(claims.dump(-1, ' ', false, kReplace));
    const std::string signature = key.sign(text);
    return signature.empty() ? "" : text + "." + codec::base64url(signature);
}

std::string cache_path(const std::string& session, const Environment& environment) {
    std::string directory =
        variable(environment, "AWS_LOGIN_CACHE_DIRECTORY").value_or("~/.aws/login/cache");
    if (directory.starts_with("~/")) {
        directory = environment.home + directory.substr(1);
    }
    return directory + "/" + codec::sha256_hex(session) + ".json";
}

std::string url_of(const Environment& environment, const std::string& region) {
    std::string url =
        !environment.aws.signin.empty() ? environment.aws.signin : environment.aws.endpoint;
    while (url.ends_with('/')) {
        url.pop_back();
    }
    if (!url.empty()) {
        return url + "/v1/token";
    }
    return "https://" + region + ".signin" +
           (region.starts_with("cn-")       ? ".amazonaws.cn"
            : region.starts_with("us-gov-") ? ".amazonaws-us-gov.com"
                                            : ".aws.amazon.com") +
           "/v1/token";
}

struct Keys {
    Credentials credentials;
    WallClock::duration left;
};

/// The keys that the file holds, whether expired or not.
Result<Keys> keys_of(const json& token, const std::string& source) {
    const json held = token.value("accessToken", json());
    Keys keys;
    keys.credentials.access_key_id = string_of(held, "accessKeyId");
    keys.credentials.secret_access_key = string_of(held, "secretAccessKey");
    keys.credentials.session_token = string_of(held, "sessionToken");
    keys.credentials.expiry = parse_timestamp(string_of(held, "expiresAt"));
    keys.credentials.source = source;
    if (!keys.credentials.expiry || keys.credentials.session_token.empty()) {
        return failure("its file is not whole");
    }
    keys.left = *keys.credentials.expiry - WallClock::now();
    return keys;
}

/// `token` takes in what was given.
Result<void> renew(json& token, const std::string& region, const Environment& environment,
                   const std::atomic<bool>& stop) {
    for (const char* name : {"refreshToken", "dpopKey", "clientId"}) {
        if (string_of(token, name).empty()) {
            return failure("its file has no " + std::string(name));
        }
    }
    const auto key = codec::ProofKey::read(string_of(token, "dpopKey"));
    if (!key) {
        return failure("its dpopKey is not a key on P-256");
    }
    HttpCall call;
    call.method = "POST";
    call.url = url_of(environment, region);
    const std::string proof = proof_of(*key, call.url);
    if (proof.empty()) {
        return failure("its dpopKey could not be used");
    }
    call.headers = {"Content-Type: application/json", "DPoP: " + proof};
    call.body = json{{"clientId", token["clientId"]},
                     {"refreshToken", token["refreshToken"]},
                     {"grantType", "refresh_token"}}
                    .dump(-1, ' ', false, json::error_handler_t::replace);
    call.connect_timeout = std::chrono::seconds(3);
    call.timeout = std::chrono::seconds(9);
    call.ca = variable(environment, "AWS_CA_BUNDLE").value_or("");
    auto answer = perform(call, stop);
    if (!answer) {
        return failure(call.url + ": " + answer.error().message);
    }
    const json given = parse_json(answer->body);
    if (answer->status != 200) {
        return failure(call.url + " answered " + std::to_string(answer->status) + " " +
                       excerpt(string_of(given, "error")) + " " +
                       excerpt(string_of(given, "message")));
    }
    const json held = given.is_object() ? given.value("accessToken", json()) : json();
    if (string_of(held, "accessKeyId").empty() || string_of(given, "refreshToken").empty() ||
        !given.contains("expiresIn") || !given["expiresIn"].is_number_integer()) {
        return failure(call.url + " gave no keys");
    }
    const auto expiry = WallClock::now() + std::chrono::seconds(given["expiresIn"].get<int>());
    for (const char* name : {"accessKeyId", "secretAccessKey", "sessionToken"}) {
        token["accessToken"][name] = string_of(held, name);
    }
    token["accessToken"]["expiresAt"] = timestamp_of(expiry);
    token["refreshToken"] = string_of(given, "refreshToken");
    return {};
}

}  // namespace

Fetched login_keys(const std::string& name, const std::string& session, const std::string& region,
                   const Environment& environment, const std::atomic<bool>& stop) {
    const std::string again = "; run `aws login --profile " + name + "`";
    const std::string source = "profile " + name + " (aws login)";
    const std::string path = cache_path(session, environment);
    auto token = read_token(path);
    if (!token) {
        return Broken{"there is no login session: " + token.error().message + again};
    }
    auto keys = keys_of(*token, source);
    if (!keys) {
        return Broken{"the login session: " + keys.error().message + again};
    }
    if (keys->left > kRenewLoginAhead) {
        return checked(std::move(keys->credentials));
    }
    std::string where = string_of(*token, "signInRegion");
    if (where.empty()) {
        where = variable(environment, "AWS_REGION").value_or(region);
    }
    if (where.empty()) {
        where = environment.region.empty() ? "us-east-1" : environment.region;
    }
    if (auto renewed = renew(*token, where, environment, stop); !renewed) {
        // The aws CLI may have renewed it meanwhile, which ends this refresh token.
        if (auto now = read_token(path)) {
            if (auto theirs = keys_of(*now, source); theirs && theirs->left > kRenewLoginAhead) {
                return checked(std::move(theirs->credentials));
            }
        }
        if (keys->left > WallClock::duration::zero()) {
            return checked(std::move(keys->credentials));
        }
        return Broken{"the login session is over and could not be renewed: " +
                      renewed.error().message + again};
    }
    // Where this fails the session ends with these keys: the old refresh token is spent.
    static_cast<void>(write_token(path, *token));
    keys = keys_of(*token, source);
    return keys ? checked(std::move(keys->credentials)) : Fetched(Broken{keys.error().message});
}

}  // namespace weir::aws
