#include "cli/serving.h"

#include <random>

namespace weir::cli {

std::string problems(const LoadedConfig& loaded) {
    std::string text;
    for (const auto& complaint : loaded.complaints) {
        text += (text.empty() ? "" : "\n") + to_string(complaint);
    }
    return text;
}

void log_warnings(const LoadedConfig& loaded, const LogSink& log) {
    for (const auto& warning : loaded.warnings) {
        log(LogLevel::warn, to_string(warning));
    }
}

gateway::GatewayOptions serving_options(const LogSink& log) {
    gateway::GatewayOptions options;
    options.log = log;
    std::random_device device;
    options.seed = std::uint64_t{device()} << 32 | device();
    options.make_keys = gateway::process_keys(log);
    return options;
}

}  // namespace weir::cli
