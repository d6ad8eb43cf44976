// What a scrape reads rather than counts: the engine's state, connections, the process itself.
#pragma once

#include "observe/families.h"
#include "observe/labels.h"
#include "observe/metrics.h"

#include <prometheus/metric_family.h>
#include <functional>
#include <string_view>
#include <vector>

namespace weir::observe {

/// `model_label` maps a model to its label. Series that fall together under `other` become one, for
/// a scrape must not hold the same series twice.
void read_gauges(Families& families, const Metrics::Gauges& gauges,
                 const std::function<std::string_view(std::string_view)>& model_label);

/// process_*, by the names that Prometheus clients share; what /proc does not tell is left out.
void append_process(std::vector<prometheus::MetricFamily>& out);

/// Prometheus text format 0.0.4.
std::string to_text(const std::vector<prometheus::MetricFamily>& families);

}  // namespace weir::observe
