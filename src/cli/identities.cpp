#include "cli/identities.h"

#include "aws/sts.h"
#include "gateway/process_keys.h"

#include <chrono>
#include <map>
#include <set>
#include <utility>

namespace weir::cli {
namespace {

using Provider = std::shared_ptr<aws::CredentialsProvider>;

/// A provider for each way to come by keys, started once.
class Providers {
public:
    explicit Providers(const Config& config) : config_(config) {}

    Provider common() {
        return made("", [&] { return gateway::KeysWanted::of(config_); }, nullptr);
    }
    Provider of_region(const std::string& region, const CredentialsConfig& credentials) {
        return made(
            "region " + region,
            [&] {
                auto wanted = gateway::KeysWanted::of(config_);
                wanted.credentials = credentials;
                return wanted;
            },
            nullptr);
    }
    /// What takes on the account's role; null: its keys are found as they are.
    Provider base_of(const std::string& name, const AccountConfig& account) {
        if (account.role_arn.empty()) {
            return nullptr;
        }
        if (account.profile.empty()) {
            return common();
        }
        return made(
            "base " + name,
            [&] {
                auto wanted = gateway::KeysWanted::of(config_, account);
                wanted.role.reset();
                return wanted;
            },
            nullptr);
    }
    Provider of_account(const std::string& name, const AccountConfig& account) {
        return made(
            "account " + name, [&] { return gateway::KeysWanted::of(config_, account); },
            base_of(name, account));
    }

private:
    template <class Wanted>
    Provider made(const std::string& id, const Wanted& wanted, const Provider& base) {
        Provider& provider = providers_[id];
        if (!provider) {
            aws::BaseKeys keys;
            if (base) {
                keys = [base] { return base->get(); };
            }
            provider = gateway::make_provider(wanted(), std::move(keys), nullptr);
            provider->start();
        }
        return provider;
    }

    const Config& config_;
    std::map<std::string, Provider> providers_;
};

std::map<std::string, RegionConfig> regions_of(const Config& config) {
    if (!config.regions.empty()) {
        return config.regions;
    }
    return {{config.default_region.empty() ? "us-east-1" : config.default_region, RegionConfig()}};
}

void append(std::vector<aws::SourceReport>& to, std::vector<aws::SourceReport> from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

void ask_sts(Identity& identity, const AwsConfig& config, const std::atomic<bool>& stop) {
    if (!identity.keys) {
        identity.why_unknown = "no credentials";
        return;
    }
    if (identity.keys->access_key_id.empty()) {
        identity.why_unknown = "a Bedrock key: STS does not know whose it is";
        return;
    }
    auto caller = aws::caller_of(identity.client(config, environment_for(identity.settings)),
                                 identity.region, stop);
    if (!caller) {
        identity.why_unknown = "STS: " + caller.error().text();
        return;
    }
    identity.account_id = std::move(caller->account);
    identity.arn = std::move(caller->arn);
}

}  // namespace

aws::ApiClient Identity::client(const AwsConfig& config,
                                const aws::Environment& environment) const {
    return {config, environment, [held = keys] { return held; },
            aws::ApiTiming{.connect = std::chrono::seconds(3),
                           .answer = std::chrono::seconds(10),
                           .attempts = 2,
                           .delay = std::chrono::milliseconds(500)}};
}

aws::Environment environment_for(const RegionConfig& region) {
    aws::Environment environment = aws::Environment::of_process();
    if (!region.ca.empty()) {
        environment.variable = [of_process = environment.variable,
                                ca = region.ca](const std::string& name) {
            return name == "AWS_CA_BUNDLE" ? std::optional(ca) : of_process(name);
        };
    }
    return environment;
}

std::vector<Identity> find_identities(const Config& config, const std::atomic<bool>& stop) {
    Providers providers(config);
    std::vector<Identity> found;
    const auto add = [&](const std::string& account, const std::string& region,
                         const RegionConfig& settings, const Provider& provider,
                         const Provider& base) {
        Identity identity{account, region, settings, {}, provider->get(), {}, {}, {}};
        if (base) {
            append(identity.tried, base->report());
        }
        append(identity.tried, provider->report());
        ask_sts(identity, config.aws, stop);
        found.push_back(std::move(identity));
    };
    const auto regions = regions_of(config);
    for (const auto& [name, region] : regions) {
        const Provider provider = region.credentials
                                      ? providers.of_region(name, *region.credentials)
                                      : providers.common();
        add("", name, region, provider, nullptr);
    }
    for (const auto& [name, account] : config.accounts) {
        std::set<std::string> used;
        for (const RouteConfig& route : config.routes) {
            for (const RouteTarget& target : route.targets) {
                if (target.account == name && regions.contains(target.region)) {
                    used.insert(target.region);
                }
            }
        }
        if (used.empty()) {
            used.insert(regions.begin()->first);
        }
        for (const std::string& region : used) {
            add(name, region, regions.at(region), providers.of_account(name, account),
                providers.base_of(name, account));
        }
    }
    return found;
}

}  // namespace weir::cli
