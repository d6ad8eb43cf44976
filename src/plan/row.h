// One line of a trace, and who reads it.
#pragma once

#include "plan/trace.h"

namespace weir::plan {

/// A call with the times as the file has them: nanoseconds since the file's own epoch.
struct Row {
    std::int64_t written = 0;  ///< what the order of the lines goes by
    std::int64_t arrival = 0;
    TraceCall call;
};

enum class Fate : std::uint8_t { call, skipped };

/// Reads the lines of one format. Errors name the column and what is allowed; the line's number is
/// put before it by whoever asked.
class RowReader {
public:
    virtual ~RowReader() = default;
    virtual Result<Fate> read(std::string_view line, Row& row) = 0;
};

/// From a CSV's header line.
Result<std::unique_ptr<RowReader>> csv_reader(std::string_view header, Names& names);

/// weir's own access log, JSON lines as docs/operations.md has them.
std::unique_ptr<RowReader> access_log_reader(Names& names);

/// "..." cut to a length that an error can bear.
std::string shown(std::string_view text);

constexpr std::uint64_t kMostTokens = 100'000'000;

}  // namespace weir::plan
