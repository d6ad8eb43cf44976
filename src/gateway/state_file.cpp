#include "gateway/state_file.h"

#include "gateway/clock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

namespace weir::gateway {
namespace {

constexpr std::size_t kMostState = 8 << 20;
constexpr Duration kMostOften = std::chrono::milliseconds(100);
constexpr Duration kLeastOften = std::chrono::seconds(2);
constexpr int kWritesAWindow = 30;

std::string why() {
    return std::system_category().message(errno);
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    bool good() const { return fd_ >= 0; }
    /// Says what close() says: some file systems report a full disk no sooner.
    bool close() { return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0; }

private:
    int fd_;
};

std::string folder_of(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

/// Nothing has been used within a window: until something is, there is nothing new to write.
bool is_idle(const EngineState& state) {
    return std::ranges::all_of(state.pools, [](const EngineState::Pool& pool) {
        return !pool.throttled &&
               std::ranges::all_of(pool.meters, [](const EngineState::Meter& meter) {
                   return meter.kind == LimitKind::daily_tokens || meter.used.empty();
               });
    });
}

}  // namespace

Duration state_interval(Duration window) {
    return std::clamp<Duration>(window / kWritesAWindow, kMostOften, kLeastOften);
}

Result<std::optional<std::string>> read_whole(const std::string& path, std::size_t most_bytes) {
    // No waiting for the other end of a pipe.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.good()) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        return failure("it cannot be read: " + why());
    }
    struct stat about{};
    if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
        return failure("it is no regular file");
    }
    if (static_cast<std::size_t>(about.st_size) > most_bytes) {
        return failure("it is larger than " + std::to_string(most_bytes >> 20U) + " MiB");
    }
    std::string text(static_cast<std::size_t>(about.st_size), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const auto got = ::read(file.get(), text.data() + have, text.size() - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        have += static_cast<std::size_t>(got);
    }
    text.resize(have);
    return std::optional(std::move(text));
}

Result<std::optional<EngineState>> read_state(const std::string& path, std::int64_t now_ms) {
    const auto text = read_whole(path, kMostState);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text) {
        return std::nullopt;
    }
    auto state = parse_state(**text, now_ms);
    if (!state) {
        return std::unexpected(state.error());
    }
    return std::optional(std::move(*state));
}

EngineState state_before(const std::string& path, Duration window, std::int64_t now_ms,
                         const LogSink& log) {
    const auto say = [&](LogLevel level, const std::string& what) {
        if (log) {
            log(level, "state_file: " + path + what);
        }
    };
    constexpr std::string_view kUnknown = "; what was used of quotas before is not known";
    if (path.empty()) {
        return {};
    }
    auto read = read_state(path, now_ms);
    if (read && *read && (*read)->window != window) {
        read = failure("it is of another quota_window");
    }
    if (!read) {
        say(LogLevel::warn,
            " is not used, because " + read.error().message + std::string(kUnknown));
        return {};
    }
    if (!*read) {
        say(LogLevel::info, " is not there yet" + std::string(kUnknown));
        return {};
    }
    say(LogLevel::info, " tells the use of " + std::to_string((*read)->pools.size()) +
                            " quotas, as of " + std::to_string(to_ms((*read)->age) / 1000) +
                            " s ago");
    return std::move(**read);
}

Result<void> write_state(const std::string& path, std::string_view text) {
    const std::string unfinished = path + ".tmp";
    Descriptor file(::open(unfinished.c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                           S_IRUSR | S_IWUSR));
    if (!file.good()) {
        return failure("cannot write " + unfinished + ": " + why());
    }
    // It may be left from a process with another mask.
    if (::fchmod(file.get(), S_IRUSR | S_IWUSR) != 0 || !write_all(file.get(), text) ||
        ::fsync(file.get()) != 0 || !file.close() ||
        ::rename(unfinished.c_str(), path.c_str()) != 0) {
        auto error = "cannot write " + path + ": " + why();
        ::unlink(unfinished.c_str());
        return failure(std::move(error));
    }
    // The new name, too, is to outlive a power cut.
    const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.good()) {
        ::fsync(folder.get());
    }
    return {};
}

Result<void> can_write_state(const std::string& path) {
    struct stat about{};
    if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) {
        return failure("'" + path + "' is no regular file");
    }
    const auto folder = folder_of(path);
    if (::stat(folder.c_str(), &about) != 0) {
        return failure("the folder '" + folder + "' cannot be used: " + why());
    }
    if (!S_ISDIR(about.st_mode)) {
        return failure("'" + folder + "' is no folder");
    }
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        return failure("no file can be made in the folder '" + folder + "': " + why());
    }
    return {};
}

StateKeeper::StateKeeper(std::string path, Duration every, Take take, LogSink log)
    : path_(std::move(path)),
      every_(every),
      take_(std::move(take)),
      log_(std::move(log)),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

void StateKeeper::serve(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        stopped_.wait_for(lock, stop, every_, [] { return false; });
        if (!stop.stop_requested()) {
            write(false);
        }
    }
}

void StateKeeper::finish() {
    thread_.request_stop();
    if (thread_.joinable()) {
        thread_.join();
        write(true);
    }
}

void StateKeeper::write(bool complete) {
    const EngineState state = take_();
    const bool idle = is_idle(state);
    if (idle && written_idle_ && !complete) {
        return;
    }
    const auto written = write_state(path_, state_text(state, complete, unix_ms()));
    written_idle_ = written && idle;
    if (!written && !failing_ && log_) {
        log_(LogLevel::warn, "state_file: " + written.error().message +
                                 "; weir goes on, and tries again while quotas are used");
    }
    if (written && failing_ && log_) {
        log_(LogLevel::info, "state_file: " + path_ + " is written again");
    }
    failing_ = !written;
}

}  // namespace weir::gateway
