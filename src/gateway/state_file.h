// The use of quotas as a file, so that a restart does not forget it.
#pragma once

#include <weir/engine_state.h>
#include <weir/result.h>
#include <weir/types.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace weir::gateway {

/// How often the file is written: every 2 s for a window of a minute.
Duration state_interval(Duration window);

/// `complete`: nothing will be used after this. `now_ms` is wall time, by which the next process
/// tells how old it is.
std::string state_text(const EngineState& state, bool complete, std::int64_t now_ms);
/// The error says why the text is of no use. Times that lie in the future by no more than clocks
/// differ count as now.
Result<EngineState> parse_state(std::string_view text, std::int64_t now_ms);

/// A regular file's text. Nothing: it is not there.
Result<std::optional<std::string>> read_whole(const std::string& path, std::size_t most_bytes);
/// Nothing: the file is not there.
Result<std::optional<EngineState>> read_state(const std::string& path, std::int64_t now_ms);
/// What was used of quotas before this start, as far as the file tells: what it found it logs. Of
/// another `window` than the configuration's it is of no use. `path` empty: none is kept.
EngineState state_before(const std::string& path, Duration window, std::int64_t now_ms,
                         const LogSink& log);
/// Whole or not at all, whatever happens meanwhile; readable by its owner alone.
Result<void> write_state(const std::string& path, std::string_view text);
/// Whether files can be made in the folder of `path`; the error says why not.
Result<void> can_write_state(const std::string& path);

/// Writes the file from a thread of its own, as long as something is used, and once more at the
/// end.
class StateKeeper {
public:
    using Take = std::function<EngineState()>;

    StateKeeper(std::string path, Duration every, Take take, LogSink log);
    /// Without a last word the file stays as it was written last.
    ~StateKeeper() = default;
    StateKeeper(const StateKeeper&) = delete;
    StateKeeper& operator=(const StateKeeper&) = delete;

    /// Nothing more is used from now on. Blocks on the disk.
    void finish();

private:
    void serve(const std::stop_token& stop);
    void write(bool complete);

    std::string path_;
    Duration every_;
    Take take_;
    LogSink log_;
    bool written_idle_ = false;
    bool failing_ = false;
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread thread_;  // last: uses all
};

}  // namespace weir::gateway
