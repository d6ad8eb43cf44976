#include "gateway/quota_watch.h"

#include "aws/source.h"
#include "gateway/configured_names.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace weir::gateway {
namespace {

constexpr std::chrono::seconds kLook(60);  // for models and Regions that have come into use
constexpr std::chrono::minutes kAgain(5);  // where there were no keys, or no answer
constexpr std::size_t kMostRegions = 40;

}  // namespace

struct QuotaWatch::Place {
    std::string account;  // of `accounts`; empty: that of `credentials`
    std::string region;
    std::string control_endpoint;  // empty: the service's own
    std::shared_ptr<KeySource> keys;

    std::string name() const { return account.empty() ? region : account + "/" + region; }
};

bool reads_quotas(const AwsConfig& aws, const RegionConfig& region) {
    return aws.read_quotas.value_or(region.endpoint.empty());
}

QuotaWatch::QuotaWatch(Ends ends) : ends_(std::move(ends)) {}

Duration QuotaWatch::once(bool nudged) {
    using Clock = std::chrono::steady_clock;
    if (nudged || Clock::now() >= next_ || has_new_region()) {
        const bool whole = read_all();
        const Duration every = ends_.snapshot()->config.aws.quotas_every;
        next_ = Clock::now() + (whole ? every : std::min<Duration>(every, kAgain));
    }
    const bool any = std::ranges::any_of(findings_, [](const auto& account) {
        return !account.second.quotas.empty() || !account.second.profiles.empty();
    });
    if (!thread_.stopping() && any) {
        ends_.take(findings_);
    }
    return std::min<Duration>(next_ - Clock::now(), kLook);
}

std::vector<QuotaWatch::Place> QuotaWatch::places() const {
    const auto snapshot = ends_.snapshot();
    const Config& config = snapshot->config;
    std::vector<Place> places;
    const auto control_endpoint = [&](const RegionConfig& declared) {
        // A stand-in for Bedrock answers for its control plane as well.
        const bool stand_in = declared.endpoint.starts_with("http://");
        return !declared.control_endpoint.empty()        ? declared.control_endpoint
               : stand_in && config.aws.endpoint.empty() ? declared.endpoint
                                                         : std::string();
    };
    for (const auto& [name, region] : snapshot->regions) {
        const RegionConfig& declared = config.regions.at(name);
        if (reads_quotas(config.aws, declared)) {
            places.push_back({"", name, control_endpoint(declared), region->keys});
        }
    }
    std::set<std::pair<std::string, std::string>> others;  // other accounts' Regions in use
    for (const PlacedModel& placed : models_in_use(config, ends_.status())) {
        const auto declared = config.regions.find(placed.region);
        const RegionConfig& region =
            declared == config.regions.end() ? RegionConfig{} : declared->second;
        const auto keys = snapshot->accounts.find(placed.account);
        if (keys != snapshot->accounts.end() && reads_quotas(config.aws, region) &&
            others.insert({placed.account, placed.region}).second) {
            places.push_back(
                {placed.account, placed.region, control_endpoint(region), keys->second});
        }
    }
    if (snapshot->keys != nullptr && reads_quotas(config.aws, {})) {
        std::set<std::string> names;
        if (!config.default_region.empty()) {
            names.insert(config.default_region);
        }
        for (const TargetStatus& target : ends_.status().targets) {
            names.insert(target.region);
        }
        for (const std::string& name : names) {
            if (!config.regions.contains(name)) {
                places.push_back({"", name, "", snapshot->keys});
            }
        }
    }
    places.resize(std::min(places.size(), kMostRegions));
    return places;
}

bool QuotaWatch::has_new_region() const {
    return std::ranges::any_of(
        places(), [this](const Place& place) { return !tried_.contains(place.name()); });
}

/// False: some Region should be asked again soon.
bool QuotaWatch::read_all() {
    bool whole = true;
    const AwsConfig aws = ends_.snapshot()->config.aws;
    std::vector<std::string> no_quotas;
    std::vector<std::string> no_profiles;
    std::string quotas_text;
    std::string profiles_text;
    std::set<std::string> read;
    for (const Place& place : places()) {
        if (thread_.stopping()) {
            return true;
        }
        read.insert(place.name());
        QuotaFindings& findings = findings_[place.account];
        const auto keys = place.keys->get();
        if (keys == nullptr || keys->access_key_id.empty()) {
            whole = whole && keys != nullptr;
            no_quotas.push_back(place.name());
            quotas_text = keys == nullptr ? "no credentials yet"
                                          : "a Bedrock API key is not valid for Service Quotas";
            continue;
        }
        const aws::ApiClient api(aws, aws::Environment::of_process(),
                                 [&place] { return place.keys->get(); });
        if (auto found = aws::read_quotas(api, place.region, thread_.stopping())) {
            findings.quotas[place.region] = std::move(*found);
        } else if (!thread_.stopping()) {
            whole = whole && found.error().denied();
            no_quotas.push_back(place.name());
            quotas_text = found.error().text();
        }
        auto profiles =
            aws::list_profiles(api, place.region, place.control_endpoint, thread_.stopping());
        if (profiles) {
            findings.profiles[place.region] = std::move(*profiles);
        } else if (!thread_.stopping()) {
            no_profiles.push_back(place.name());
            profiles_text = profiles.error().text();
        }
    }
    for (auto& [account, findings] : findings_) {
        const auto gone = [&, &name = account](const auto& entry) {
            return !read.contains(Place{name, entry.first, {}, {}}.name());
        };
        std::erase_if(findings.quotas, gone);
        std::erase_if(findings.profiles, gone);
    }
    tell_failures("Service Quotas cannot be read in ", listed(no_quotas),
                  quotas_text + "; limits that `quotas` does not have are learned from 429s",
                  told_quotas_);
    tell_failures("Inference profiles cannot be read in ", listed(no_profiles),
                  profiles_text + "; application profiles need `aliases`", told_profiles_);
    tried_ = std::move(read);
    return whole;
}

void QuotaWatch::tell_failures(const std::string& what, const std::string& regions,
                               const std::string& text, std::string& told) const {
    if (told != regions && !regions.empty() && ends_.log) {
        ends_.log(LogLevel::info, what + regions + ": " + text);
    }
    told = regions;
}

}  // namespace weir::gateway
