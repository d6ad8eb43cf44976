#include "gateway/process_keys.h"

#include "aws/credentials.h"

#include <cstdlib>
#include <memory>
#include <utility>

namespace weir::gateway {
namespace {

/// The gateway's view of a credentials provider.
class ProviderKeys final : public KeySource {
public:
    explicit ProviderKeys(std::unique_ptr<aws::CredentialsProvider> provider)
        : provider_(std::move(provider)) {
        provider_->start();
    }
    std::shared_ptr<const aws::Credentials> get() const override { return provider_->get(); }
    void refresh(std::shared_ptr<const aws::Credentials> stale,
                 std::function<void()> done) override {
        provider_->refresh(std::move(stale), std::move(done));
    }

private:
    std::unique_ptr<aws::CredentialsProvider> provider_;
};

}  // namespace

std::unique_ptr<aws::CredentialsProvider> make_provider(const KeysWanted& wanted,
                                                        aws::BaseKeys base, LogSink log) {
    aws::Environment environment = aws::Environment::of_process();
    environment.aws = wanted.aws;
    environment.region = wanted.region;
    if (!wanted.role) {
        return std::make_unique<aws::CredentialsProvider>(wanted.credentials, environment,
                                                          std::move(log));
    }
    return std::make_unique<aws::CredentialsProvider>(*wanted.role, std::move(base), environment,
                                                      std::move(log));
}

RegionDirectory::MakeKeys process_keys(LogSink log) {
    return [log = std::move(log)](const KeysWanted& wanted, std::shared_ptr<KeySource> base) {
        aws::BaseKeys keys;
        if (base != nullptr) {
            keys = [base = std::move(base)] { return base->get(); };
        }
        return std::make_unique<ProviderKeys>(make_provider(wanted, std::move(keys), log));
    };
}

std::optional<std::string> process_variable(const std::string& name) {
    const char* value =
        std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets any
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::optional<NamedRegion> region_of_environment(const Config& config, const Getenv& getenv) {
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
        const auto value = getenv ? getenv(name) : std::nullopt;
        if (value && !value->empty() &&
            (config.regions.empty() || config.regions.contains(*value))) {
            return NamedRegion{name, *value};
        }
    }
    return std::nullopt;
}

}  // namespace weir::gateway
