// What systemd is told of a service with Type=notify: sd_notify(3), without its library.
#pragma once

#include "cli/config_file.h"

#include <weir/result.h>
#include <weir/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace weir::cli {

/// One datagram to `socket`: a path, or after `@` an abstract name.
Result<void> notify(const std::string& socket, std::string_view state);

/// Everything is a no-op where no service manager asks for it (NOTIFY_SOCKET is not set).
class ServiceManager {
public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    ServiceManager(const Getenv& getenv, LogSink log);

    void ready(std::string_view status);
    void reloading();
    /// A stop that may take as long as `longest`, whatever the unit's TimeoutStopSec.
    void stopping(Duration longest);

    /// How often a sign of life is due; nothing: no watchdog.
    std::optional<Duration> watchdog() const { return watchdog_; }
    void alive();

private:
    void tell(std::string_view state);

    std::string socket_;
    std::optional<Duration> watchdog_;
    LogSink log_;
};

/// Tells the service manager at half the time it allows that the gateway is alive, as long as
/// `lives` says so. It has its own thread, so that a long drain or reload is no silence.
class WatchdogThread {
public:
    /// `lives` gets the longest time it may take. All three outlive this.
    WatchdogThread(ServiceManager& manager, std::function<bool(Duration within)> lives,
                   LogSink log);

private:
    void run(const std::stop_token& stop, Duration interval);

    ServiceManager& manager_;
    std::function<bool(Duration)> lives_;
    LogSink log_;
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread thread_;  // last: uses all
};

}  // namespace weir::cli
