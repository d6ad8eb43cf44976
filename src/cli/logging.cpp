#include "cli/logging.h"

#include "observe/access_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>

namespace weir::cli {

namespace {

std::string timestamp(std::int64_t unix_ms) {
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), unix_ms % 1000);
}

// Line ends would let a message forge a line of its own.
std::string one_line(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out;
}

}  // namespace

std::string_view level_name(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
    }
    return "info";
}

std::string format_log_line(LogLevel level, std::string_view message, std::int64_t unix_ms,
                            bool json) {
    if (!json)
        return fmt::format("{} {:<5} {}", timestamp(unix_ms), level_name(level), one_line(message));
    const nlohmann::ordered_json line{
        {"ts", timestamp(unix_ms)}, {"level", level_name(level)}, {"message", message}};
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

LogSink make_log(const LogConfig& config, std::shared_ptr<const std::atomic<LogLevel>> least,
                 int descriptor) {
    const bool json =
        config.format == "json" || (config.format != "text" && ::isatty(descriptor) == 0);
    if (least == nullptr) {
        least = std::make_shared<const std::atomic<LogLevel>>(config.level);
    }
    const auto line = [json](LogLevel level, std::string_view message) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return format_log_line(level, message,
                               std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                               json);
    };
    auto writer = std::make_shared<observe::LineWriter>(descriptor, [line](observe::LineWriter& by,
                                                                           std::uint64_t lines) {
        by.write(line(LogLevel::warn, fmt::format("{} lines of this log were lost: its output is "
                                                  "closed, full or not read fast enough",
                                                  lines)));
    });
    return [line, least, writer](LogLevel level, std::string_view message) {
        if (level >= least->load(std::memory_order_relaxed))
            writer->write(line(level, message));
    };
}

}  // namespace weir::cli
