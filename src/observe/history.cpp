#include "observe/history.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::observe {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

}  // namespace

const HistorySpan* history_span(std::string_view name) {
    const auto* found = std::ranges::find(kHistorySpans, name, &HistorySpan::name);
    return found == kHistorySpans.end() ? nullptr : found;
}

History::History(std::span<const Column> columns, std::size_t most_rows)
    : columns_(columns), most_rows_(most_rows) {}

std::size_t History::row_bytes() const {
    std::size_t points = 0;
    for (const HistorySpan& span : kHistorySpans) {
        points += span.points;
    }
    return points * columns_.size() * sizeof(float);
}

History::Row* History::row_for(const std::string& subject, std::int64_t at) {
    if (const auto found = rows_.find(subject); found != rows_.end()) {
        return &found->second;
    }
    if (rows_.size() >= most_rows_) {
        const auto oldest =
            std::ranges::min_element(rows_, {}, [](const auto& row) { return row.second.seen; });
        if (oldest == rows_.end() || oldest->second.seen >= at) {
            return nullptr;
        }
        rows_.erase(oldest);
    }
    Row& row = rows_[subject];
    for (std::size_t i = 0; i < kHistorySpans.size(); ++i) {
        row.rings[i].values.assign(kHistorySpans[i].points * columns_.size(), kUnknown);
    }
    return &row;
}

void History::add(const Values& values, std::int64_t at) {
    latest_ = std::max(latest_, at);
    // Those that have a row already are seen before a new subject looks for the oldest.
    for (const auto& [subject, row] : values) {
        if (const auto found = rows_.find(subject); found != rows_.end()) {
            found->second.seen = latest_;
        }
    }
    for (const auto& [subject, row_values] : values) {
        Row* row = row_for(subject, latest_);
        if (row == nullptr) {
            ++left_out_;
            continue;
        }
        row->seen = latest_;
        for (std::size_t i = 0; i < kHistorySpans.size(); ++i) {
            put(row->rings[i], kHistorySpans[i], row_values, latest_);
        }
    }
}

void History::put(Ring& ring, const HistorySpan& span, const std::vector<float>& values,
                  std::int64_t at) const {
    const std::int64_t number = at / span.step;
    const auto points = static_cast<std::int64_t>(span.points);
    const auto cell = [&](std::int64_t step) {
        return ring.values.begin() + (step % points) * static_cast<std::int64_t>(columns_.size());
    };
    if (number > ring.last) {
        // Steps of which nothing is known, and the one that begins.
        const std::int64_t first = std::max(ring.last + 1, number - points + 1);
        for (std::int64_t step = first; step <= number; ++step) {
            std::fill_n(cell(step), columns_.size(), kUnknown);
        }
        ring.last = number;
        ring.folded = 0;
    }
    const auto now = cell(number);
    for (std::size_t c = 0; c < columns_.size() && c < values.size(); ++c) {
        float& kept = now[static_cast<std::ptrdiff_t>(c)];
        const float value = values[c];
        if (kept != kept) {  // not a number: nothing there yet
            kept = value;
        } else if (value == value) {
            kept = columns_[c].fold == Fold::highest
                       ? std::max(kept, value)
                       : kept + (value - kept) / static_cast<float>(ring.folded + 1);
        }
    }
    ++ring.folded;
}

std::optional<History::Series> History::read(std::string_view subject,
                                             const HistorySpan& span) const {
    const auto found = rows_.find(subject);
    const auto* const wanted = std::ranges::find(kHistorySpans, span.name, &HistorySpan::name);
    if (found == rows_.end() || wanted == kHistorySpans.end()) {
        return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(wanted - kHistorySpans.begin());
    const Ring& ring = found->second.rings[index];
    const std::int64_t last = latest_ / wanted->step;
    const auto points = static_cast<std::int64_t>(wanted->points);
    Series series;
    series.step = wanted->step;
    series.end = last * wanted->step;
    series.values.assign(columns_.size(), std::vector<float>(wanted->points, kUnknown));
    for (std::int64_t i = 0; i < points; ++i) {
        const std::int64_t step = last - points + 1 + i;
        if (step < 0 || step > ring.last || step <= ring.last - points) {
            continue;
        }
        const auto at = static_cast<std::size_t>(step % points) * columns_.size();
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            series.values[c][static_cast<std::size_t>(i)] = ring.values[at + c];
        }
    }
    return series;
}

}  // namespace weir::observe
