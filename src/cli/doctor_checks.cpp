#include "cli/doctor_checks.h"

#include "aws/json_read.h"
#include "aws/quota_reader.h"
#include "cli/doctor_network.h"
#include "codec/hex.h"
#include "gateway/aws_regions.h"
#include "gateway/snapshot.h"

#include <weir/models.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace weir::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kMostModels = 20;  // asked about, for each identity

bool says(const aws::ApiError& error, std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(words, [&](std::string_view word) {
        return error.message.contains(word) || error.code.contains(word);
    });
}

/// What CountTokens, which costs nothing, tells about one model.
struct Trial {
    std::string model;
    std::optional<aws::ApiError> error;

    bool denied_by_endpoint() const { return error && says(*error, {"endpoint policy"}); }
    bool no_access() const {
        return error && !denied_by_endpoint() &&
               says(*error, {"access to the model", "Model access is denied",
                             "not available for this account", "use case details"});
    }
    bool not_permitted() const {
        return error && error->denied() && !denied_by_endpoint() && !no_access();
    }
    bool needs_profile() const {
        return error && says(*error, {"on-demand throughput", "inference profile"});
    }
    bool not_here() const {
        return error && (says(*error, {"model identifier is invalid", "ResourceNotFound"}) ||
                         error->status == 404);
    }
};

class Examination {
public:
    Examination(const Identity& identity, const std::vector<std::string>& models,
                const Config& config, const std::atomic<bool>& stop)
        : identity_(identity),
          models_(models.begin(), models.begin() + static_cast<std::ptrdiff_t>(
                                                       std::min(models.size(), kMostModels))),
          stop_(stop),
          client_(identity.client(config.aws, environment_for(identity.settings))) {}

    std::vector<Finding> run() {
        const std::string runtime =
            service_url(gateway::Service::runtime, identity_.region, identity_.settings);
        const NetworkFindings network = examine_network(runtime, identity_.settings, stop_);
        if (network.reached && identity_.keys) {
            try_models(runtime);
        }
        return {credentials(), region(),      access(),    quota(),     profile(),
                network.clock, network.proxy, network.dns, network.tls, endpoint_policy()};
    }

private:
    void try_models(const std::string& runtime) {
        const json body{
            {"input",
             {{"converse",
               {{"messages", json::array({{{"role", "user"},
                                           {"content", json::array({{{"text", "hi"}}})}}})}}}}}};
        for (const std::string& model : models_) {
            auto answer = client_.rest(
                {aws::ApiService::bedrock_runtime, identity_.region, runtime}, "POST",
                "/model/" + codec::percent_encoded(model) + "/count-tokens", body, stop_);
            trials_.push_back({model, answer ? std::nullopt : std::optional(answer.error())});
        }
    }

    std::optional<json> control(const std::string& target) {
        auto answer = client_.rest(
            {aws::ApiService::bedrock, identity_.region,
             service_url(gateway::Service::control, identity_.region, identity_.settings)},
            "GET", target, json(), stop_);
        return answer ? std::optional(std::move(*answer)) : std::nullopt;
    }

    Finding not_tried(const char* check) const {
        return {check, Verdict::unknown, "no model could be tried",
                models_.empty() ? "Name the models under `routes`."
                                : "Mend what is wrong above or below first."};
    }

    Finding credentials() const {
        if (!identity_.keys) {
            std::string why;
            for (const auto& [source, outcome] : identity_.tried) {
                if (outcome != "not tried" && outcome != "used") {
                    why += (why.empty() ? "" : "; ") + source + ": " + outcome;
                }
            }
            return {"credentials", Verdict::bad, why.empty() ? "none" : why,
                    "On AWS, give the instance, task or pod a role. Elsewhere run `aws sso login` "
                    "or `aws login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."};
        }
        for (const Trial& trial : trials_) {
            if (trial.error &&
                says(*trial.error, {"UnrecognizedClient", "ExpiredToken", "InvalidSignature",
                                    "SignatureDoesNotMatch", "API Key"})) {
                return {"credentials", Verdict::bad, trial.error->text(),
                        "The keys from " + identity_.keys->source +
                            " are wrong or over: renew them, and see the clock below."};
            }
        }
        if (identity_.arn.empty() && !identity_.keys->access_key_id.empty()) {
            return {"credentials", Verdict::bad, identity_.why_unknown,
                    "The keys from " + identity_.keys->source +
                        " are not taken by STS: renew them, or let this machine reach STS."};
        }
        return {"credentials", Verdict::good,
                (identity_.arn.empty() ? identity_.why_unknown : identity_.arn) + ", from " +
                    identity_.keys->source};
    }

    Finding region() const {
        if (identity_.settings.endpoint.empty() && !gateway::is_listed_region(identity_.region)) {
            return {"Region", Verdict::bad, identity_.region + " is no Region that weir knows",
                    "Write it as AWS does, such as us-east-1; `weir check` finds the place."};
        }
        for (const Trial& trial : trials_) {
            if (trial.not_here()) {
                return {"Region", Verdict::bad,
                        trial.model + " is not in " + identity_.region + ": " + trial.error->text(),
                        "Look the model up with `aws bedrock list-foundation-models --region " +
                            identity_.region +
                            "`, and give the route a Region or profile that has it."};
            }
        }
        return {"Region", Verdict::good, identity_.region};
    }

    Finding access() {
        if (trials_.empty()) {
            return not_tried("model access");
        }
        std::string unknown;
        for (const Trial& trial : trials_) {
            if (trial.no_access()) {
                return no_access(trial.model, trial.error->text());
            }
            if (!trial.not_permitted()) {
                continue;
            }
            const auto status =
                control("/foundation-model-availability/" +
                        codec::percent_encoded(split_model(strip_arn(trial.model)).base));
            if (!status) {
                unknown = trial.error->text();
                continue;
            }
            for (const auto& [key, good] : {std::pair("authorizationStatus", "AUTHORIZED"),
                                            {"entitlementAvailability", "AVAILABLE"}}) {
                const std::string told = aws::text_of(*status, key);
                if (!told.empty() && told != good) {
                    return no_access(trial.model, fmt::format("{} is {}", key, told));
                }
            }
        }
        if (!unknown.empty()) {
            return {"model access", Verdict::unknown, unknown,
                    "Allow bedrock:CountTokens or bedrock:GetFoundationModelAvailability to find "
                    "out; calls need bedrock:InvokeModel and "
                    "bedrock:InvokeModelWithResponseStream."};
        }
        return {"model access", Verdict::good,
                fmt::format("{} model{} answer CountTokens or are open to the account",
                            trials_.size(), trials_.size() == 1 ? "" : "s")};
    }

    static Finding no_access(const std::string& model, const std::string& why) {
        return {"model access", Verdict::bad, model + ": " + why,
                "Open the model in Bedrock's console (Model access; Anthropic also asks for the "
                "use case, and the first call needs AWS Marketplace permissions), once in each "
                "account."};
    }

    /// A quota of 0 is what new accounts have; the service then refuses every call as too many
    /// tokens, and no waiting helps.
    Finding quota() {
        if (!identity_.keys || identity_.keys->access_key_id.empty()) {
            return not_tried("quota");
        }
        const auto reading = aws::read_quotas(client_, identity_.region, stop_);
        if (!reading) {
            return {"quota", Verdict::unknown, reading.error().text(),
                    "Allow servicequotas:ListServiceQuotas and "
                    "servicequotas:ListAWSDefaultServiceQuotas, or look in the Service Quotas "
                    "console under Amazon Bedrock."};
        }
        std::size_t known = 0;
        for (const std::string& model : models_) {
            const auto quotas = aws::quotas_of(*reading, strip_arn(model));
            for (const aws::QuotaLine* line :
                 {quotas.requests_per_minute, quotas.tokens_per_minute, quotas.tokens_per_day}) {
                known += line != nullptr && line->value() ? 1 : 0;
                if (line != nullptr && line->value() == 0U) {
                    return {"quota", Verdict::bad, line->full_name + " is 0",
                            "Ask AWS support for it (Service Quotas, code " + line->code +
                                "): a new account may not use the model at all until then."};
                }
            }
        }
        return {"quota", Verdict::good,
                known == 0 ? "Service Quotas lists none for these models"
                           : fmt::format("{} quota{} of these models, none is 0", known,
                                         known == 1 ? "" : "s")};
    }

    Finding profile() {
        if (trials_.empty()) {
            return not_tried("inference profile");
        }
        for (const Trial& trial : trials_) {
            const auto name = split_model(trial.model);
            bool needed = trial.needs_profile();
            if (!needed && name.geo.empty() && !trial.model.starts_with("arn:")) {
                const auto details =
                    control("/foundation-models/" + codec::percent_encoded(trial.model));
                const json types = details ? aws::member(aws::member(*details, "modelDetails"),
                                                         "inferenceTypesSupported")
                                           : json();
                needed = types.is_array() && !types.empty() &&
                         std::ranges::find(types, "ON_DEMAND") == types.end();
            }
            if (needed) {
                return {"inference profile", Verdict::bad,
                        trial.model + " is served through inference profiles only",
                        "Ask for it with a prefix, such as us." + std::string(name.base) +
                            " or global." + std::string(name.base) + "."};
            }
        }
        return {"inference profile", Verdict::good, "the models are named as they can be called"};
    }

    Finding endpoint_policy() const {
        if (trials_.empty()) {
            return not_tried("endpoint policy");
        }
        for (const Trial& trial : trials_) {
            if (trial.denied_by_endpoint()) {
                return {"endpoint policy", Verdict::bad, trial.error->text(),
                        "Allow bedrock:InvokeModel* for this role in the policy of the VPC "
                        "endpoint."};
            }
        }
        return {"endpoint policy", Verdict::good, "nothing is turned away on the way"};
    }

    const Identity& identity_;
    const std::vector<std::string> models_;
    const std::atomic<bool>& stop_;
    const aws::ApiClient client_;
    std::vector<Trial> trials_;
};

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::good:
            return "ok";
        case Verdict::bad:
            return "failed";
        case Verdict::unknown:
            return "unknown";
    }
    return "";
}

std::vector<Finding> examine(const Identity& identity, const std::vector<std::string>& models,
                             const Config& config, const std::atomic<bool>& stop) {
    return Examination(identity, models, config, stop).run();
}

}  // namespace weir::cli
