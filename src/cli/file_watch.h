// Notices that files have changed, by looking at them again and again: for `watch: true`.
#pragma once

#include <weir/types.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::cli {

/// The states of some files as of the last look. A file that is absent has a state as well. A
/// symbolic link counts as what it leads to, which is how Kubernetes replaces a mounted file.
class FileStates {
public:
    /// Keeps what is known of those that stay, and looks at the others.
    void follow(const std::vector<std::string>& files);
    /// True once for each change, when the files have stayed as they are since the last look. By
    /// then a program that writes several files, or one slowly, has finished.
    bool changed();

private:
    struct State {
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t seconds = 0, nanoseconds = 0;
        bool operator==(const State&) const = default;
    };
    using States = std::map<std::string, State>;

    static State look(const std::string& file);

    States accepted_;  // that changed() has told
    States latest_;
};

/// Looks every `every`, on a thread of its own. `reload` tells which files to watch from then on.
class FileWatch {
public:
    using Reload = std::function<std::vector<std::string>()>;
    FileWatch(FileStates states, Duration every, Reload reload);

private:
    void run(const std::stop_token& stop, Duration every);

    FileStates states_;
    Reload reload_;
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread thread_;  // last: uses all
};

}  // namespace weir::cli
