#include "cli/iam_policy.h"

#include "cli/aws_access.h"
#include "gateway/quota_watch.h"
#include "policy/geography.h"
#include "policy/tariff.h"

#include <weir/arn.h>
#include <weir/models.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <ostream>
#include <set>
#include <string_view>

namespace weir::cli {
namespace {

using Json = nlohmann::json;
using Set = std::set<std::string>;

constexpr std::size_t kMostCharacters = 6144;  // of a managed policy, without blanks
const std::vector<std::string> kInvoke{"bedrock:CountTokens", "bedrock:InvokeModel",
                                       "bedrock:InvokeModelWithResponseStream"};

std::vector<std::string> list(const Set& set) {
    return {set.begin(), set.end()};
}

std::string partition_of(std::string_view region) {
    return region.starts_with("cn-")       ? "aws-cn"
           : region.starts_with("us-gov-") ? "aws-us-gov"
                                           : "aws";
}

class Statements {
public:
    Statements(const Config& config, std::string account_id)
        : config_(config), account_id_(account_id.empty() ? "*" : std::move(account_id)) {}

    void target(const std::string& region, const std::string& model) {
        const std::string known(policy::without_alias(config_, model));
        const std::string id(strip_arn(known));
        const bool application = model.contains(":application-inference-profile/");
        const bool profile_arn = application || model.contains(":inference-profile/");
        if (model.starts_with("arn:") && !profile_arn && !model.contains("::foundation-model/")) {
            own_.insert(model);  // provisioned, imported, custom
            return;
        }
        const std::string aws = "arn:" + partition_of(region) + ":bedrock:";
        if (application && known == model) {  // nothing says which model it stands for
            own_.insert(model);
            own_profiles_.insert(model);
            behind_own_.insert(aws + "*::foundation-model/*");
            return;
        }
        const auto [geo, base] = split_model(id);
        const std::string fm = "::foundation-model/" + std::string(base);
        const std::string profile =
            profile_arn ? model : aws + region + ":" + account_id_ + ":inference-profile/" + id;
        if (geo.empty() && application) {
            own_.insert(model);
            own_profiles_.insert(model);
            behind_own_.insert(aws + region + fm);
        } else if (geo.empty()) {
            bare_.insert(aws + region + fm);
        } else if (geo == "global") {
            global_profiles_.insert(profile);
            global_regional_.insert(aws + region + fm);
            global_.insert(aws + fm);
            global_regions_.insert(region);
        } else {
            profiles_.insert(profile);
            // The source's own Region, and where the profile may send the call.
            behind_.insert(aws + region + fm);
            for (const std::string& within : policy::region_patterns(geo)) {
                behind_.insert(aws + within + fm);
            }
        }
    }

    void every_model(const std::string& region) {
        const std::string aws =
            "arn:" + (region == "*" ? "aws" : partition_of(region)) + ":bedrock:";
        for (const std::string kind : {"inference-profile/*", "application-inference-profile/*"}) {
            own_.insert(aws + region + ":" + account_id_ + ":" + kind);
        }
        own_.insert(aws + "*::foundation-model/*");
        own_.insert(aws + "::foundation-model/*");
    }

    void mantle(const std::string& region) {
        mantle_.insert("arn:" + partition_of(region) + ":bedrock-mantle:" + region + ":" +
                       account_id_ + ":project/*");
    }

    void add(IamStatement statement) { more_.push_back(std::move(statement)); }

    std::vector<IamStatement> take() {
        std::vector<IamStatement> all;
        const auto put = [&all](IamStatement statement) {
            if (!statement.resources.empty()) {
                all.push_back(std::move(statement));
            }
        };
        const std::string through = "bedrock:InferenceProfileArn";
        put({"Models", kInvoke, list(bare_), {}, "models asked for by their own id"});
        put({"NamedResources", kInvoke, list(own_), {}, "targets that are ARNs, or every model"});
        put({"BehindNamedProfiles",
             kInvoke,
             list(behind_own_),
             {{through, list(own_profiles_)}},
             "the models of application profiles, through those profiles alone"});
        put({"Profiles", kInvoke, list(profiles_), {}, "geographic inference profiles"});
        put({"BehindProfiles",
             kInvoke,
             list(behind_),
             {{through, list(profiles_)}},
             "the models of those profiles wherever AWS may run them, through the profiles alone"});
        put({"GlobalProfiles",
             kInvoke,
             list(global_profiles_),
             {{"aws:RequestedRegion", list(global_regions_)}},
             "global inference profiles, first of three statements"});
        put({"GlobalProfilesHere",
             kInvoke,
             list(global_regional_),
             {{"aws:RequestedRegion", list(global_regions_)}, {through, list(global_profiles_)}},
             "their models in the Region that is called"});
        put({"GlobalProfilesAnywhere",
             kInvoke,
             list(global_),
             {{"aws:RequestedRegion", {"unspecified"}}, {through, list(global_profiles_)}},
             "their models anywhere: AWS gives such calls the Region \"unspecified\", which "
             "service control policies must allow as well"});
        put({"Mantle",
             {"bedrock-mantle:CreateInference"},
             list(mantle_),
             {},
             "targets on bedrock-mantle"});
        for (IamStatement& statement : more_) {
            all.push_back(std::move(statement));
        }
        return all;
    }

private:
    const Config& config_;
    std::string account_id_;
    Set bare_, own_, behind_own_, own_profiles_, profiles_, behind_, mantle_;
    Set global_profiles_, global_regional_, global_, global_regions_;
    std::vector<IamStatement> more_;
};

void add_targets(Statements& all, const Config& config, const std::vector<std::string>& regions,
                 const std::string& account) {
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            if (plain_account(target.account) != plain_account(account)) {
                continue;
            }
            if (target.endpoint == Endpoint::mantle) {
                all.mantle(target.region);
                continue;
            }
            all.target(target.region, target.model.empty() ? route.model : target.model);
            for (const auto& [asked, here] : target.profiles) {
                all.target(target.region, here);
            }
            // Callers may ask by the ARN, which then goes on as it came.
            for (const auto& [asked, model] : config.aliases) {
                if (asked.starts_with("arn:") && target.model.empty() && model == route.model &&
                    asked.contains(":" + target.region + ":")) {
                    all.target(target.region, asked);
                }
            }
        }
    }
    if (config.routes.empty() && plain_account(account).empty()) {
        for (const QuotaConfig& quota : config.quotas) {
            for (const std::string& region :
                 quota.region.empty() ? regions : std::vector{quota.region}) {
                for (const std::string& model : quota.models) {
                    all.target(region, model);
                }
            }
        }
    }
}

Set guardrails_of(const Config& config, const std::string& account, const std::string& id) {
    Set arns;
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            if (plain_account(target.account) != plain_account(account)) {
                continue;
            }
            for (const auto& [asked, here] : target.guardrails) {
                arns.insert(here.starts_with("arn:")
                                ? here
                                : "arn:" + partition_of(target.region) +
                                      ":bedrock:" + target.region + ":" + (id.empty() ? "*" : id) +
                                      ":guardrail/" + here);
            }
        }
    }
    return arns;
}

bool reads_any_quotas(const Config& config) {
    return config.regions.empty() ? gateway::reads_quotas(config.aws, {})
                                  : std::ranges::any_of(config.regions, [&](const auto& region) {
                                        return gateway::reads_quotas(config.aws, region.second);
                                    });
}

void add_features(Statements& all, const Config& config, const IamPolicyOptions& options) {
    const auto wants = [&](std::string_view feature) {
        return std::ranges::find(options.also, feature) != options.also.end();
    };
    const std::string id = options.account_id.empty() ? "*" : options.account_id;
    Set guardrails = guardrails_of(config, options.account, options.account_id);
    if (wants("guardrails")) {
        guardrails = {"arn:aws:bedrock:*:" + id + ":guardrail/*"};
    }
    if (!guardrails.empty()) {
        all.add({"Guardrails",
                 {"bedrock:ApplyGuardrail"},
                 list(guardrails),
                 {},
                 "guardrails in calls, and the calls of clients that apply one"});
    }
    if (wants("async")) {
        all.add({"FollowAsyncInvoke",
                 {"bedrock:GetAsyncInvoke"},
                 {"arn:aws:bedrock:*:" + id + ":async-invoke/*"},
                 {},
                 "clients that follow the asynchronous calls that they started"});
        all.add({"ListAsyncInvokes",
                 {"bedrock:ListAsyncInvokes"},
                 {"*"},
                 {},
                 "clients that list asynchronous calls"});
    }
    if (wants("list")) {
        all.add({"ListModels",
                 {"bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles"},
                 {"*"},
                 {},
                 "clients that list models and profiles, such as Claude Code"});
        all.add({"DescribeModels",
                 {"bedrock:GetFoundationModel", "bedrock:GetInferenceProfile"},
                 {"arn:aws:bedrock:*::foundation-model/*",
                  "arn:aws:bedrock:*:" + id + ":application-inference-profile/*",
                  "arn:aws:bedrock:*:" + id + ":inference-profile/*"},
                 {},
                 "the same clients, about one of them"});
    }
    if (reads_any_quotas(config)) {
        all.add({"ReadQuotas",
                 {"bedrock:ListInferenceProfiles", "servicequotas:ListAWSDefaultServiceQuotas",
                  "servicequotas:ListServiceQuotas"},
                 {"*"},
                 {},
                 "aws.read_quotas: limits and profiles, at start and hourly; these actions take "
                 "no resource"});
    }
    if (!options.account.empty()) {
        return;  // what follows is asked with the keys of `credentials`
    }
    if (config.aws.metrics.to == MetricsTo::cloudwatch) {
        all.add({"SendMetrics",
                 {"cloudwatch:PutMetricData"},
                 {"*"},
                 {{"cloudwatch:namespace", {config.aws.metrics.name_space}}},
                 "aws.metrics, into its namespace alone"});
    }
    if (!config.aws.incidents.topic.empty()) {
        all.add({"TellIncidents",
                 {"sns:Publish"},
                 {config.aws.incidents.topic},
                 {},
                 "aws.incidents.topic"});
    }
    Set roles;
    for (const auto& [name, account] : config.accounts) {
        if (!account.role_arn.empty() && account.profile.empty()) {
            roles.insert(account.role_arn);
        }
    }
    if (!roles.empty()) {
        all.add({"Accounts", {"sts:AssumeRole"}, list(roles), {}, "the roles of `accounts`"});
    }
    if (config.credentials.source == CredentialsSource::bearer) {
        all.add({"ApiKey",
                 {"bedrock:CallWithBearerToken"},
                 {"*"},
                 {},
                 "credentials.source: bearer: for whoever the Bedrock API key belongs to"});
    }
}

std::vector<IamStatement> operator_statements() {
    return {
        {"Quotas",
         {"servicequotas:ListAWSDefaultServiceQuotas",
          "servicequotas:ListRequestedServiceQuotaChangeHistoryByQuota",
          "servicequotas:ListServiceQuotas"},
         {"*"},
         {},
         "weir quotas, analyze, case, request"},
        {"Usage", {"cloudwatch:GetMetricData", "cloudwatch:ListMetrics"}, {"*"}, {}, "their peaks"},
        {"Increase",
         {"servicequotas:RequestServiceQuotaIncrease"},
         {"arn:aws:servicequotas:*:*:bedrock/*"},
         {},
         "weir quotas request"},
        {"Models",
         {"bedrock:GetFoundationModel", "bedrock:GetInferenceProfile"},
         {"arn:aws:bedrock:*::foundation-model/*", "arn:aws:bedrock:*:*:inference-profile/*",
          "arn:aws:bedrock:*:*:application-inference-profile/*"},
         {},
         "weir quotas request: whether a model is legacy; weir routes --audit: destinations"}};
}

Json to_json(const IamStatement& statement) {
    Json out{{"Sid", statement.sid},
             {"Effect", "Allow"},
             {"Action", statement.actions},
             {"Resource", statement.resources}};
    for (const auto& [key, values] : statement.equals) {
        const bool pattern = std::ranges::any_of(
            values, [](const std::string& value) { return value.contains('*'); });
        out["Condition"][pattern ? "StringLike" : "StringEquals"][key] = values;
    }
    return out;
}

}  // namespace

std::vector<IamStatement> iam_statements(const Config& config,
                                         const std::vector<std::string>& regions,
                                         const IamPolicyOptions& options) {
    if (options.operations) {
        return operator_statements();
    }
    Statements all(config, options.account_id);
    add_targets(all, config, regions, options.account);
    if (options.all_models || (config.routes.empty() && config.quotas.empty())) {
        for (const std::string& region :
             config.regions.empty() ? std::vector<std::string>{"*"} : regions) {
            all.every_model(region);
        }
    }
    add_features(all, config, options);
    return all.take();
}

int run_iam_policy(const IamPolicyOptions& options, const Getenv& getenv, std::ostream& out,
                   std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return 2;
    }
    const Config& config = access->config();
    IamPolicyOptions full = options;
    if (!options.account.empty()) {
        const auto found = config.accounts.find(options.account);
        if (found == config.accounts.end()) {
            err << "weir iam-policy: --account " << options.account
                << ": `accounts` has no such name\n";
            return 2;
        }
        if (full.account_id.empty()) {
            full.account_id = arn_account(found->second.role_arn);
        }
    }
    const auto statements = iam_statements(config, access->regions(), full);
    Json policy{{"Version", "2012-10-17"}, {"Statement", Json::array()}};
    for (const IamStatement& statement : statements) {
        policy["Statement"].push_back(to_json(statement));
        if (options.explain) {
            err << fmt::format("{:<24} {}\n", statement.sid, statement.why);
        }
    }
    out << policy.dump(2) << '\n';
    if (options.explain && !options.operations && !options.all_models && !config.routes.empty()) {
        err << "Models without a route are passed on as asked; this policy does not allow them, "
               "--all-models does.\n";
    }
    if (options.explain && full.account_id.empty()) {
        err << "--account-id puts the account's number where profiles now say *.\n";
    }
    if (policy.dump().size() > kMostCharacters) {
        err << fmt::format(
            "weir iam-policy: {} characters; a managed policy takes {}: split it by "
            "statements\n",
            policy.dump().size(), kMostCharacters);
    }
    return 0;
}

}  // namespace weir::cli
