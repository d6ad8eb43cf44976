// One command as a child of this process, for `weir run`: its signals, its stops, its exit code.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// What the command gets as this process got it. Take it before anything changes.
class Inherited {
public:
    /// Remembers it, and blocks every signal but those of a fault: threads made from here on leave
    /// signals to run_child().
    static Inherited take();
    /// Between fork and exec; async-signal-safe.
    void restore() const;

private:
    sigset_t mask_{};
    struct sigaction pipe_{};
    rlimit most_open_{};
    std::optional<std::vector<unsigned>> open_;  // descriptors from 3 on, ascending
};

struct ChildEnd {
    int code = 0;
    bool started = false;
};

/// Runs `command` in this process's group, so that the terminal treats both as one job. Signals
/// that somebody sends to this process go on to the command; those of the terminal reach it anyway.
/// Gives the exit code that a shell gives: the command's own, 128+n when signal n ended it, 127
/// when there is no such command, 126 when it cannot be executed (both told on standard error).
ChildEnd run_child(const std::vector<std::string>& command,
                   const std::vector<std::string>& environment, const Inherited& inherited);

}  // namespace weir::cli
