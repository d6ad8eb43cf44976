// One configuration as the workers use it: immutable, swapped whole by a reload.
#pragma once

#include "aws/credentials.h"
#include "gateway/identity.h"
#include "net/upstream.h"

#include <weir/config.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

/// Where a Region's requests get their keys. Thread-safe.
class KeySource {
public:
    virtual ~KeySource() = default;
    virtual std::shared_ptr<const aws::Credentials> get() const = 0;
    /// `done` is called once, on any thread.
    virtual void refresh(std::shared_ptr<const aws::Credentials> stale,
                         std::function<void()> done) = 0;
};

/// Whose keys, and how they are come by.
struct KeysWanted {
    CredentialsConfig credentials;
    AwsConfig aws = {};       // where STS and SSO are
    std::string region = {};  // whose STS, where nothing nearer names one
    /// Its role is taken on with those keys; unset: they are used as they are.
    std::optional<AccountConfig> role = {};

    static KeysWanted of(const Config& config);
    static KeysWanted of(const Config& config, const AccountConfig& account);
};

/// The services of a Region that weir speaks to.
enum class Service : std::uint8_t { runtime, mantle, control, agent };
constexpr std::size_t kServices = 4;

/// A Region as it is reached. The snapshots that declare it own it, and the workers that have
/// connections to it.
struct Region {
    std::string name;
    std::array<net::Endpoint, kServices> endpoints;
    const net::Endpoint& endpoint(Service service) const {
        return endpoints[static_cast<std::size_t>(service)];
    }
    std::shared_ptr<KeySource> keys;
    net::PoolCounts counts;  // over all workers
};

/// The URL of each service of a Region. An `endpoint` over plain http is no AWS service but a
/// stand-in or another weir, which answers for the control plane and the agent runtime, too. One
/// over https, a VPC endpoint say, answers for bedrock-runtime alone.
std::string service_url(Service service, const std::string& region, const RegionConfig& config);

/// Makes Regions, and gives the same one for the same settings over all reloads, as long as
/// somebody uses it. Thread-safe.
class RegionDirectory {
public:
    /// `base`: the keys that take on the role; null: no role is wanted.
    using MakeKeys = std::function<std::unique_ptr<KeySource>(const KeysWanted&,
                                                              std::shared_ptr<KeySource> base)>;
    explicit RegionDirectory(MakeKeys make_keys) : make_keys_(std::move(make_keys)) {}

    Result<std::shared_ptr<Region>> get(const std::string& name, const RegionConfig& config,
                                        const KeysWanted& common);
    /// Blocks as long as the first look for credentials takes, if these are new.
    std::shared_ptr<KeySource> keys(const KeysWanted& wanted);
    /// Forgets Regions and credentials that no snapshot and no worker uses. Ends the credentials'
    /// threads, so not for a loop's thread.
    void forget_unused();

    /// As forget_unused(), but Regions alone: quick, for any thread.
    void forget_regions();

    /// Seconds until the first credentials expire.
    std::optional<double> soonest_expiry() const;
    std::size_t regions_held() const;
    std::size_t keys_held() const;

private:
    MakeKeys make_keys_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Region>> regions_;
    std::map<std::string, std::shared_ptr<KeySource>> keys_;
};

struct Snapshot {
    explicit Snapshot(Config c) : config(std::move(c)), clients(config.clients) {}

    Config config;
    ClientDirectory clients;
    std::map<std::string, std::shared_ptr<Region>, std::less<>> regions;  // those declared
    std::shared_ptr<KeySource> keys;  // of Regions that are not declared; null: all are
    std::map<std::string, std::shared_ptr<KeySource>, std::less<>> accounts;  // those declared

    /// Aliases resolved, an ARN else reduced to its last segment.
    std::string_view model_name(std::string_view asked) const;
    bool observes(std::string_view model) const;
    /// Quota tokens that a token of output costs there; 0: output is metered apart.
    std::uint32_t output_burndown(const Target& target) const;
};

}  // namespace weir::gateway
