// The program's own log: what the library and the commands have to say, to stderr.
#pragma once

#include <weir/config.h>
#include <weir/types.h>

#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace weir::cli {

/// A sink that may be called from any thread and never blocks on a full pipe (lines are dropped
/// then). Text on a terminal, JSON lines otherwise, unless the format says which.
/// `least`: the level below which nothing is written, where it may change; null: config.level.
/// `descriptor` must stay open as long as the sink lives.
LogSink make_log(const LogConfig& config,
                 std::shared_ptr<const std::atomic<LogLevel>> least = nullptr,
                 int descriptor = STDERR_FILENO);

std::string_view level_name(LogLevel level);

/// One line without its newline; any bytes are safe in `message`.
std::string format_log_line(LogLevel level, std::string_view message, std::int64_t unix_ms,
                            bool json);

}  // namespace weir::cli
