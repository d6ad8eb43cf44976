#include "cli/serve_command.h"

#include "aws/credentials.h"
#include "cli/config_file.h"
#include "cli/logging.h"
#include "gateway/gateway.h"
#include "gateway/memory_reserve.h"

#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

namespace weir::cli {
namespace {

/// The gateway's view of a credentials provider.
class ProviderKeys : public gateway::KeySource {
public:
    ProviderKeys(const CredentialsConfig& config, LogSink log)
        : provider_(config, aws::Environment::of_process(), std::move(log)) {
        provider_.start();
    }
    std::shared_ptr<const aws::Credentials> get() const override { return provider_.get(); }
    void refresh(std::shared_ptr<const aws::Credentials> stale,
                 std::function<void()> done) override {
        provider_.refresh(std::move(stale), std::move(done));
    }

private:
    aws::CredentialsProvider provider_;
};

std::optional<std::string> variable(const std::string& name) {
    const char* value =
        std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets any
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void warn(const std::vector<Complaint>& warnings, const LogSink& log) {
    for (const auto& warning : warnings) {
        log(LogLevel::warn, to_string(warning));
    }
}

Result<LoadedConfig> load(const std::string& path) {
    auto loaded = load_config(path, variable, NamedFiles::checked);
    if (loaded.complaints.empty()) {
        return loaded;
    }
    std::string text;
    for (const auto& complaint : loaded.complaints) {
        text += (text.empty() ? "" : "\n") + to_string(complaint);
    }
    return failure(text);
}

/// For a reload.
Result<Config> read(const std::string& path, const LogSink& log) {
    auto loaded = load(path);
    if (!loaded) {
        return std::unexpected(loaded.error());
    }
    warn(loaded->warnings, log);
    return std::move(loaded->config);
}

}  // namespace

int run_serve(const std::string& config_path) {
    // Every thread inherits this mask, so that signals come to the wait below and nowhere else.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int s : {SIGHUP, SIGTERM, SIGINT}) {
        sigaddset(&signals, s);
    }
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);

    gateway::keep_memory_reserve();
    auto loaded = load(config_path);
    if (!loaded) {
        std::cerr << loaded.error().message << '\n';
        return 2;
    }
    Config* const config = &loaded->config;
    const auto level = std::make_shared<std::atomic<LogLevel>>(config->log.level);
    const auto log = make_log(config->log, level);
    warn(loaded->warnings, log);
    gateway::GatewayOptions options;
    options.reloaded = [level](const Config& next) { level->store(next.log.level); };
    options.log = log;
    options.access_log = STDOUT_FILENO;
    std::random_device device;
    options.seed = std::uint64_t{device()} << 32 | device();
    options.make_keys = [&](const CredentialsConfig& credentials) {
        return std::make_unique<ProviderKeys>(credentials, log);
    };
    if (!config_path.empty()) {
        options.read_config = [config_path, log] { return read(config_path, log); };
    }
    const auto listen = config->listen;
    const auto admin = config->admin;
    const auto regions = config->regions.size();
    const auto home = config->default_region;
    const std::string_view scheme = config->tls ? "https" : "http";

    gateway::Gateway gateway(std::move(*config), std::move(options));
    if (auto started = gateway.start(); !started) {
        log(LogLevel::error, started.error().message);
        return 1;
    }
    std::string where;
    for (const auto& address : listen) {
        where += (where.empty() ? "" : ", ") + address;
    }
    log(LogLevel::info,
        fmt::format("weir listens on {} (admin {}), {}; point an AWS SDK here with "
                    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME={}://{}",
                    where, admin.empty() ? "off" : admin,
                    regions == 0
                        ? fmt::format("every Region its callers name{}",
                                      home.empty() ? "" : ", " + home + " for unsigned calls")
                        : fmt::format("{} Region{}", regions, regions == 1 ? "" : "s"),
                    scheme, listen.front()));

    for (;;) {
        int caught = 0;
        if (sigwait(&signals, &caught) != 0) {
            continue;
        }
        if (caught != SIGHUP) {
            break;
        }
        if (config_path.empty()) {
            log(LogLevel::warn,
                "reload: weir was started without a file, there is nothing to read again");
            continue;
        }
        (void)gateway.reload(read(config_path, log), "SIGHUP");
    }
    log(LogLevel::info, "stopping: finishing what is under way");
    // A second signal ends the wait.
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    gateway.drain();
    gateway.stop();
    log(LogLevel::info, "stopped");
    return 0;
}

}  // namespace weir::cli
