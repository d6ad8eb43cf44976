#include "cli/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace weir::cli {

FileStates::State FileStates::look(const std::string& file) {
    struct stat info{};
    if (::stat(file.c_str(), &info) != 0) {
        return {};
    }
    return {.device = info.st_dev,
            .inode = info.st_ino,
            .size = static_cast<std::uint64_t>(info.st_size),
            .seconds = info.st_mtim.tv_sec,
            .nanoseconds = info.st_mtim.tv_nsec};
}

void FileStates::follow(const std::vector<std::string>& files) {
    States accepted;
    for (const auto& file : files) {
        const auto known = accepted_.find(file);
        accepted.emplace(file, known == accepted_.end() ? look(file) : known->second);
    }
    accepted_ = std::move(accepted);
    latest_ = accepted_;
}

bool FileStates::changed() {
    States now;
    for (const auto& [file, state] : accepted_) {
        now.emplace(file, look(file));
    }
    const bool settled = now == latest_;
    latest_ = std::move(now);
    if (!settled || latest_ == accepted_) {
        return false;
    }
    accepted_ = latest_;
    return true;
}

FileWatch::FileWatch(FileStates states, Duration every, Reload reload)
    : states_(std::move(states)),
      reload_(std::move(reload)),
      thread_([this, every](const std::stop_token& stop) { run(stop, every); }) {}

void FileWatch::run(const std::stop_token& stop, Duration every) {
    std::unique_lock lock(mutex_);
    while (!stopped_.wait_for(lock, stop, every, [] { return false; }) && !stop.stop_requested()) {
        if (states_.changed()) {
            states_.follow(reload_());
        }
    }
}

}  // namespace weir::cli
