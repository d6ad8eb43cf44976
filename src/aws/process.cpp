#include "aws/process.h"

#include "aws/text.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace weir::aws {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostOutput = 64 * 1024;
constexpr std::size_t kMostErrors = 4 * 1024;
constexpr int kPollMs = 50;

/// Owns one descriptor.
class Fd {
public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { close(); }
    int get() const { return fd_; }
    void close() {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

private:
    int fd_;
};

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
        return failure(std::string("pipe: ") + std::strerror(errno));
    }
    ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
    Pipe made;
    made.read = Fd(fds[0]);
    made.write = Fd(fds[1]);
    return made;
}

/// The command runs in a group of its own, so that what it started can be killed with it, and with
/// the signals of a fresh process: the gateway's own mask is not its business.
Result<pid_t> spawn(const std::string& command, int out, int err) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string shell = "sh";
    std::string option = "-c";
    std::string text = command;
    std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
    pid_t pid = -1;
    int error = ::posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        return failure(std::string("cannot run /bin/sh: ") + std::strerror(error));
    }
    return pid;
}

/// Appends what is there to read; keeps at most `most` bytes and one more, so that excess shows,
/// and throws the rest away. False at the end of the stream.
bool drain(int fd, std::string& into, std::size_t most) {
    std::array<char, 4096> block{};
    for (int reads = 0; reads < 16; ++reads) {  // bounded: it may write for ever
        ssize_t n = ::read(fd, block.data(), block.size());
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        std::size_t room = most + 1 - into.size();
        into.append(block.data(), std::min(static_cast<std::size_t>(n), room));
    }
    return true;
}

/// The child, until it has been waited for: destroying it kills its group.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (!ended_) {
            ::kill(-pid_, SIGKILL);
            while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
            }
        }
    }

    bool ended() {
        if (!ended_) {
            pid_t got = ::waitpid(pid_, &status_, WNOHANG);
            ended_ = got == pid_ || (got < 0 && errno == ECHILD);
        }
        return ended_;
    }

    /// Why its end was not a success; empty if it was.
    std::string complaint() const {
        if (WIFSIGNALED(status_)) {
            return "killed by signal " + std::to_string(WTERMSIG(status_));
        }
        int code = WEXITSTATUS(status_);
        return code == 0 ? "" : "exit status " + std::to_string(code);
    }

private:
    pid_t pid_;
    int status_ = 0;
    bool ended_ = false;
};

}  // namespace

Result<std::string> run_command(const std::string& command, std::chrono::milliseconds timeout,
                                const std::atomic<bool>& stop) {
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err) {
        return failure(!out ? out.error().message : err.error().message);
    }
    auto pid = spawn(command, out->write.get(), err->write.get());
    if (!pid) {
        return std::unexpected(pid.error());
    }
    out->write.close();
    err->write.close();
    Child child(*pid);
    std::string output;
    std::string errors;
    const auto deadline = Clock::now() + timeout;
    bool out_open = true;
    bool err_open = true;
    // The child's end is the end: a grandchild that keeps the pipe open is not waited for.
    for (bool ended = false; !ended;) {
        std::array<pollfd, 2> fds{pollfd{out_open ? out->read.get() : -1, POLLIN, 0},
                                  pollfd{err_open ? err->read.get() : -1, POLLIN, 0}};
        ::poll(fds.data(), fds.size(), kPollMs);
        ended = child.ended();
        out_open = out_open && drain(out->read.get(), output, kMostOutput);
        err_open = err_open && drain(err->read.get(), errors, kMostErrors);
        if (output.size() > kMostOutput) {
            return failure("wrote more than 64 KiB");
        }
        if (!ended && stop.load()) {
            return failure("stopped");
        }
        if (!ended && Clock::now() >= deadline) {
            return failure("no end within " + std::to_string(timeout.count() / 1000) + " s");
        }
    }
    if (std::string why = child.complaint(); !why.empty()) {
        std::string said = excerpt(errors);
        return failure(said.empty() ? why : why + ": " + said);
    }
    return output;
}

}  // namespace weir::aws
