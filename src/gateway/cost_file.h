// The ledger of costs as a file, so that a restart does not forget it.
#pragma once

#include "observe/ledger.h"

#include <weir/result.h>
#include <weir/time.h>
#include <weir/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace weir::gateway {

/// The days of the file at `path`. Not there: none. The error says why it is of no use. `name`: as
/// parse_ledger() has it.
Result<observe::LedgerDays> read_costs(const std::string& path, std::string* name = nullptr);

/// At the start: what the file tells goes into the ledger, its name too. A file that is of no use
/// is renamed to `path`.broken, with one line in the log. False: it could not be renamed, and is
/// not to be written over.
bool take_costs(const std::string& path, observe::LedgerBook& ledger, const LogSink& log);

/// Writes the file from a thread of its own while costs come in, and once more at the end. What
/// came in since the last time, five seconds as a rule, is lost where the process is killed.
class CostKeeper {
public:
    CostKeeper(std::string path, Duration every, observe::LedgerBook& ledger, LogSink log);
    ~CostKeeper() = default;
    CostKeeper(const CostKeeper&) = delete;
    CostKeeper& operator=(const CostKeeper&) = delete;

    /// Nothing more is added from now on. Blocks on the disk.
    void finish();

private:
    void serve(const std::stop_token& stop);
    void write();

    std::string path_;
    Duration every_;
    observe::LedgerBook& ledger_;
    LogSink log_;
    std::uint64_t written_ = 0;  // LedgerBook::changes() then
    bool failing_ = false;
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread thread_;  // last: uses all
};

}  // namespace weir::gateway
