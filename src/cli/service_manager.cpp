#include "cli/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>

namespace weir::cli {
namespace {

using std::chrono::microseconds;

std::optional<std::int64_t> number(const std::optional<std::string>& text) {
    std::int64_t value = 0;
    if (!text ||
        std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) {
        return std::nullopt;
    }
    return value;
}

std::int64_t monotonic_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

Result<void> notify(const std::string& socket, std::string_view state) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.empty() || (socket.front() != '/' && socket.front() != '@') ||
        socket.size() >= sizeof address.sun_path) {
        return failure("`" + socket.substr(0, 120) + "` is no socket's path or abstract name");
    }
    std::memcpy(address.sun_path, socket.data(), socket.size());
    if (socket.front() == '@') {
        address.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return failure(std::strerror(errno));
    }
    const auto sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&address), size);
    const int error = errno;
    ::close(fd);
    if (sent < 0) {
        return failure(socket + ": " + std::strerror(error));
    }
    return {};
}

ServiceManager::ServiceManager(const Getenv& getenv, LogSink log)
    : socket_(getenv("NOTIFY_SOCKET").value_or("")), log_(std::move(log)) {
    const auto usec = number(getenv("WATCHDOG_USEC"));
    const auto pid = number(getenv("WATCHDOG_PID"));
    if (!socket_.empty() && usec && *usec > 0 && (!pid || *pid == ::getpid())) {
        watchdog_ = microseconds(*usec);
    }
}

void ServiceManager::ready(std::string_view status) {
    tell("READY=1\nSTATUS=" + std::string(status));
}

void ServiceManager::reloading() {
    tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_usec()) +
         "\nSTATUS=reading the configuration");
}

void ServiceManager::stopping(Duration longest) {
    const auto usec = std::chrono::duration_cast<microseconds>(longest).count();
    tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(usec) +
         "\nSTATUS=finishing the requests in flight");
}

void ServiceManager::alive() {
    tell("WATCHDOG=1");
}

void ServiceManager::tell(std::string_view state) {
    if (socket_.empty()) {
        return;
    }
    if (const auto told = notify(socket_, state); !told) {
        log_(LogLevel::warn, "NOTIFY_SOCKET: " + told.error().message);
    }
}

WatchdogThread::WatchdogThread(ServiceManager& manager, std::function<bool(Duration within)> lives,
                               LogSink log)
    : manager_(manager), lives_(std::move(lives)), log_(std::move(log)) {
    if (const auto interval = manager.watchdog()) {
        thread_ = std::jthread(
            [this, interval = *interval](const std::stop_token& stop) { run(stop, interval); });
    }
}

void WatchdogThread::run(const std::stop_token& stop, Duration interval) {
    while (!stop.stop_requested()) {
        if (lives_(interval / 4)) {
            manager_.alive();
        } else {
            log_(LogLevel::error, "a worker's loop has not turned for " +
                                      format_duration(interval / 4) + "; the watchdog is not told");
        }
        std::unique_lock lock(mutex_);
        stopped_.wait_for(lock, stop, interval / 2, [] { return false; });
    }
}

}  // namespace weir::cli
