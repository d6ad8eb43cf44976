// The histories that the page draws: of this instance, of its targets, clients and models. Pure.
#pragma once

#include "observe/history.h"
#include "observe/live_counts.h"

#include <weir/engine.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weir::observe {

/// How a target is called in histories: ACCOUNT/REGION/MODEL, and where it has them
/// /ENDPOINT and /TIER.
std::string live_name(const TargetStatus& target);

/// One table a kind of subject. Bounded: 200 targets, 200 clients, 50 models.
class LiveHistory {
public:
    LiveHistory();

    /// Rates are over the time since the last call; the first has none.
    void add(const Status& status, const LiveCounts& counts, std::int64_t at);

    /// `kind`: total, target, client, model. Nullptr: no such kind.
    const History* table(std::string_view kind) const;
    /// The one row of `total`.
    static constexpr std::string_view kAll = "all";

    const RecentLatencies& latencies() const { return latencies_; }
    std::size_t bytes() const;
    std::size_t most_bytes() const;

private:
    History total_;
    History targets_;
    History clients_;
    History models_;
    RecentLatencies latencies_;
    LiveCounts before_;
    std::optional<std::int64_t> at_;
};

/// {"kind", "name", "span", "step_seconds", "end", "columns", "values"}; a value that is not known
/// is null, and `values` are empty lists where nothing is known of the subject. Nullopt: there is
/// no such kind.
std::optional<std::string> history_json(const LiveHistory& history, std::string_view kind,
                                        std::string_view name, const HistorySpan& span);

}  // namespace weir::observe
