// OpenMetrics 1.0 as text: what a scraper asks for that takes exemplars.
#pragma once

#include "observe/exemplars.h"

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether an Accept field asks for it rather than for Prometheus' own text.
bool accepts_open_metrics(std::string_view accept);

/// Counters keep their `_total` on samples alone; one without is of type unknown. Buckets of
/// histograms with one label get their exemplar.
std::string to_open_metrics(const std::vector<prometheus::MetricFamily>& families,
                            const Exemplars& exemplars);

}  // namespace weir::observe
