// Which trace a request belongs to: W3C Trace Context (levels 1 and 2) and AWS X-Ray's field. Text
// in, values out; nothing here reads a clock or a random number.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::observe {

struct TraceId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    bool valid() const { return high != 0 || low != 0; }
    bool operator==(const TraceId&) const = default;
};
/// 32 hexadecimal digits.
std::string hex(TraceId id);

/// 0: none.
using SpanId = std::uint64_t;
/// 16 hexadecimal digits.
std::string hex_span(SpanId id);

/// What the caller says of its trace.
struct TraceContext {
    TraceId trace;
    SpanId parent = 0;            ///< the caller's span; 0: not told
    std::optional<bool> sampled;  ///< whether the caller records; unset: it leaves that open
    bool random = false;          ///< the last 7 bytes of the trace's id are random (level 2)
};

/// Of `traceparent`. Nullopt: it is malformed, and the trace begins anew.
std::optional<TraceContext> parse_traceparent(std::string_view value);
/// Of `X-Amzn-Trace-Id`. Nullopt: it has no usable Root.
std::optional<TraceContext> parse_xray(std::string_view value);

/// `tracestate` as it goes on: the lines of the field joined, unchanged within 32 members and 512
/// bytes. Of a longer one members of more than 128 bytes go first, then the last ones. Empty: there
/// is none, or it is malformed.
std::string joined_tracestate(std::span<const std::string_view> lines);

/// A request's place in its trace, which weir may record.
struct RequestTrace {
    TraceContext caller;   ///< its trace is the request's
    SpanId span = 0;       ///< the request itself
    bool sampled = false;  ///< as the caller or the share has it, before it is known how it ends
    bool own = false;      ///< the trace begins here: the caller has no say in its id
    bool kept = false;     ///< decided at the end: it goes to the collector
    std::string state;     ///< tracestate
};

/// Whether a trace that begins here is recorded, by OpenTelemetry's TraceIdRatioBased: the last 56
/// bits of the id against a threshold. Everybody who asks with this id and share gets the same
/// answer, and a larger share holds all of a smaller one.
bool in_trace_sample(TraceId id, double share);

/// The span of an attempt, by the request's and the attempt's number from 1.
SpanId attempt_span(SpanId request, std::uint32_t attempt);

/// VERSION-TRACE-PARENT-FLAGS in hex digits.
using Traceparent = std::array<char, 55>;
/// `traceparent` for what `span` causes.
Traceparent traceparent(const RequestTrace& trace, SpanId span);
/// `X-Amzn-Trace-Id` likewise: the caller's with `span` in the place of its Parent, and weir's word
/// where its Sampled leaves it open. Of another trace, or malformed: as it came.
std::string xray_field(std::string_view callers, const RequestTrace& trace, SpanId span);

}  // namespace weir::observe
