// The EC2 instance metadata service. Version 1 gives a role's keys to whoever can make this host
// fetch a URL, so it is used only where that is allowed in so many words.
#include "aws/http_call.h"
#include "aws/profiles.h"
#include "aws/source.h"
#include "aws/text.h"

#include <chrono>

namespace weir::aws {
namespace {

constexpr int kImdsTries = 2;
constexpr const char* kRoles = "/latest/meta-data/iam/security-credentials/";

class ImdsSource : public Source {
public:
    ImdsSource(const CredentialsConfig& config, Environment environment)
        : environment_(std::move(environment)), profile_(config.profile) {
        base_ = variable(environment_, "AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("");
        if (base_.empty()) {
            std::string mode = lower(
                variable(environment_, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").value_or(""));
            base_ = mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
        }
        while (base_.ends_with('/')) {
            base_.pop_back();
        }
    }
    std::string name() const override { return "IMDS"; }

    Fetched fetch(const std::atomic<bool>& stop) override {
        if (lower(variable(environment_, "AWS_EC2_METADATA_DISABLED").value_or("")) == "true") {
            return Absent{"AWS_EC2_METADATA_DISABLED is true"};
        }
        HttpCall call;
        call.method = "PUT";
        call.url = base_ + "/latest/api/token";
        call.headers = {"x-aws-ec2-metadata-token-ttl-seconds: 21600"};
        auto token = ask(call, stop);
        if (!token) {
            // The answer to this PUT carries an IP hop limit of 1 by default.
            return Absent{"no answer from " + base_ + " (" + token.error().message +
                          "); on EC2 inside a container, raise the instance's metadata hop limit "
                          "to 2"};
        }
        call.method = "GET";
        call.headers.clear();
        if (token->status == 200 && is_token_text(trim(token->body))) {
            call.headers = {"x-aws-ec2-metadata-token: " + std::string(trim(token->body))};
        } else if (!has_no_version_2(token->status) || !version_1_allowed()) {
            return Absent{base_ + " gave no session token (status " +
                          std::to_string(token->status) +
                          "); IMDSv1 is not used unless ec2_metadata_v1_disabled is false"};
        }
        call.url = base_ + kRoles;
        auto roles = ask(call, stop);
        if (!roles) {
            return Absent{call.url + ": " + roles.error().message};
        }
        std::string role(trim(roles->body.substr(0, roles->body.find('\n'))));
        if (roles->status == 404 || (roles->status == 200 && role.empty())) {
            return Absent{"the instance has no IAM role"};
        }
        if (roles->status != 200 || !is_token_text(role) ||
            role.find_first_of("/?#%") != std::string::npos) {
            return Absent{call.url + " answered " + std::to_string(roles->status)};
        }
        call.url += role;
        auto keys = ask(call, stop);
        if (!keys || keys->status != 200) {
            return Absent{
                call.url + ": " +
                (keys ? "answered " + std::to_string(keys->status) : keys.error().message)};
        }
        Fetched found = parse_json_credentials(keys->body, "Token", "IMDS role " + role);
        if (auto* broken = std::get_if<Broken>(&found)) {
            return Broken{"role " + role + ": " + broken->why};
        }
        return found;
    }

private:
    static bool has_no_version_2(long status) {
        return status == 403 || status == 404 || status == 405;
    }

    bool version_1_allowed() const {
        std::string disabled = variable(environment_, "AWS_EC2_METADATA_V1_DISABLED").value_or("");
        if (disabled.empty()) {
            const std::string name = asked_profile(profile_, environment_);
            disabled = Profiles(environment_)
                           .profile(name.empty() ? "default" : name)
                           .value("ec2_metadata_v1_disabled");
        }
        return lower(disabled) == "false";
    }

    static Result<HttpAnswer> ask(HttpCall call, const std::atomic<bool>& stop) {
        call.direct = true;
        call.connect_timeout = std::chrono::seconds(1);
        call.timeout = std::chrono::seconds(2);
        auto answer = perform(call, stop);
        for (int i = 1; i < kImdsTries && !stop.load() && (!answer || answer->status >= 500); ++i) {
            answer = perform(call, stop);
        }
        return answer;
    }

    Environment environment_;
    std::string profile_;
    std::string base_;
};

}  // namespace

std::unique_ptr<Source> make_imds_source(const CredentialsConfig& config,
                                         const Environment& environment) {
    return std::make_unique<ImdsSource>(config, environment);
}

}  // namespace weir::aws
