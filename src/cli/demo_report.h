// What the demo measured, and what may be said about it.
#pragma once

#include "cli/demo_trace.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

/// How one call of one row ended. Times uncompressed.
struct DemoOutcome {
    std::uint32_t call = 0;  ///< index into the trace
    bool served = false;     ///< whole, and within the SDKs' 60 s
    double seconds = 0;      ///< until the caller had the answer, or knew that there is none
};

/// One row's story as it was counted.
struct DemoRow {
    std::string key;   ///< for --json
    std::string name;  ///< for people
    std::vector<DemoOutcome> outcomes;
    std::uint64_t refusals = 0;    ///< 429s its stand-ins gave, over quota
    std::uint64_t dead_calls = 0;  ///< calls its dead Region got while it was dead
};

/// A row's figures. Shares in 0..1, times in seconds; what does not exist is below zero. p50 and
/// p99 are of all calls: the time by which that share of them had its answer, infinite if it never
/// did. A way that fails half of its calls at once must not look fast.
struct DemoFigures {
    double calls = 0;
    double tokens = 0;
    double light = 0;
    double refusals_per_success = -1;
    double time_to_failure = -1;
    double p50 = -1;
    double p99 = -1;
    std::uint64_t dead_calls = 0;
};
DemoFigures figures_of(const DemoTrace& trace, const DemoRow& row);

struct DemoFacts {
    std::uint64_t seed = 0;
    std::string window;
    double compression = 10;
    double outage_from = 0;
    double outage_to = 0;
    double cpu_share = 0;  ///< of the machine, while it ran
    unsigned cores = 1;
};

/// The table, its legend and the closing lines, each computed from the figures.
std::string demo_text(const DemoTrace& trace, const DemoFacts& facts,
                      const std::vector<DemoRow>& rows);
std::string demo_json(const DemoTrace& trace, const DemoFacts& facts,
                      const std::vector<DemoRow>& rows);

/// The closing lines alone. Rows whose key begins with "weir" are held against the others.
std::vector<std::string> demo_conclusions(const std::vector<DemoRow>& rows,
                                          const std::vector<DemoFigures>& figures);

}  // namespace weir::cli
