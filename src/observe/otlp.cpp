// OTLP's JSON encoding rather than protobuf's binary one. The specification has every server take
// both on the same port, so no generated code, runtime library or encoder of weir's own has to be
// linked for what one thread sends once a second, compressed. Against protobuf's own JSON mapping:
// ids are hexadecimal, enumerators numbers; 64-bit integers are strings in both.
#include "observe/otlp.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace weir::observe {
namespace {

using nlohmann::json;

constexpr int kCumulative = 2;
/// Of OTLP's SpanFlags, above the W3C's eight: whether the next bit says something, and that the
/// parent is of another process.
constexpr std::uint32_t kRemoteKnown = 0x100;
constexpr std::uint32_t kRemote = 0x200;

json integer(std::int64_t value) {
    return std::to_string(value);
}

/// An object with this one member. Members are put in place one by one here and below: a braced
/// list would make an array of each pair first, several times the work for every span.
template <class Value>
json member(const char* name, Value&& value) {
    json out = json::object();
    out.emplace(name, std::forward<Value>(value));
    return out;
}

json value_of(const OtlpValue& value) {
    struct ToJson {
        json operator()(const std::string& text) const { return member("stringValue", text); }
        json operator()(std::int64_t number) const { return member("intValue", integer(number)); }
        json operator()(double number) const { return member("doubleValue", number); }
        json operator()(bool flag) const { return member("boolValue", flag); }
    };
    return std::visit(ToJson(), value);
}

json attributes_of(const OtlpAttributes& attributes) {
    json list = json::array();
    for (const auto& [key, value] : attributes) {
        json one = member("key", key);
        one.emplace("value", value_of(value));
        list.push_back(std::move(one));
    }
    return list;
}

json resource_of(const OtlpResource& resource) {
    std::map<std::string, std::string> all = resource.attributes;
    all.try_emplace("service.name", resource.service);
    all.try_emplace("service.instance.id", resource.instance);
    all.try_emplace("service.version", resource.version);
    OtlpAttributes attributes;
    for (const auto& [key, value] : all) {
        attributes.push_back({key, value});
    }
    return {{"attributes", attributes_of(attributes)}};
}

json scope_of(const OtlpResource& resource) {
    return {{"name", "weir"}, {"version", resource.version}};
}

/// Names come from callers and from the service: bytes that are no UTF-8 are replaced.
std::string text_of(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

json span_of(const Span& span) {
    std::uint32_t flags = span.flags;
    if (span.parent != 0) {
        flags |= kRemoteKnown | (span.kind == SpanKind::server ? kRemote : 0);
    }
    json out = member("traceId", hex(span.trace));
    out.emplace("spanId", hex_span(span.id));
    out.emplace("flags", flags);
    out.emplace("name", span.name);
    out.emplace("kind", static_cast<int>(span.kind));
    out.emplace("startTimeUnixNano", integer(span.start_unix_ns));
    out.emplace("endTimeUnixNano", integer(span.end_unix_ns));
    out.emplace("attributes", attributes_of(span.attributes));
    if (span.parent != 0) {
        out["parentSpanId"] = hex_span(span.parent);
    }
    if (!span.state.empty()) {
        out["traceState"] = span.state;
    }
    if (span.status != SpanStatus::unset) {
        out["status"] = member("code", static_cast<int>(span.status));
    }
    for (const SpanEvent& event : span.events) {
        json one = member("timeUnixNano", integer(event.unix_ns));
        one.emplace("name", event.name);
        one.emplace("attributes", attributes_of(event.attributes));
        out["events"].push_back(std::move(one));
    }
    return out;
}

class MetricsBody {
public:
    explicit MetricsBody(const OtlpWindow& window) : window_(window) {}

    void add(const prometheus::MetricFamily& family) {
        using Type = prometheus::MetricType;
        json points = json::array();
        for (const prometheus::ClientMetric& metric : family.metric) {
            json point =
                family.type == Type::Histogram
                    ? histogram_point(metric.histogram)
                    : json{{"asDouble", family.type == Type::Counter ? metric.counter.value
                                                                     : metric.gauge.value}};
            OtlpAttributes attributes;
            for (const auto& label : metric.label) {
                attributes.push_back({label.name, label.value});
            }
            push(points, std::move(point), attributes, family.type != Type::Gauge);
        }
        if (points.empty()) {
            return;
        }
        json metric{{"name", family.name}, {"description", family.help}};
        if (family.name.contains("_seconds")) {
            metric["unit"] = "s";
        }
        switch (family.type) {
            case Type::Counter:
                metric["sum"] = {{"dataPoints", std::move(points)},
                                 {"aggregationTemporality", kCumulative},
                                 {"isMonotonic", true}};
                break;
            case Type::Histogram:
                metric["histogram"] = {{"dataPoints", std::move(points)},
                                       {"aggregationTemporality", kCumulative}};
                break;
            default:
                metric["gauge"] = {{"dataPoints", std::move(points)}};
                break;
        }
        metrics_.push_back(std::move(metric));
    }

    void add(const OtlpHistogram& histogram) {
        json points = json::array();
        for (const OtlpHistogram::Point& one : histogram.points) {
            std::uint64_t all = 0;
            json counts = json::array();
            for (const std::uint64_t count : one.counts) {
                all += count;
                counts.push_back(std::to_string(count));
            }
            json point{{"count", std::to_string(all)},
                       {"sum", one.sum},
                       {"bucketCounts", std::move(counts)},
                       {"explicitBounds",
                        std::vector<double>(histogram.bounds.begin(), histogram.bounds.end())}};
            push(points, std::move(point), one.attributes, true);
        }
        if (!points.empty()) {
            metrics_.push_back(
                {{"name", histogram.name},
                 {"unit", histogram.unit},
                 {"description", histogram.description},
                 {"histogram",
                  {{"dataPoints", std::move(points)}, {"aggregationTemporality", kCumulative}}}});
        }
    }

    json take() { return std::move(metrics_); }
    std::uint64_t points() const { return points_; }

private:
    void push(json& points, json point, const OtlpAttributes& attributes, bool since_start) {
        point["attributes"] = attributes_of(attributes);
        point["timeUnixNano"] = integer(window_.unix_ns);
        if (since_start) {
            point["startTimeUnixNano"] = integer(window_.start_unix_ns);
        }
        points.push_back(std::move(point));
        ++points_;
    }

    /// Prometheus counts up to each bound, OTLP between two.
    static json histogram_point(const prometheus::ClientMetric::Histogram& histogram) {
        json bounds = json::array();
        json counts = json::array();
        std::uint64_t before = 0;
        for (const auto& bucket : histogram.bucket) {
            counts.push_back(std::to_string(bucket.cumulative_count - before));
            before = bucket.cumulative_count;
            if (std::isfinite(bucket.upper_bound)) {
                bounds.push_back(bucket.upper_bound);
            }
        }
        return {{"count", std::to_string(histogram.sample_count)},
                {"sum", histogram.sample_sum},
                {"bucketCounts", std::move(counts)},
                {"explicitBounds", std::move(bounds)}};
    }

    OtlpWindow window_;
    json metrics_ = json::array();
    std::uint64_t points_ = 0;
};

}  // namespace

std::string_view weir_version() {
    return WEIR_VERSION;
}

std::string otlp_traces(const OtlpResource& resource, std::span<const Span> spans) {
    json list = json::array();
    for (const Span& span : spans) {
        list.push_back(span_of(span));
    }
    json scope{{"scope", scope_of(resource)}, {"spans", std::move(list)}};
    json all{{"resource", resource_of(resource)}, {"scopeSpans", json::array({std::move(scope)})}};
    return text_of({{"resourceSpans", json::array({std::move(all)})}});
}

OtlpMetrics otlp_metrics(const OtlpResource& resource, const OtlpWindow& window,
                         const std::vector<prometheus::MetricFamily>& families,
                         std::span<const OtlpHistogram> histograms) {
    MetricsBody body(window);
    for (const prometheus::MetricFamily& family : families) {
        body.add(family);
    }
    for (const OtlpHistogram& histogram : histograms) {
        body.add(histogram);
    }
    json scope{{"scope", scope_of(resource)}, {"metrics", body.take()}};
    json all{{"resource", resource_of(resource)},
             {"scopeMetrics", json::array({std::move(scope)})}};
    return {text_of({{"resourceMetrics", json::array({std::move(all)})}}), body.points()};
}

OtlpAnswer read_otlp_answer(std::string_view body) {
    constexpr std::size_t kLongest = 200;
    OtlpAnswer answer;
    const json read = json::parse(body, nullptr, false);
    if (!read.is_object() || !read.contains("partialSuccess") ||
        !read["partialSuccess"].is_object()) {
        return answer;
    }
    for (const auto& [key, value] : read["partialSuccess"].items()) {
        if (key == "errorMessage" && value.is_string()) {
            answer.message = value.get<std::string>().substr(0, kLongest);
        } else if (key.starts_with("rejected")) {
            const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
            const bool number =
                !text.empty() && text.size() < 19 &&
                std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
            answer.rejected = number ? std::stoull(text) : 0;
        }
    }
    return answer;
}

}  // namespace weir::observe
