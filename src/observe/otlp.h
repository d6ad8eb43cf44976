// OpenTelemetry's data as values, and their encoding as OTLP/HTTP takes it.
#pragma once

#include "observe/trace_context.h"

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir::observe {

using OtlpValue = std::variant<std::string, std::int64_t, double, bool>;
struct OtlpAttribute {
    std::string key;
    OtlpValue value;

    bool operator==(const OtlpAttribute&) const = default;
};
using OtlpAttributes = std::vector<OtlpAttribute>;

std::string_view weir_version();

/// Whom the data are of.
struct OtlpResource {
    std::string service;
    std::string instance;
    std::string version;
    std::map<std::string, std::string> attributes;  ///< besides; these win
};

struct SpanEvent {
    std::string name;
    std::int64_t unix_ns = 0;
    OtlpAttributes attributes;
};

/// Numbers as in the protocol.
enum class SpanKind : std::uint8_t { server = 2, client = 3 };
enum class SpanStatus : std::uint8_t { unset = 0, error = 2 };

struct Span {
    TraceId trace;
    SpanId id = 0;
    SpanId parent = 0;  ///< 0: none
    std::string state;  ///< tracestate
    std::uint32_t flags = 0;
    std::string name;
    SpanKind kind = SpanKind::server;
    std::int64_t start_unix_ns = 0;
    std::int64_t end_unix_ns = 0;
    OtlpAttributes attributes;
    std::vector<SpanEvent> events;
    SpanStatus status = SpanStatus::unset;
};

/// A histogram that has been added to since the start.
struct OtlpHistogram {
    std::string_view name, unit, description;
    std::span<const double> bounds;  ///< upper ones, without the infinite
    struct Point {
        OtlpAttributes attributes;
        std::vector<std::uint64_t> counts;  ///< of each bucket, one more than bounds
        double sum = 0;
    };
    std::vector<Point> points;
};

/// The body of a request to /v1/traces.
std::string otlp_traces(const OtlpResource& resource, std::span<const Span> spans);

/// Since when the counts are added up, and when they were read.
struct OtlpWindow {
    std::int64_t start_unix_ns = 0;
    std::int64_t unix_ns = 0;
};
/// The body of a request to /v1/metrics: families of a scrape under their names there, and
/// `histograms`. `points`: how many data points it has.
struct OtlpMetrics {
    std::string body;
    std::uint64_t points = 0;
};
OtlpMetrics otlp_metrics(const OtlpResource& resource, const OtlpWindow& window,
                         const std::vector<prometheus::MetricFamily>& families,
                         std::span<const OtlpHistogram> histograms);

/// What a collector has answered with 200: how many spans or points it has not taken, and what it
/// says. Anything that cannot be read, or is longer than 64 KiB: nothing was rejected.
struct OtlpAnswer {
    std::uint64_t rejected = 0;
    std::string message;  ///< at most 200 bytes
};
OtlpAnswer read_otlp_answer(std::string_view body);

}  // namespace weir::observe
