#include "gateway/cost_file.h"

#include "gateway/state_file.h"
#include "observe/ledger_text.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <utility>

namespace weir::gateway {
namespace {

constexpr std::size_t kMostBytes = 64UL << 20;
/// Of the time between two writes, the most that one may take.
constexpr int kWritesShare = 20;

}  // namespace

Result<observe::LedgerDays> read_costs(const std::string& path, std::string* name) {
    const auto text = read_whole(path, kMostBytes);
    if (!text) {
        return std::unexpected(text.error());
    }
    return *text ? observe::parse_ledger(**text, name) : observe::LedgerDays();
}

bool take_costs(const std::string& path, observe::LedgerBook& ledger, const LogSink& log) {
    const auto say = [&](LogLevel level, const std::string& what) {
        if (log) {
            log(level, "costs.file: " + path + what);
        }
    };
    std::string name;
    auto days = read_costs(path, &name);
    if (days) {
        if (!name.empty()) {
            ledger.set_name(std::move(name));
        }
        if (!days->empty()) {
            say(LogLevel::info, " tells the costs of " + std::to_string(days->size()) + " days");
        }
        ledger.take(*days);
        return true;
    }
    const std::string aside = path + ".broken";
    const bool renamed = std::rename(path.c_str(), aside.c_str()) == 0;
    const std::error_code why(errno, std::system_category());
    say(LogLevel::warn,
        " is not used, because " + days.error().message +
            (renamed ? "; it is now " + aside + ", and costs are counted from nothing"
                     : "; it cannot be renamed (" + why.message() +
                           "), so costs are counted from nothing and not kept"));
    return renamed;
}

CostKeeper::CostKeeper(std::string path, Duration every, observe::LedgerBook& ledger, LogSink log)
    : path_(std::move(path)),
      every_(every),
      ledger_(ledger),
      log_(std::move(log)),
      written_(ledger.changes()),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

void CostKeeper::serve(const std::stop_token& stop) {
    using Clock = std::chrono::steady_clock;
    Duration pause = every_;
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        stopped_.wait_for(lock, stop, pause, [] { return false; });
        if (stop.stop_requested()) {
            return;
        }
        const auto began = Clock::now();
        write();
        pause = std::max<Duration>(every_, (Clock::now() - began) * kWritesShare);
    }
}

void CostKeeper::finish() {
    thread_.request_stop();
    if (thread_.joinable()) {
        thread_.join();
        write();
    }
}

void CostKeeper::write() {
    const std::uint64_t changes = ledger_.changes();
    if (changes == written_ && !failing_) {
        return;
    }
    const auto written = write_state(path_, observe::ledger_text(ledger_.days(), ledger_.name()));
    if (written) {
        written_ = changes;
    }
    if (!written && !failing_ && log_) {
        log_(LogLevel::warn, "costs.file: " + written.error().message +
                                 "; weir goes on, and tries again every few seconds");
    }
    if (written && failing_ && log_) {
        log_(LogLevel::info, "costs.file: " + path_ + " is written again");
    }
    failing_ = !written;
}

}  // namespace weir::gateway
