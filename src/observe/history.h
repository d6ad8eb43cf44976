// The past of some figures in bounded memory: an hour in fine steps, a day in coarse ones. Pure:
// the time is an argument.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// How several values of one step become one.
enum class Fold : std::uint8_t { mean, highest };

struct Column {
    std::string_view name;
    Fold fold = Fold::mean;
};

/// One ring: `points` steps of `step` seconds.
struct HistorySpan {
    std::string_view name;
    std::int64_t step = 1;
    std::size_t points = 1;
};
inline constexpr std::array kHistorySpans{HistorySpan{"hour", 5, 720},
                                          HistorySpan{"day", 300, 288}};
/// Nullptr: there is none of that name.
const HistorySpan* history_span(std::string_view name);

/// A table with one row a subject (a target, a client) and the same columns for all of them.
///
/// Invariant: at most `most_rows` rows, each of the same size. If a new subject finds no room, it
/// takes the place of the one that was last seen longest ago, provided that this one is not among
/// the subjects of the same moment; else it has no history and counts in left_out(). Not
/// thread-safe.
class History {
public:
    using Values = std::map<std::string, std::vector<float>, std::less<>>;

    /// `columns` outlive it.
    History(std::span<const Column> columns, std::size_t most_rows);

    /// What each subject has now; `at` in seconds since 1970. If the clock goes back, the value
    /// counts for the latest step. A subject that is not in `values` has a gap.
    void add(const Values& values, std::int64_t at);

    struct Series {
        std::int64_t end = 0;  ///< the beginning of the last step, in seconds since 1970
        std::int64_t step = 1;
        /// By column, the oldest value first; not a number where nothing is known.
        std::vector<std::vector<float>> values;
    };
    /// Of `span`, one of kHistorySpans. Nullopt: the subject has no history.
    std::optional<Series> read(std::string_view subject, const HistorySpan& span) const;

    std::span<const Column> columns() const { return columns_; }
    std::size_t rows() const { return rows_.size(); }
    std::uint64_t left_out() const { return left_out_; }
    /// Of the figures themselves, names and maps aside.
    std::size_t bytes() const { return rows_.size() * row_bytes(); }
    std::size_t most_bytes() const { return most_rows_ * row_bytes(); }

private:
    /// Values of one span, all columns of a step beside each other.
    struct Ring {
        std::vector<float> values;
        std::int64_t last = -1;    ///< number of the latest step since 1970; -1: none
        std::uint32_t folded = 0;  ///< values in the latest step
    };
    struct Row {
        std::array<Ring, kHistorySpans.size()> rings;
        std::int64_t seen = 0;
    };

    std::size_t row_bytes() const;
    Row* row_for(const std::string& subject, std::int64_t at);
    void put(Ring& ring, const HistorySpan& span, const std::vector<float>& values,
             std::int64_t at) const;

    std::span<const Column> columns_;
    std::size_t most_rows_;
    std::map<std::string, Row, std::less<>> rows_;
    std::int64_t latest_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace weir::observe
