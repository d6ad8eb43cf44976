#include "cli/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

namespace weir::cli {
namespace {

constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kSignalled = 128;

/// All but those of a fault, which have to end the process.
sigset_t waited_for() {
    sigset_t signals;
    sigfillset(&signals);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
        sigdelset(&signals, fault);
    }
    return signals;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (const auto& text : texts) {
        all.push_back(const_cast<char*>(text.c_str()));
    }
    all.push_back(nullptr);
    return all;
}

/// The child's half. Other threads exist in the parent, so only async-signal-safe calls.
[[noreturn]] void become(char* const* command, char* const* environment, const Inherited& inherited,
                         pid_t parent, int report) {
    // Without the gateway the command's calls would fail: kill -9 of weir ends it as well.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) {
        ::_exit(kSignalled + SIGTERM);
    }
    inherited.restore();
    ::execvpe(command[0], command, environment);
    const int error = errno;
    (void)!::write(report, &error, sizeof error);
    ::_exit(error == ENOENT ? kNotFound : kNotExecutable);
}

/// What is open from 3 on, ascending; nullopt: nobody tells.
std::optional<std::vector<unsigned>> open_descriptors() {
    std::vector<unsigned> found;
    std::error_code error;
    for (std::filesystem::directory_iterator file("/proc/self/fd", error), end;
         !error && file != end; file.increment(error)) {
        const auto name = file->path().filename().string();
        unsigned n = 0;
        std::from_chars(name.data(), name.data() + name.size(), n);
        found.push_back(n);
    }
    if (error) {
        return std::nullopt;
    }
    // That of the list itself is closed by now.
    std::erase_if(found, [](unsigned n) {
        return n <= STDERR_FILENO || ::fcntl(static_cast<int>(n), F_GETFD) < 0;
    });
    std::ranges::sort(found);
    return found;
}

/// Async-signal-safe. Kernels before 5.11 do not know it: there a descriptor that a library opens
/// in the moment of the fork is the command's as well.
void close_on_exec(unsigned first, unsigned last) {
    (void)::close_range(first, last, CLOSE_RANGE_CLOEXEC);
}

/// Stops this process as signal `n` does, until somebody continues it.
void stop_by(int n) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, n);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    ::raise(n);
    pthread_sigmask(SIG_BLOCK, &one, nullptr);
}

class Waiting {
public:
    explicit Waiting(pid_t child) : child_(child) {}

    /// Until the command ends: its exit code.
    int run() {
        const sigset_t signals = waited_for();
        for (;;) {
            if (const auto code = look()) {
                return *code;
            }
            // The job stops as a whole, when the command has: it may restore the terminal first,
            // or refuse.
            if (stopped_ && stop_ != 0) {
                stop_by(std::exchange(stop_, 0));
            }
            siginfo_t info{};
            const int n = ::sigwaitinfo(&signals, &info);
            if (n > 0 && n != SIGCHLD) {
                take(n, info);
            }
        }
    }

private:
    std::optional<int> look() {
        for (;;) {
            int status = 0;
            const pid_t got = ::waitpid(whose_, &status, WNOHANG | WUNTRACED | WCONTINUED);
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                return std::nullopt;
            }
            if (got != child_) {
                continue;
            }
            if (WIFEXITED(status)) {
                return WEXITSTATUS(status);
            }
            if (WIFSIGNALED(status)) {
                return kSignalled + WTERMSIG(status);
            }
            stopped_ = WIFSTOPPED(status);
        }
    }

    void take(int n, const siginfo_t& info) {
        if (n == SIGTSTP || n == SIGTTIN || n == SIGTTOU) {
            stop_ = n;
        } else if (n == SIGCONT) {
            stop_ = 0;
        }
        // The kernel's own are the terminal's, which go to the whole group. What the command sends
        // to its group is not for itself a second time.
        const bool sent = info.si_code <= 0;
        if (sent && info.si_pid != child_) {
            ::kill(child_, n);
        }
    }

    pid_t child_;
    /// As the first process of a container it is the parent of all that the command leaves behind.
    pid_t whose_ = ::getpid() == 1 ? -1 : child_;
    bool stopped_ = false;
    int stop_ = 0;  // the signal that asked this process to stop; 0: none
};

}  // namespace

Inherited Inherited::take() {
    Inherited inherited;
    const sigset_t signals = waited_for();
    pthread_sigmask(SIG_BLOCK, &signals, &inherited.mask_);
    ::sigaction(SIGPIPE, nullptr, &inherited.pipe_);
    ::getrlimit(RLIMIT_NOFILE, &inherited.most_open_);
    inherited.open_ = open_descriptors();
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGCHLD, SIG_DFL);  // ignored, there would be no exit code
    return inherited;
}

void Inherited::restore() const {
    if (open_) {  // libraries, and streams of C++, open files that an exec does not close
        unsigned own = STDERR_FILENO + 1;
        for (const unsigned descriptor : *open_) {
            if (descriptor > own) {
                close_on_exec(own, descriptor - 1);
            }
            own = descriptor + 1;
        }
        close_on_exec(own, std::numeric_limits<unsigned>::max());
    }
    ::setrlimit(RLIMIT_NOFILE, &most_open_);
    ::sigaction(SIGPIPE, &pipe_, nullptr);
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
}

ChildEnd run_child(const std::vector<std::string>& command,
                   const std::vector<std::string>& environment, const Inherited& inherited) {
    const auto words = pointers(command);
    const auto variables = pointers(environment);
    std::array<int, 2> report{};
    if (::pipe2(report.data(), O_CLOEXEC) != 0) {
        std::cerr << "weir run: no pipe: " << std::strerror(errno) << '\n';
        return {.code = EXIT_FAILURE};
    }
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        become(words.data(), variables.data(), inherited, parent, report[1]);
    }
    const int fork_error = errno;
    ::close(report[1]);
    int exec_error = 0;
    if (child > 0) {
        while (::read(report[0], &exec_error, sizeof exec_error) < 0 && errno == EINTR) {
        }
    }
    ::close(report[0]);
    if (child < 0) {
        std::cerr << "weir run: no process: " << std::strerror(fork_error) << '\n';
        return {.code = EXIT_FAILURE};
    }
    if (exec_error != 0) {
        std::cerr << "weir run: " << command.front() << ": " << std::strerror(exec_error) << '\n';
    }
    return {.code = Waiting(child).run(), .started = exec_error == 0};
}

}  // namespace weir::cli
