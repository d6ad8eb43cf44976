#include "aws/sso.h"

#include "aws/http_call.h"
#include "aws/json_read.h"
#include "aws/text.h"
#include "aws/token_cache.h"
#include "codec/hex.h"
#include "codec/proof_key.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <optional>

namespace weir::aws {
namespace {

using WallClock = std::chrono::system_clock;
using nlohmann::json;

constexpr std::chrono::minutes kRenewSsoAhead(15);

/// Where the session is, from its own section or, in the older form, from the profile.
struct Session {
    std::string name;  // empty: the older form
    std::string start_url;
    std::string region;
};

Result<Session> session_of(const Profile& profile, const Profiles& profiles) {
    Session session;
    session.name = profile.value("sso_session");
    session.start_url = profile.value("sso_start_url");
    session.region = profile.value("sso_region");
    if (!session.name.empty()) {
        const IniSection* section = profiles.sso_session(session.name);
        if (section == nullptr) {
            return failure("sso_session " + excerpt(session.name) + " is not in " +
                           profiles.config_path());
        }
        for (const auto& [key, value] :
             {std::pair("sso_start_url", &session.start_url), {"sso_region", &session.region}}) {
            const auto found = section->find(key);
            const std::string theirs = found == section->end() ? "" : found->second;
            if (!value->empty() && !theirs.empty() && *value != theirs) {
                return failure(std::string(key) + " differs between the profile and sso_session " +
                               excerpt(session.name));
            }
            *value = theirs.empty() ? *value : theirs;
        }
    }
    std::string missing;
    for (const auto& [key, value] : {std::pair("sso_start_url", session.start_url),
                                     {"sso_region", session.region},
                                     {"sso_account_id", profile.value("sso_account_id")},
                                     {"sso_role_name", profile.value("sso_role_name")}}) {
        if (value.empty()) {
            missing += (missing.empty() ? "" : ", ") + std::string(key);
        }
    }
    if (!missing.empty()) {
        return failure("its SSO settings lack " + missing);
    }
    return session;
}

std::string url_of(const Environment& environment, const std::string& own, const char* host,
                   const std::string& region) {
    std::string url = !own.empty() ? own : environment.aws.endpoint;
    if (url.empty()) {
        url = "https://" + std::string(host) + "." + region + ".amazonaws.com" +
              (region.starts_with("cn-") ? ".cn" : "");
    }
    while (url.ends_with('/')) {
        url.pop_back();
    }
    return url;
}

HttpCall call_of(const Environment& environment) {
    HttpCall call;
    call.connect_timeout = std::chrono::seconds(3);
    call.timeout = std::chrono::seconds(9);
    call.ca = variable(environment, "AWS_CA_BUNDLE").value_or("");
    return call;
}

std::string told(const HttpAnswer& answer) {
    const json body = parse_json(answer.body);
    std::string why;
    if (body.is_object()) {
        for (const char* name : {"error", "error_description", "message", "Message"}) {
            if (const std::string part = string_of(body, name); !part.empty()) {
                why += (why.empty() ? " " : ": ") + excerpt(part);
            }
        }
    }
    return "answered " + std::to_string(answer.status) + why;
}

/// The token's file, and what happens to it.
class Token {
public:
    Token(const Session& session, const Environment& environment, const std::atomic<bool>& stop)
        : session_(session),
          environment_(environment),
          stop_(stop),
          path_(environment.home + "/.aws/sso/cache/" +
                codec::sha1_hex(session.name.empty() ? session.start_url : session.name) +
                ".json") {}

    /// What to present; the error says what to do.
    Result<std::string> get(const std::string& profile) {
        const std::string again = "; run `aws sso login --profile " + profile + "`";
        if (auto read = load(); !read) {
            return failure(read.error().message + again);
        }
        std::string why;
        if (left() < kRenewSsoAhead && !session_.name.empty()) {
            if (auto renewed = renew(); !renewed) {
                why = " and could not be renewed: " + renewed.error().message;
            }
        }
        if (left() <= WallClock::duration::zero()) {
            return failure("its SSO session is over" + why + again);
        }
        return string_of(token_, "accessToken");
    }

private:
    Result<void> load() {
        auto token = read_token(path_);
        if (!token) {
            return failure("there is no SSO token: " + token.error().message);
        }
        const auto expiry = parse_timestamp(string_of(*token, "expiresAt"));
        if (!expiry || !is_token_text(string_of(*token, "accessToken"))) {
            return failure("the SSO token in " + path_ + " is not whole");
        }
        token_ = std::move(*token);
        expiry_ = *expiry;
        return {};
    }

    WallClock::duration left() const { return expiry_ - WallClock::now(); }

    Result<void> renew() {
        for (const char* name :
             {"refreshToken", "clientId", "clientSecret", "registrationExpiresAt"}) {
            if (string_of(token_, name).empty()) {
                return failure("its file has no " + std::string(name));
            }
        }
        const auto registration = parse_timestamp(string_of(token_, "registrationExpiresAt"));
        if (!registration || *registration <= WallClock::now()) {
            return failure("the client's registration is over");
        }
        HttpCall call = call_of(environment_);
        call.method = "POST";
        call.url = url_of(environment_, environment_.aws.oidc, "oidc", session_.region) + "/token";
        call.headers = {"Content-Type: application/json"};
        call.body = json{{"grantType", "refresh_token"},
                         {"clientId", token_["clientId"]},
                         {"clientSecret", token_["clientSecret"]},
                         {"refreshToken", token_["refreshToken"]}}
                        .dump(-1, ' ', false, json::error_handler_t::replace);
        auto answer = perform(call, stop_);
        if (!answer) {
            return failure(call.url + ": " + answer.error().message);
        }
        if (answer->status != 200) {
            // Another process may have renewed it a moment ago, which ends this refresh token.
            const auto before = expiry_;
            if (auto read = load(); read && expiry_ > before) {
                return {};
            }
            return failure(call.url + " " + told(*answer));
        }
        const json given = parse_json(answer->body);
        const std::string access = string_of(given, "accessToken");
        if (!is_token_text(access) || !given.contains("expiresIn") ||
            !given["expiresIn"].is_number_integer()) {
            return failure(call.url + " gave no token");
        }
        expiry_ = WallClock::now() + std::chrono::seconds(given["expiresIn"].get<int>());
        token_["startUrl"] = session_.start_url;
        token_["region"] = session_.region;
        token_["accessToken"] = access;
        token_["expiresAt"] = timestamp_of(expiry_);
        if (const std::string next = string_of(given, "refreshToken"); !next.empty()) {
            token_["refreshToken"] = next;
        } else {
            token_.erase("refreshToken");
        }
        return write_token(path_, token_);
    }

    const Session& session_;
    const Environment& environment_;
    const std::atomic<bool>& stop_;
    const std::string path_;
    json token_;
    WallClock::time_point expiry_;
};

}  // namespace

Fetched sso_keys(const std::string& name, const Profile& profile, const Profiles& profiles,
                 const Environment& environment, const std::atomic<bool>& stop) {
    auto session = session_of(profile, profiles);
    if (!session) {
        return Broken{session.error().message};
    }
    auto token = Token(*session, environment, stop).get(name);
    if (!token) {
        return Broken{token.error().message};
    }
    HttpCall call = call_of(environment);
    call.url = url_of(environment, environment.aws.sso, "portal.sso", session->region) +
               "/federation/credentials?role_name=" +
               codec::percent_encoded(profile.value("sso_role_name")) +
               "&account_id=" + codec::percent_encoded(profile.value("sso_account_id"));
    call.headers = {"x-amz-sso_bearer_token: " + *token};
    auto answer = perform(call, stop);
    if (!answer) {
        return Broken{call.url + ": " + answer.error().message};
    }
    if (answer->status == 401) {
        return Broken{"its SSO session is over (" + told(*answer) +
                      "); run `aws sso login --profile " + name + "`"};
    }
    if (answer->status != 200) {
        return Broken{"GetRoleCredentials " + told(*answer)};
    }
    const json body = parse_json(answer->body);
    const json keys = body.is_object() ? body.value("roleCredentials", json()) : json();
    if (!keys.is_object()) {
        return Broken{"GetRoleCredentials gave no keys"};
    }
    Credentials found;
    found.access_key_id = string_of(keys, "accessKeyId");
    found.secret_access_key = string_of(keys, "secretAccessKey");
    found.session_token = string_of(keys, "sessionToken");
    found.source = "profile " + name + " (SSO)";
    const auto expiry = keys.find("expiration");
    if (expiry == keys.end() || !expiry->is_number_integer() || found.session_token.empty()) {
        return Broken{"GetRoleCredentials gave no session token or expiry"};
    }
    found.expiry = WallTime(std::chrono::milliseconds(expiry->get<std::int64_t>()));
    return checked(std::move(found));
}

}  // namespace weir::aws
