// One configuration as the workers use it: immutable, swapped whole by a reload.
#pragma once

#include "aws/credentials.h"
#include "gateway/identity.h"
#include "net/upstream.h"

#include <weir/config.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
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

/// The services of a Region that weir speaks to.
enum class Service : std::uint8_t { runtime, mantle, control };

/// A Region as it is reached. Lives as long as the gateway, so that workers may keep pointers to
/// it.
struct Region {
    std::string name;
    net::Endpoint runtime;
    net::Endpoint mantle;
    net::Endpoint control;  // bedrock.{region}; the same as runtime where an endpoint is configured
    const net::Endpoint& endpoint(Service service) const {
        return service == Service::runtime  ? runtime
               : service == Service::mantle ? mantle
                                            : control;
    }
    KeySource* keys = nullptr;
    net::PoolCounts counts;  // over all workers
};

/// Makes Regions, and gives the same one for the same settings over all reloads. Thread-safe.
class RegionDirectory {
public:
    using MakeKeys = std::function<std::unique_ptr<KeySource>(const CredentialsConfig&)>;
    explicit RegionDirectory(MakeKeys make_keys) : make_keys_(std::move(make_keys)) {}

    Result<Region*> get(const std::string& name, const RegionConfig& config,
                        const CredentialsConfig& common);
    std::vector<const KeySource*> key_sources() const;

private:
    KeySource* keys(const CredentialsConfig& config);

    MakeKeys make_keys_;
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Region>> regions_;
    std::map<std::string, std::unique_ptr<KeySource>> keys_;
};

struct Snapshot {
    explicit Snapshot(Config c) : config(std::move(c)), clients(config.clients) {}

    Config config;
    ClientDirectory clients;
    std::map<std::string, Region*, std::less<>> regions;  // those declared

    /// Aliases resolved, an ARN else reduced to its last segment.
    std::string_view model_name(std::string_view asked) const;
    bool observes(std::string_view model) const;
    /// Quota tokens that a token of output costs there; 0: output is metered apart.
    std::uint32_t output_burndown(const Target& target) const;
};

/// `us-east-1`, `us-gov-west-1`, `ap-southeast-2`: it becomes part of a host name.
bool looks_like_region(std::string_view name);

}  // namespace weir::gateway
