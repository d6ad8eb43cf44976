// From a request's head to its place in a trace, and on to what an attempt tells upstream.
#pragma once

#include "codec/http1.h"
#include "observe/trace_context.h"

#include <weir/config.h>
#include <weir/time.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace weir::gateway {

/// Traces are made: there is somewhere to send them.
constexpr bool traces_on(const OtlpConfig& otlp) {
    return otlp.traces && !otlp.endpoint.empty();
}
constexpr bool otlp_metrics_on(const OtlpConfig& otlp) {
    return otlp.metrics && !otlp.endpoint.empty();
}

/// The trace that the caller names by traceparent, else by X-Amzn-Trace-Id, else a new one.
/// `random` gives 64 random bits a call.
observe::RequestTrace trace_of(const codec::Head& head, const OtlpConfig& otlp,
                               const std::function<std::uint64_t()>& random);

struct Record;
struct Request;
class Worker;

/// Whether what has ended goes to the collector: it is sampled, or it is trouble that is kept.
/// Beyond the share of traces that begin at weir, each client has a budget: see ClientBuckets.
bool is_kept(const Record& record, const Request& request, Worker& worker, Instant now);

/// The fields of one attempt that stand for the client's own: `traceparent` always, `tracestate`
/// and X-Amzn-Trace-Id where the client sent them. No signature covers them.
class TraceFields {
public:
    TraceFields(const codec::Head& head, const observe::RequestTrace& trace, std::uint32_t attempt);
    TraceFields(const TraceFields&) = delete;
    TraceFields& operator=(const TraceFields&) = delete;

    std::span<const codec::Field> fields() const { return std::span(fields_).first(count_); }

private:
    observe::Traceparent traceparent_;
    std::string xray_;
    std::array<codec::Field, 3> fields_;  // views of the two above, and of the trace
    std::size_t count_ = 0;
};

}  // namespace weir::gateway
