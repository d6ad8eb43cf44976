#include "cli/demo_world.h"

#include "aws/credentials.h"
#include "bedrock/model_data.h"

#include <fmt/core.h>

#include <functional>
#include <string>
#include <utility>

namespace weir::cli {
namespace {

constexpr std::string_view kAccessKey = "AKIDEXAMPLE";
constexpr std::string_view kSecret = "example";

class FixedKeys : public gateway::KeySource {
public:
    FixedKeys() {
        auto keys = std::make_shared<aws::Credentials>();
        keys->access_key_id = kAccessKey;
        keys->secret_access_key = kSecret;
        keys->source = "demo";
        keys_ = std::move(keys);
    }
    std::shared_ptr<const aws::Credentials> get() const override { return keys_; }
    void refresh(std::shared_ptr<const aws::Credentials>, std::function<void()> done) override {
        done();
    }

private:
    std::shared_ptr<const aws::Credentials> keys_;
};

}  // namespace

codec::SigningCredentials demo_credentials() {
    return {.access_key_id = std::string(kAccessKey),
            .secret_access_key = std::string(kSecret),
            .session_token = {}};
}

simulator::Settings demo_stand_in(const DemoTrace& trace, DemoTime time) {
    simulator::Settings settings;
    settings.regions = {{std::string(kDemoHome), "127.0.0.1:0"},
                        {std::string(kDemoOther), "127.0.0.1:0"}};
    settings.access_key_id = kAccessKey;
    settings.secret_access_key = kSecret;
    settings.quota_window = time(60);
    simulator::ModelSettings model;
    model.tokens_per_minute = trace.tokens_per_minute;
    model.output_burndown = static_cast<std::uint32_t>(trace.burndown);
    model.time_to_first_token = time(0.4);
    model.tokens_per_second = 60 * time.compression;
    settings.models.emplace(kDemoModel, model);
    return settings;
}

simulator::Fault demo_outage(double from, double to) {
    simulator::Fault outage;
    outage.from = from;
    outage.to = to;
    outage.region = kDemoHome;
    outage.kind = "unavailable";
    return outage;
}

Config demo_gateway(const simulator::Simulator& sim, const DemoTrace& trace, bool quotas_told,
                    DemoTime time) {
    const std::string home(kDemoHome);
    const std::string other(kDemoOther);
    Config config;
    config.listen = {"127.0.0.1:0"};
    config.admin.clear();
    config.workers = 1;
    config.default_region = home;
    for (const std::string& region : {home, other}) {
        config.regions[region].endpoint = fmt::format("http://127.0.0.1:{}", sim.port(region));
    }
    config.credentials.source = CredentialsSource::static_keys;
    config.credentials.access_key_id = kAccessKey;
    config.credentials.secret_access_key = kSecret;
    config.models = bedrock::builtin_models();
    config.quota_window = time(60);
    if (quotas_told) {
        QuotaConfig quota;
        quota.models = {std::string(kDemoModel)};
        quota.tokens_per_minute = trace.tokens_per_minute;
        quota.output_burndown = static_cast<std::uint32_t>(trace.burndown);
        config.quotas.push_back(quota);
    }
    RouteConfig route;
    route.model = kDemoModel;
    route.targets = {{.region = home, .model = {}}, {.region = other, .model = {}}};
    time.hasten(route.spill_after);
    time.hasten(route.degrade_after);
    config.routes.push_back(route);
    for (Duration* duration :
         {&config.queue.deadline, &config.queue.max_wait, &config.queue.target_wait,
          &config.retry.base_delay, &config.retry.max_delay, &config.breaker.window,
          &config.breaker.open_for, &config.breaker.max_open, &config.timeouts.first_event,
          &config.timeouts.hold, &config.timeouts.idle, &config.timeouts.answer}) {
        time.hasten(*duration);
    }
    return config;
}

gateway::GatewayOptions demo_options(const Config& config, std::uint64_t seed) {
    gateway::GatewayOptions options;
    options.make_keys = [](const auto&...) { return std::make_unique<FixedKeys>(); };
    options.log = [](LogLevel, std::string_view) {};
    options.seed = seed;
    options.before.emplace();
    options.before->window = config.quota_window;
    options.before->unrecorded = Duration::zero();
    return options;
}

}  // namespace weir::cli
