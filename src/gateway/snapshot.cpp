#include "gateway/snapshot.h"

#include "policy/tariff.h"

#include <algorithm>
#include <cstdlib>

namespace weir::gateway {
namespace {

/// Regions that callers may name by their signatures where none are declared.
constexpr std::size_t kMaxRegions = 64;

std::string identity_of(const CredentialsConfig& c) {
    const auto part = [](const std::string& s) { return std::to_string(s.size()) + ":" + s; };
    return std::to_string(static_cast<int>(c.source)) + part(c.access_key_id) +
           part(c.secret_access_key) + part(c.session_token) + part(c.bearer_token) +
           part(c.profile);
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

bool looks_like_region(std::string_view name) {
    if (name.size() < 6 || name.size() > 32 || std::ranges::count(name, '-') < 2) {
        return false;
    }
    const auto lower_or_dash = [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; };
    return name.front() != '-' && name.find("--") == std::string_view::npos &&
           name[name.size() - 2] == '-' && name.back() >= '0' && name.back() <= '9' &&
           std::ranges::all_of(name.substr(0, name.size() - 1), lower_or_dash);
}

Result<Region*> RegionDirectory::get(const std::string& name, const RegionConfig& config,
                                     const CredentialsConfig& common) {
    const auto& credentials = config.credentials ? *config.credentials : common;
    const auto id = name + "\n" + config.endpoint + "\n" + config.mantle_endpoint + "\n" +
                    config.ca + "\n" + config.proxy + "\n" + identity_of(credentials);
    const std::lock_guard lock(mutex_);
    if (const auto found = regions_.find(id); found != regions_.end()) {
        return found->second.get();
    }
    if (regions_.size() >= kMaxRegions * 4) {
        return failure("too many Regions");
    }
    const auto url = [&](std::string_view service) {
        return config.endpoint.empty() ? "https://" + std::string(service) +
                                             (fips() ? "-fips." : ".") + name + domain_of(name)
                                       : config.endpoint;
    };
    auto runtime = net::Endpoint::parse(url("bedrock-runtime"), config.ca, config.proxy);
    if (!runtime) {
        return std::unexpected(runtime.error());
    }
    auto control = net::Endpoint::parse(url("bedrock"), config.ca, config.proxy);
    if (!control) {
        return std::unexpected(control.error());
    }
    auto mantle =
        net::Endpoint::parse(config.mantle_endpoint.empty()
                                 ? "https://bedrock-mantle" + std::string(fips() ? "-fips." : ".") +
                                       name + api_domain_of(name)
                                 : config.mantle_endpoint,
                             config.ca, config.proxy);
    if (!mantle) {
        return std::unexpected(mantle.error());
    }
    auto region = std::make_unique<Region>();
    region->name = name;
    region->runtime = std::move(*runtime);
    region->mantle = std::move(*mantle);
    region->control = std::move(*control);
    region->keys = keys(credentials);
    return regions_.emplace(id, std::move(region)).first->second.get();
}

KeySource* RegionDirectory::keys(const CredentialsConfig& config) {
    auto& source = keys_[identity_of(config)];
    if (source == nullptr) {
        source = make_keys_(config);
    }
    return source.get();
}

std::vector<const KeySource*> RegionDirectory::key_sources() const {
    const std::lock_guard lock(mutex_);
    std::vector<const KeySource*> sources;
    sources.reserve(keys_.size());
    for (const auto& [id, source] : keys_) {
        sources.push_back(source.get());
    }
    return sources;
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
