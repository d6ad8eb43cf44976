#include "gateway/snapshot.h"

#include "policy/tariff.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

namespace weir::gateway {
namespace {

std::string identity_of(const KeysWanted& wanted) {
    const CredentialsConfig& c = wanted.credentials;
    const AwsConfig& aws = wanted.aws;
    std::string id = std::to_string(static_cast<int>(c.source));
    const auto add = [&](std::initializer_list<const std::string*> parts) {
        for (const std::string* part : parts) {
            id += std::to_string(part->size()) + ":" + *part;
        }
    };
    add({&c.access_key_id, &c.secret_access_key, &c.session_token, &c.bearer_token, &c.profile,
         &aws.endpoint, &aws.sts, &aws.sso, &aws.oidc, &aws.signin, &wanted.region});
    if (wanted.role) {
        add({&wanted.role->role_arn, &wanted.role->external_id, &wanted.role->session_name});
    }
    return id;
}

bool fips() {
    const char* value =
        std::getenv("AWS_USE_FIPS_ENDPOINT");  // NOLINT(concurrency-mt-unsafe): start-up value
    return value != nullptr && std::string_view(value) == "true";
}

std::string domain_of(std::string_view region) {
    return region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
}

std::string api_domain_of(std::string_view region) {
    return region.starts_with("cn-") ? ".api.amazonwebservices.com.cn" : ".api.aws";
}

}  // namespace

KeysWanted KeysWanted::of(const Config& config) {
    KeysWanted wanted{config.credentials, config.aws, config.default_region};
    if (wanted.region.empty() && !config.regions.empty()) {
        wanted.region = config.regions.begin()->first;
    }
    return wanted;
}

KeysWanted KeysWanted::of(const Config& config, const AccountConfig& account) {
    KeysWanted wanted = of(config);
    if (!account.profile.empty()) {
        wanted.credentials = {};
        wanted.credentials.profile = account.profile;
    }
    if (!account.role_arn.empty()) {
        wanted.role = account;
    }
    return wanted;
}

std::string service_url(Service service, const std::string& region, const RegionConfig& config) {
    const std::string aws = (fips() ? "-fips." : ".") + region + domain_of(region);
    const auto beside_runtime = [&](const std::string& own) {
        return config.endpoint.starts_with("http://") ? config.endpoint : "https://" + own + aws;
    };
    switch (service) {
        case Service::runtime:
            return config.endpoint.empty() ? "https://bedrock-runtime" + aws : config.endpoint;
        case Service::mantle:
            return config.mantle_endpoint.empty()
                       ? "https://bedrock-mantle" + std::string(fips() ? "-fips." : ".") + region +
                             api_domain_of(region)
                       : config.mantle_endpoint;
        case Service::control:
            return config.control_endpoint.empty() ? beside_runtime("bedrock")
                                                   : config.control_endpoint;
        case Service::agent:
            return beside_runtime("bedrock-agent-runtime");
    }
    return {};
}

Result<std::shared_ptr<Region>> RegionDirectory::get(const std::string& name,
                                                     const RegionConfig& config,
                                                     const KeysWanted& common) {
    KeysWanted wanted = common;
    if (config.credentials) {
        wanted.credentials = *config.credentials;
    }
    const auto id = name + "\n" + config.endpoint + "\n" + config.mantle_endpoint + "\n" +
                    config.control_endpoint + "\n" + config.ca + "\n" + config.proxy + "\n" +
                    identity_of(wanted);
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = regions_.find(id); found != regions_.end()) {
            return found->second;
        }
    }
    auto region = std::make_shared<Region>();
    region->name = name;
    for (std::size_t i = 0; i < kServices; ++i) {
        auto endpoint = net::Endpoint::parse(service_url(static_cast<Service>(i), name, config),
                                             config.ca, config.proxy);
        if (!endpoint) {
            return std::unexpected(endpoint.error());
        }
        region->endpoints[i] = std::move(*endpoint);
    }
    region->keys = keys(wanted);
    const std::lock_guard lock(mutex_);
    return regions_.try_emplace(id, std::move(region)).first->second;
}

std::shared_ptr<KeySource> RegionDirectory::keys(const KeysWanted& wanted) {
    const auto id = identity_of(wanted);
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = keys_.find(id); found != keys_.end()) {
            return found->second;
        }
    }
    // Not under the lock: the first look for credentials may take seconds.
    std::shared_ptr<KeySource> base;
    if (wanted.role) {
        KeysWanted without = wanted;
        without.role.reset();
        base = keys(without);
    }
    std::shared_ptr<KeySource> made = make_keys_(wanted, std::move(base));
    const std::lock_guard lock(mutex_);
    return keys_.try_emplace(id, std::move(made)).first->second;
}

void RegionDirectory::forget_unused() {
    forget_regions();
    std::vector<std::shared_ptr<KeySource>> unused;
    do {                 // a role's keys may have been the last to use others
        unused.clear();  // not under the lock: each waits for its thread
        const std::lock_guard lock(mutex_);
        std::erase_if(keys_, [&](auto& entry) {
            const bool alone = entry.second.use_count() == 1;
            if (alone) {
                unused.push_back(std::move(entry.second));
            }
            return alone;
        });
    } while (!unused.empty());
}

void RegionDirectory::forget_regions() {
    const std::lock_guard lock(mutex_);
    std::erase_if(regions_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

std::optional<double> RegionDirectory::soonest_expiry() const {
    const auto now = std::chrono::system_clock::now();
    std::optional<double> soonest;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, source] : keys_) {
        const auto keys = source->get();
        if (keys != nullptr && keys->expiry) {
            const auto left = std::chrono::duration<double>(*keys->expiry - now).count();
            soonest = std::min(soonest.value_or(left), left);
        }
    }
    return soonest;
}

std::size_t RegionDirectory::regions_held() const {
    const std::lock_guard lock(mutex_);
    return regions_.size();
}

std::size_t RegionDirectory::keys_held() const {
    const std::lock_guard lock(mutex_);
    return keys_.size();
}

std::string_view Snapshot::model_name(std::string_view asked) const {
    if (!config.aliases.empty()) {
        if (const auto found = config.aliases.find(std::string(asked));
            found != config.aliases.end()) {
            return found->second;
        }
    }
    return strip_arn(asked);
}

bool Snapshot::observes(std::string_view model) const {
    for (const auto& route : config.routes) {
        if (route.mode && strip_arn(route.model) == model) {
            return *route.mode == Mode::observe;
        }
    }
    return config.mode == Mode::observe;
}

std::uint32_t Snapshot::output_burndown(const Target& target) const {
    const policy::Tariff tariff = policy::tariff_of(config, target);
    return tariff.apart ? 0 : tariff.burndown;
}

}  // namespace weir::gateway
