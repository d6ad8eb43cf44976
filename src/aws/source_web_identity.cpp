// Web identity: an OIDC token in a file (EKS, CI systems) traded for keys at STS.
#include "aws/http_call.h"
#include "aws/source.h"
#include "aws/text.h"

#include <chrono>

namespace weir::aws {
namespace {

/// The text of the first <name> element. STS answers with flat, namespaced XML whose values hold no
/// markup, so nothing more is needed.
std::string element(std::string_view xml, const std::string& name) {
    std::size_t begin = xml.find("<" + name + ">");
    std::size_t end = xml.find("</" + name + ">");
    if (begin == std::string_view::npos || end == std::string_view::npos) {
        return "";
    }
    begin += name.size() + 2;
    return end < begin ? "" : std::string(trim(xml.substr(begin, end - begin)));
}

std::string endpoint_of(const WebIdentity& identity) {
    if (!identity.endpoint.empty()) {
        return identity.endpoint;
    }
    if (identity.region.empty()) {
        return "https://sts.amazonaws.com";
    }
    std::string host = identity.fips ? "sts-fips." : "sts.";
    return "https://" + host + identity.region + ".amazonaws.com" +
           (identity.region.starts_with("cn-") ? ".cn" : "");
}

class WebIdentitySource : public Source {
public:
    WebIdentitySource(const CredentialsConfig& config, Environment environment)
        : profile_(config.profile), environment_(std::move(environment)) {}
    std::string name() const override { return "web identity"; }
    Fetched fetch(const std::atomic<bool>& stop) override {
        if (!profile_.empty()) {
            return Absent{"passed over: credentials.profile is set"};
        }
        auto file = variable(environment_, "AWS_WEB_IDENTITY_TOKEN_FILE");
        auto role = variable(environment_, "AWS_ROLE_ARN");
        if (!file) {
            return Absent{"AWS_WEB_IDENTITY_TOKEN_FILE is not set"};
        }
        if (!role) {
            return Broken{"AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not"};
        }
        WebIdentity identity = web_identity_defaults(environment_);
        identity.token_file = *file;
        identity.role_arn = *role;
        return assume_with_web_identity(identity, "web identity " + *role, stop);
    }

private:
    std::string profile_;
    Environment environment_;
};

}  // namespace

WebIdentity web_identity_defaults(const Environment& environment) {
    WebIdentity identity;
    identity.session_name = variable(environment, "AWS_ROLE_SESSION_NAME").value_or("");
    identity.region = variable(environment, "AWS_REGION").value_or("");
    if (identity.region.empty()) {
        identity.region = variable(environment, "AWS_DEFAULT_REGION").value_or("");
    }
    identity.endpoint = environment.sts_endpoint;
    identity.ca = variable(environment, "AWS_CA_BUNDLE").value_or("");
    identity.fips = lower(variable(environment, "AWS_USE_FIPS_ENDPOINT").value_or("")) == "true";
    return identity;
}

Fetched assume_with_web_identity(const WebIdentity& identity, const std::string& source,
                                 const std::atomic<bool>& stop) {
    auto file = read_file(identity.token_file);  // each time: the platform rotates it
    if (!file) {
        return Broken{"token file: " + file.error().message};
    }
    std::string token(trim(*file));
    if (!is_token_text(token)) {
        return Broken{"the token file holds no token: " + identity.token_file};
    }
    std::string session = identity.session_name;
    if (session.empty()) {
        auto now = std::chrono::system_clock::now().time_since_epoch();
        session =
            "weir-" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count());
    }
    HttpCall call;
    call.method = "POST";
    call.url = endpoint_of(identity) + "/";
    call.headers = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8"};
    call.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" +
                form_encode(identity.role_arn) + "&RoleSessionName=" + form_encode(session) +
                "&WebIdentityToken=" + form_encode(token);
    call.connect_timeout = std::chrono::seconds(3);
    call.timeout = std::chrono::seconds(9);
    call.ca = identity.ca;
    auto answer = perform(call, stop);
    if (!answer) {
        return Broken{endpoint_of(identity) + ": " + answer.error().message};
    }
    if (answer->status != 200) {
        std::string code = element(answer->body, "Code");
        return Broken{"STS answered " + std::to_string(answer->status) +
                      (code.empty() ? "" : " " + excerpt(code)) + ": " +
                      excerpt(element(answer->body, "Message"))};
    }
    Credentials found;
    found.access_key_id = element(answer->body, "AccessKeyId");
    found.secret_access_key = element(answer->body, "SecretAccessKey");
    found.session_token = element(answer->body, "SessionToken");
    found.expiry = parse_timestamp(element(answer->body, "Expiration"));
    found.source = source;
    if (!found.expiry || found.session_token.empty()) {
        return Broken{"STS's answer has no session token or expiry"};
    }
    return checked(std::move(found));
}

std::unique_ptr<Source> make_web_identity_source(const CredentialsConfig& config,
                                                 const Environment& environment) {
    return std::make_unique<WebIdentitySource>(config, environment);
}

}  // namespace weir::aws
