#include "cli/run_command.h"

#include "cli/child.h"
#include "cli/env_command.h"
#include "cli/logging.h"
#include "cli/run_report.h"
#include "cli/serving.h"
#include "gateway/memory_reserve.h"

#include <weir/config.h>

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace weir::cli {
namespace {

constexpr std::string_view kHere = "127.0.0.1";
/// Of one command; more would have to be cut, with a warning, where few descriptors are allowed.
constexpr std::size_t kMostConnections = 4096;
constexpr mode_t kAsTheUmaskSays = 0666;

/// A file that lines are added to; none for an empty path.
class LinesFile {
public:
    static Result<LinesFile> open(const std::string& path) {
        LinesFile file;
        if (!path.empty()) {
            file.descriptor_ =
                ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kAsTheUmaskSays);
            if (file.descriptor_ < 0) {
                return failure(path + ": " + std::strerror(errno));
            }
        }
        return file;
    }
    LinesFile(LinesFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    LinesFile& operator=(LinesFile&&) = delete;
    ~LinesFile() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    int descriptor() const { return descriptor_; }

private:
    LinesFile() = default;
    int descriptor_ = -1;
};

/// Listeners of this run's own, whatever the file and the environment say: the file may be that of
/// a `weir serve` that runs beside it, with a state file that only one may write.
std::optional<std::string> variable_of_a_run(const std::string& name) {
    if (name == "WEIR_LISTEN" || name == "WEIR_ADMIN") {
        return std::string(kHere) + ":0";
    }
    return name == "STATE_DIRECTORY" ? std::nullopt : process_variable(name);
}

void settle_for_one_command(Config& config, const RunOptions& options) {
    config.tls.reset();  // the command would have to trust the certificate
    config.state_file.clear();
    config.costs.file.clear();
    if (config.workers == 0) {
        config.workers = 1;
    }
    config.limits.max_connections = std::min(config.limits.max_connections, kMostConnections);
    if (options.log.empty()) {
        config.log.level = std::max(config.log.level, LogLevel::warn);
        if (config.log.format == "auto") {
            config.log.format = "text";  // between the command's own lines
        }
    }
}

bool have_keys(const Config& config) {
    return std::ranges::any_of(config.clients, [](const ClientConfig& client) {
        return !client.key_sha256.empty() || !client.access_key_id.empty();
    });
}

Result<std::map<std::string, std::string>> variables(const RunOptions& options,
                                                     const std::string& url, bool keys) {
    std::map<std::string, std::string> all{{"WEIR_URL", url}};
    for (const auto& client : options.clients.empty() ? known_clients() : options.clients) {
        auto one = variables_for(client, url);
        if (!one) {
            return std::unexpected(one.error());
        }
        all.merge(*one);
    }
    if (keys) {
        all.erase("CLAUDE_CODE_SKIP_BEDROCK_AUTH");
    }
    return all;
}

struct Ran {
    int code = 0;
    std::string metrics;  // empty: the command did not run
};

Ran run_beside_gateway(Config config, const RunOptions& options, const Inherited& inherited,
                       const LogSink& log, int access_log) {
    const bool keys = have_keys(config);
    auto serving = serving_options(log);
    serving.access_log = access_log;
    gateway::Gateway gateway(std::move(config), std::move(serving));
    if (auto started = gateway.start(); !started) {
        std::cerr << "weir run: " << started.error().message << '\n';
        return {.code = 1, .metrics = {}};
    }
    const std::string url =
        "http://" + std::string(kHere) + ":" + std::to_string(gateway.ports().front());
    log(LogLevel::info, "weir listens on " + url + " (admin " + std::string(kHere) + ":" +
                            std::to_string(gateway.admin_port()) + ") for " +
                            options.command.front());
    const auto set = variables(options, url, keys);
    const auto end = run_child(options.command, command_environment(environ, *set), inherited);
    gateway.stop();
    return {.code = end.code, .metrics = end.started ? gateway.metrics() : ""};
}

}  // namespace

std::vector<std::string> command_environment(const char* const* inherited,
                                             std::map<std::string, std::string> variables) {
    std::map<std::string, std::string> all;
    for (; *inherited != nullptr; ++inherited) {
        const std::string_view entry = *inherited;
        const auto equals = std::min(entry.find('='), entry.size());
        all.emplace(entry.substr(0, equals), entry.substr(std::min(equals + 1, entry.size())));
    }
    const auto set = [&all](const char* name) {
        const auto found = all.find(name);
        return found != all.end() && !found->second.empty();
    };
    if (set("http_proxy") || set("HTTP_PROXY") || set("all_proxy") || set("ALL_PROXY")) {
        const std::string before = set("no_proxy") ? all["no_proxy"] : all["NO_PROXY"];
        const std::string other = set("NO_PROXY") ? all["NO_PROXY"] : before;
        const auto with_here = [](const std::string& list) {
            return list == "*" ? list : list + (list.empty() ? "" : ",") + std::string(kHere);
        };
        all["no_proxy"] = with_here(before);
        all["NO_PROXY"] = with_here(other);
    }
    variables.merge(all);  // keeps those that are there
    std::vector<std::string> entries;
    entries.reserve(variables.size());
    for (const auto& [name, value] : variables) {
        entries.push_back(fmt::format("{}={}", name, value));
    }
    return entries;
}

int run_run(const RunOptions& options) {
    const Inherited inherited = Inherited::take();
    gateway::keep_memory_reserve();
    auto loaded = load_config(options.config, variable_of_a_run, NamedFiles::upstream);
    if (!loaded.complaints.empty()) {
        std::cerr << problems(loaded) << '\n';
        return 2;
    }
    if (const auto known = variables(options, "", false); !known) {
        std::cerr << "weir run: " << known.error().message << '\n';
        return 2;
    }
    const auto log_file = LinesFile::open(options.log);
    const auto access_log = LinesFile::open(options.access_log);
    if (!log_file || !access_log) {
        std::cerr << "weir run: " << (!log_file ? log_file : access_log).error().message << '\n';
        return 1;
    }
    settle_for_one_command(loaded.config, options);
    Ran ran;
    {
        const auto log = make_log(loaded.config.log, nullptr,
                                  options.log.empty() ? STDERR_FILENO : log_file->descriptor());
        log_warnings(loaded, log);
        ran = run_beside_gateway(std::move(loaded.config), options, inherited, log,
                                 access_log->descriptor());
    }
    if (!ran.metrics.empty() && !options.quiet) {
        std::cerr << run_report(ran.metrics) << '\n';
    }
    return ran.code;
}

}  // namespace weir::cli
