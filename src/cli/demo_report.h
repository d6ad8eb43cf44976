// What the demo measured, for people, for programs and as a picture.
#pragma once

#include "cli/demo_trace.h"

#include <weir/result.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// A time that is beyond all others: of what did not come.
inline constexpr double kNever = std::numeric_limits<double>::infinity();

constexpr double as_double(std::uint64_t value) {
    return static_cast<double>(value);
}

/// How one call of one row ended. Times uncompressed.
struct DemoOutcome {
    std::uint32_t call = 0;  ///< index into the trace
    bool served = false;     ///< whole, and within the SDKs' 60 s
    double seconds = 0;      ///< until the caller had the answer, or the error
};

/// One row as it was counted while it ran.
struct DemoRow {
    std::string key;   ///< for --json
    std::string name;  ///< for people
    std::vector<DemoOutcome> outcomes;
    std::uint64_t refusals = 0;    ///< 429s its stand-ins gave, over quota
    std::uint64_t dead_calls = 0;  ///< calls its dead Region got while it was dead
};

/// The calls that arrived in one slot of time.
struct DemoSlot {
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
};

/// A row's figures. Shares in 0..1, times in seconds.
struct DemoFigures {
    std::string key;
    std::string name;
    std::uint64_t calls = 0;
    std::uint64_t answered = 0;
    double answered_tokens = 0;          ///< share of the tokens
    double answered_light = 0;           ///< share of the calls of all clients but the heavy one
    std::uint64_t refusals = 0;          ///< as in DemoRow
    std::uint64_t dead_calls = 0;        ///< as in DemoRow
    std::optional<double> error_p50{};   ///< until a caller had its error; unset: no errors
    std::optional<double> answer_p50{};  ///< until half of ALL calls had their answer, so that
    std::optional<double> answer_p90{};  ///< early errors do not look like speed; unset: that
    std::optional<double> answer_p99{};  ///< share of the calls never had one
    std::optional<double> light_p50{};   ///< as answer_p50, of the light clients' calls
    std::optional<double> light_p90{};   ///< as answer_p90, of the light clients' calls
    std::vector<DemoSlot> slots{};

    double answered_share() const;
    std::uint64_t errors() const { return calls - answered; }
    /// Calls that the service was sent and that brought nothing.
    std::uint64_t in_vain() const { return refusals + dead_calls; }
    std::optional<double> refusals_per_success() const;
    bool through_weir() const { return key.starts_with("weir"); }
};

/// What became, in one row, of the calls that another row failed.
struct DemoSameCalls {
    std::string failed_in;  ///< keys
    std::string seen_in;
    std::uint64_t failed = 0;
    std::uint64_t answered = 0;
    std::optional<double> answer_p50{};  ///< of those answered
};

struct DemoFacts {
    std::uint64_t seed = 0;
    std::string window{};
    double compression = 10;
    std::string home{};  ///< the Region that has the outage
    double outage_from = 0;
    double outage_to = 0;
    double cpu_share = 0;  ///< of the machine, while it ran
    unsigned cores = 1;
};

/// A whole run. All reports are made from this alone, so that JSON holds all of it.
struct DemoResult {
    DemoFacts facts;
    std::uint64_t calls = 0;
    double seconds = 0;                  ///< that calls arrived for
    std::vector<std::string> clients{};  ///< the heavy one first
    std::uint64_t tokens_per_minute = 0;
    double load = 0;
    double slot_seconds = 0;
    std::vector<DemoFigures> rows{};
    /// The first row with weir against each row without, in both directions.
    std::vector<DemoSameCalls> same_calls{};

    const DemoFigures* row(std::string_view key) const;
};
DemoResult demo_result(const DemoTrace& trace, const DemoFacts& facts,
                       const std::vector<DemoRow>& rows);

/// The table, the gains and costs, what became of the same calls, a legend.
std::string demo_text(const DemoResult& result);
std::string demo_json(const DemoResult& result);
/// Each row's calls over time, answered or failed, and its figures.
std::string demo_svg(const DemoResult& result);

/// Reads what demo_json wrote. The error says which member is missing or wrong.
Result<DemoResult> read_demo_json(std::string_view text);

/// The best figure of the rows with weir beside the best without, one line a figure: "gain",
/// "even" or "cost", in this order.
std::vector<std::string> demo_comparison(const DemoResult& result);

/// "12.1 s", or `missing` where there is no such time.
std::string demo_seconds(const std::optional<double>& value, const char* missing);

}  // namespace weir::cli
