// A trace of traffic: who asked what and when, read row by row.
#pragma once

#include <weir/result.h>
#include <weir/time.h>
#include <weir/types.h>

#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::plan {

/// Names by number. At most 2,000 are told apart; further ones share the number of `other`, so
/// that a trace with a name a row cannot fill the memory.
class Names {
public:
    static constexpr std::uint32_t kNone = 0;   ///< the empty name
    static constexpr std::uint32_t kOther = 1;  ///< "other"

    Names();
    std::uint32_t number(std::string_view name);
    const std::string& name(std::uint32_t number) const { return names_[number]; }
    std::size_t size() const { return names_.size(); }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const {
            return std::hash<std::string_view>{}(s);
        }
    };
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
};

/// One call of the trace. What it will turn out to produce is known to the service alone.
struct TraceCall {
    Duration at{};             ///< arrival; since the trace's first, once a TraceReader gave it out
    std::uint32_t client = 0;  ///< Names
    std::uint32_t model = 0;   ///< Names; kNone: the row does not say
    std::uint64_t input = 0;   ///< tokens that count at the end: fresh ones and cache writes
    std::uint64_t cached = 0;  ///< cache reads: held at the start, free at the end
    std::uint64_t output = 0;
    std::uint64_t max_tokens = 0;      ///< 0: the row does not say
    std::optional<Priority> priority;  ///< unset: the row does not say
    bool stream = false;
    Duration first{};  ///< from the service's start to a stream's first token; 0: not known
    Duration whole{};  ///< from the service's start to the complete answer; 0: not known
};

/// What a trace may hold besides calls.
struct TraceNotes {
    std::uint64_t rows = 0;              ///< lines that were calls
    std::uint64_t skipped = 0;           ///< lines of an access log without usage
    std::uint64_t bad = 0;               ///< lines that could not be read and were left out
    std::vector<std::string> first_bad;  ///< why, of the first three, with their numbers
    bool access_log = false;
};

/// How far apart the order of rows and the order of arrivals may be.
struct TraceOptions {
    std::string name = "trace";  ///< stands before the line number in errors
    /// How far behind the newest row a call may have arrived; unset: 1 min for CSV, and 15 min for
    /// an access log, whose lines are written when calls end.
    std::optional<Duration> sort_window;
};

/// Gives out the calls of a trace in order of arrival, the first at 0.
///
/// Memory holds the rows of one sort window, whatever the length of the trace. The format is told
/// by the first line: `{` begins an access log, anything else is the header of a CSV.
class TraceReader {
public:
    /// `names` must outlive the reader; several readers may share it.
    TraceReader(std::unique_ptr<std::istream> input, TraceOptions options, Names& names);
    ~TraceReader();
    TraceReader(TraceReader&&) noexcept;
    TraceReader& operator=(TraceReader&&) noexcept;

    /// False: the trace is over. An error names the line, the column and what is allowed. Lines
    /// that cannot be read are left out and noted while they are at most one in a hundred; a last
    /// line that was torn off counts for none.
    Result<bool> next(TraceCall& call);

    const TraceNotes& notes() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// A trace that can be read from its beginning as often as needed.
using OpenTrace = std::function<Result<TraceReader>()>;

}  // namespace weir::plan
