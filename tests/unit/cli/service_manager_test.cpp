// What systemd gets, over a real datagram socket.

#include "cli/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>

namespace weir::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The service manager's end.
class Manager {
public:
    explicit Manager(std::string name) : name_(std::move(name)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        if (name_.front() == '@') {
            address.sun_path[0] = '\0';
        }
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        const timeval longest{10, 0};  // a message that does not come fails the test
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
        bound_ = ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0;
    }
    ~Manager() {
        ::close(fd_);
        if (name_.front() == '/') {
            std::filesystem::remove(name_);
        }
    }
    bool bound() const { return bound_; }
    const std::string& name() const { return name_; }
    std::string next() const {
        std::array<char, 1000> text{};
        const auto size = ::recv(fd_, text.data(), text.size(), 0);
        return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
    }

private:
    std::string name_;
    int fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool bound_ = false;
};

Getenv variables(std::map<std::string, std::string> all) {
    return [all = std::move(all)](const std::string& name) {
        const auto found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional(found->second);
    };
}

std::vector<std::string> names() {
    const std::string own = "weir-test-" + std::to_string(::getpid());
    return {(std::filesystem::temp_directory_path() / own).string(), "@" + own};
}

TEST(ServiceManager, EveryStateByPathAndByAbstractName) {
    for (const auto& name : names()) {
        const Manager systemd(name);
        ASSERT_TRUE(systemd.bound()) << name;
        ServiceManager manager(variables({{"NOTIFY_SOCKET", name}}), {});
        manager.ready("listens");
        EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=listens");
        manager.reloading();
        const auto reloading = systemd.next();
        EXPECT_TRUE(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << reloading;
        manager.stopping(seconds(31));
        EXPECT_TRUE(systemd.next().starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=31000000\n"));
        EXPECT_EQ(manager.watchdog(), std::nullopt);
    }
}

TEST(ServiceManager, TheWatchdogIsToldWhileTheGatewayLives) {
    const Manager systemd(names().back());
    ASSERT_TRUE(systemd.bound());
    ServiceManager manager(
        variables({{"NOTIFY_SOCKET", systemd.name()}, {"WATCHDOG_USEC", "20000"}}), {});
    std::atomic<bool> lives{true};
    std::atomic<int> errors{0};
    std::atomic<int> told_dead{0};
    {
        const WatchdogThread thread(
            manager,
            [&](Duration within) {
                EXPECT_EQ(within, milliseconds(5));
                if (!lives) {
                    ++told_dead;
                }
                return lives.load();
            },
            [&](LogLevel level, std::string_view) { errors += level == LogLevel::error; });
        EXPECT_EQ(systemd.next(), "WATCHDOG=1");
        EXPECT_EQ(systemd.next(), "WATCHDOG=1");
        lives = false;
        while (told_dead < 3) {
            std::this_thread::sleep_for(milliseconds(1));
        }
    }
    EXPECT_GE(errors, 2);
    manager.ready("");
    std::string state = systemd.next();
    for (int i = 0; state == "WATCHDOG=1" && i < 1000; ++i) {  // from before it was dead
        state = systemd.next();
    }
    EXPECT_EQ(state, "READY=1\nSTATUS=");
}

TEST(ServiceManager, TheWatchdogOfAnotherProcessIsNotOurs) {
    const auto watchdog = [](std::map<std::string, std::string> more) {
        more.emplace("NOTIFY_SOCKET", "/nowhere");
        return ServiceManager(variables(std::move(more)), {}).watchdog();
    };
    EXPECT_EQ(watchdog({{"WATCHDOG_USEC", "1000000"}, {"WATCHDOG_PID", "1"}}), std::nullopt);
    EXPECT_EQ(
        watchdog({{"WATCHDOG_USEC", "1000000"}, {"WATCHDOG_PID", std::to_string(::getpid())}}),
        seconds(1));
    EXPECT_EQ(watchdog({{"WATCHDOG_USEC", "soon"}}), std::nullopt);
    EXPECT_EQ(watchdog({}), std::nullopt);
}

TEST(ServiceManager, WithoutASocketItIsSilentAndABadOneIsAWarning) {
    int warnings = 0;
    const LogSink log = [&](LogLevel, std::string_view) { ++warnings; };
    ServiceManager(variables({}), log).ready("x");
    EXPECT_EQ(warnings, 0);
    for (const auto& bad : {std::string("relative"), std::string("/nonexistent/socket"),
                            "/" + std::string(200, 'x')}) {
        ServiceManager(variables({{"NOTIFY_SOCKET", bad}}), log).ready("x");
    }
    EXPECT_EQ(warnings, 3);
}

}  // namespace
}  // namespace weir::cli
