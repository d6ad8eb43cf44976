#include "cli/serve_command.h"

#include "cli/file_watch.h"
#include "cli/logging.h"
#include "cli/service_manager.h"
#include "cli/serving.h"
#include "gateway/gateway.h"
#include "gateway/memory_reserve.h"
#include "net/inherited.h"

#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

/// The state file and the logs, after the gateway has stopped.
constexpr Duration kLastWrites = std::chrono::seconds(5);

constexpr Duration kWatchEvery = std::chrono::seconds(2);

/// The configuration for a reload.
Result<Config> good(LoadedConfig loaded, const LogSink& log) {
    if (!loaded.complaints.empty()) {
        return failure(problems(loaded));
    }
    log_warnings(loaded, log);
    return std::move(loaded.config);
}

LoadedConfig load(const std::string& path) {
    return load_config(path, process_variable, NamedFiles::checked);
}

/// A reload that the service manager is told of. Returns the files to watch: those of a file with
/// an error as well, because one of them may mend it.
std::vector<std::string> reload(gateway::Gateway& gateway, ServiceManager& manager,
                                const std::string& path, const std::string& listens,
                                std::string_view by, const LogSink& log) {
    manager.reloading();
    auto loaded = load(path);
    auto files = std::move(loaded.files);
    // What came of it is logged.
    [[maybe_unused]] const auto answer = gateway.reload(good(std::move(loaded), log), by);
    manager.ready(listens);
    return files;
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
    FileStates states;  // from before it is read: nothing that happens to it meanwhile is missed
    states.follow({config_path});
    auto loaded = load(config_path);
    if (!loaded.complaints.empty()) {
        std::cerr << problems(loaded) << '\n';
        return 2;
    }
    Config* const config = &loaded.config;
    const auto level = std::make_shared<std::atomic<LogLevel>>(config->log.level);
    const auto log = make_log(config->log, level);
    log_warnings(loaded, log);
    auto options = serving_options(log);
    options.reloaded = [level](const Config& next) { level->store(next.log.level); };
    options.access_log = STDOUT_FILENO;
    if (!config_path.empty()) {
        options.read_config = [config_path, log] { return good(load(config_path), log); };
    }
    ServiceManager manager(process_variable, log);
    const bool watches = config->watch && !config_path.empty();
    const auto listen = config->listen;
    const auto admin = config->admin;
    const auto regions = config->regions.size();
    const auto home = config->default_region;
    const std::string_view scheme = config->tls ? "https" : "http";
    const auto listens = fmt::format("listens on {} (admin {})", fmt::join(listen, ", "),
                                     admin.empty() ? "off" : admin);
    options.reloading = [&manager, listens](bool under_way) {
        if (under_way) {
            manager.reloading();
        } else {
            manager.ready(listens);
        }
    };

    gateway::Gateway gateway(std::move(*config), std::move(options));
    if (auto started = gateway.start(); !started) {
        log(LogLevel::error, started.error().message);
        return 1;
    }
    log(LogLevel::info,
        fmt::format("weir {}, {}; point an AWS SDK here with "
                    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME={}://{}",
                    listens,
                    regions == 0
                        ? fmt::format("every Region its callers name{}",
                                      home.empty() ? "" : ", " + home + " for unsigned calls")
                        : fmt::format("{} Region{}", regions, regions == 1 ? "" : "s"),
                    scheme, listen.front()));

    for (const auto& address : net::close_inherited()) {
        log(LogLevel::warn,
            "systemd passed a socket for " + address + ", which is not in `listen`: it is closed");
    }
    manager.ready(listens);
    std::optional<WatchdogThread> watchdog(
        std::in_place, manager, [&](Duration within) { return gateway.lives(within); }, log);

    std::optional<FileWatch> watch;
    if (watches) {
        states.follow(loaded.files);
        watch.emplace(std::move(states), kWatchEvery,
                      [&] { return reload(gateway, manager, config_path, listens, "watch", log); });
    }

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
        (void)reload(gateway, manager, config_path, listens, "SIGHUP", log);
    }
    watch.reset();
    log(LogLevel::info, "stopping: finishing what is under way");
    manager.stopping(gateway.longest_drain() + kLastWrites);
    // A second signal ends the wait.
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    gateway.drain();
    watchdog.reset();
    gateway.stop();
    log(LogLevel::info, "stopped");
    return 0;
}

}  // namespace weir::cli
