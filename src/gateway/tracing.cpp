#include "gateway/tracing.h"

#include "gateway/life_record.h"
#include "gateway/request.h"
#include "gateway/worker.h"

#include <vector>

namespace weir::gateway {
namespace {

constexpr std::string_view kTraceparent = "traceparent";
constexpr std::string_view kTracestate = "tracestate";
constexpr std::string_view kXray = "X-Amzn-Trace-Id";

std::vector<std::string_view> values_of(const codec::Head& head, std::string_view name) {
    std::vector<std::string_view> values;
    if (head.find(name) != nullptr) {
        for (const auto& field : head.fields) {
            if (codec::equals_ignore_case(field.name, name)) {
                values.push_back(field.value);
            }
        }
    }
    return values;
}

/// Several fields that should be one say nothing.
std::string_view only_value(const codec::Head& head, std::string_view name) {
    const auto values = values_of(head, name);
    return values.size() == 1 ? values.front() : std::string_view();
}

observe::SpanId some_span(const std::function<std::uint64_t()>& random) {
    observe::SpanId id = 0;
    while (id == 0) {
        id = random();
    }
    return id;
}

}  // namespace

observe::RequestTrace trace_of(const codec::Head& head, const OtlpConfig& otlp,
                               const std::function<std::uint64_t()>& random) {
    observe::RequestTrace trace;
    if (const auto w3c = observe::parse_traceparent(only_value(head, kTraceparent))) {
        trace.caller = *w3c;
        trace.state = observe::joined_tracestate(values_of(head, kTracestate));
    } else if (const auto xray = observe::parse_xray(only_value(head, kXray))) {
        trace.caller = *xray;
    } else {
        trace.caller.trace = {some_span(random), some_span(random)};
        trace.caller.random = true;
        trace.own = true;
    }
    trace.span = some_span(random);
    trace.sampled =
        trace.caller.sampled.value_or(observe::in_trace_sample(trace.caller.trace, otlp.sample));
    return trace;
}

bool is_kept(const Record& record, const Request& request, Worker& worker, Instant now) {
    if (!record.trace) {
        return false;
    }
    if (record.trace->own && record.trace->sampled) {
        return true;
    }
    const OtlpConfig& otlp = request.snapshot->config.otlp;
    if (!record.trace->sampled && !(otlp.keep_trouble && eventful(record))) {
        return false;
    }
    if (worker.kept_traces.take(request.configured_client(), now)) {
        return true;
    }
    worker.shared.spans.counts.drop(observe::OtlpDrop::rate);
    return false;
}

TraceFields::TraceFields(const codec::Head& head, const observe::RequestTrace& trace,
                         std::uint32_t attempt) {
    const observe::SpanId span = observe::attempt_span(trace.span, attempt);
    traceparent_ = observe::traceparent(trace, span);
    fields_[count_++] = {kTraceparent, {traceparent_.data(), traceparent_.size()}};
    if (head.find(kTracestate) != nullptr) {
        fields_[count_++] = {kTracestate, trace.state};  // empty: it belongs to no trace
    }
    if (const auto callers = only_value(head, kXray); !callers.empty()) {
        xray_ = observe::xray_field(callers, trace, span);
        fields_[count_++] = {kXray, xray_};
    }
}

}  // namespace weir::gateway
