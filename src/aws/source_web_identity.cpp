// Web identity: an OIDC token in a file (EKS, CI systems) traded for keys at STS.
#include "aws/source.h"
#include "aws/sts.h"

namespace weir::aws {
namespace {

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
        return assume_role_with_token({.arn = *role}, *file, environment_, "web identity " + *role,
                                      stop);
    }

private:
    std::string profile_;
    Environment environment_;
};

}  // namespace

std::unique_ptr<Source> make_web_identity_source(const CredentialsConfig& config,
                                                 const Environment& environment) {
    return std::make_unique<WebIdentitySource>(config, environment);
}

}  // namespace weir::aws
