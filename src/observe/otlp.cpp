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

json value_of(const OtlpValue& value) {
    struct ToJson {
        json operator()(const std::string& text) const { return {{"stringValue", text}}; }
        json operator()(std::int64_t number) const { return {{"intValue", integer(number)}}; }
        json operator()(double number) const { return {{"doubleValue", number}}; }
        json operator()(bool flag) const { return {{"boolValue", flag}}; }
    };
    return std::visit(ToJson(), value);
}

json attributes_of(const OtlpAttributes& attributes) {
    json list = json::array();
    for (const auto& [key, value] : attributes) {
        list.push_back({{"key", key}, {"value", value_of(value)}});
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

/// Spans are written as text at once: as a tree first, each would take several times the work of
/// all else that weir does for a request.
class SpanText {
public:
    explicit SpanText(std::string& out) : out_(out) {}

    void spans(std::span<const Span> all) {
        list(all, [this](const Span& one) { span(one); });
    }

private:
    void span(const Span& span) {
        std::uint32_t flags = span.flags;
        if (span.parent != 0) {
            flags |= kRemoteKnown | (span.kind == SpanKind::server ? kRemote : 0);
        }
        out_ += R"({"traceId":")" + hex(span.trace) + R"(","spanId":")" + hex_span(span.id);
        if (span.parent != 0) {
            out_ += R"(","parentSpanId":")" + hex_span(span.parent);
        }
        out_ += R"(","flags":)" + std::to_string(flags) + R"(,"name":)";
        text(span.name);
        out_ += R"(,"kind":)" + std::to_string(static_cast<int>(span.kind));
        out_ += R"(,"startTimeUnixNano":")" + std::to_string(span.start_unix_ns);
        out_ += R"(","endTimeUnixNano":")" + std::to_string(span.end_unix_ns) + '"';
        if (!span.state.empty()) {
            out_ += R"(,"traceState":)";
            text(span.state);
        }
        if (span.status != SpanStatus::unset) {
            out_ += R"(,"status":{"code":)" + std::to_string(static_cast<int>(span.status)) + '}';
        }
        attributes(span.attributes);
        if (!span.events.empty()) {
            out_ += R"(,"events":)";
            list(span.events, [this](const SpanEvent& event) {
                out_ += R"({"timeUnixNano":")" + std::to_string(event.unix_ns) + R"(","name":)";
                text(event.name);
                attributes(event.attributes);
                out_ += '}';
            });
        }
        out_ += '}';
    }

    template <class List, class Write>
    void list(const List& all, Write write) {
        out_ += '[';
        for (const auto& one : all) {
            out_ += out_.back() == '[' ? "" : ",";
            write(one);
        }
        out_ += ']';
    }

    void attributes(const OtlpAttributes& attributes) {
        out_ += R"(,"attributes":)";
        list(attributes, [this](const OtlpAttribute& attribute) {
            out_ += R"({"key":)";
            text(attribute.key);
            out_ += R"(,"value":{)";
            std::visit([this](const auto& value) { typed(value); }, attribute.value);
            out_ += "}}";
        });
    }

    void typed(const std::string& value) {
        out_ += R"("stringValue":)";
        text(value);
    }
    void typed(std::int64_t value) { out_ += R"("intValue":")" + std::to_string(value) + '"'; }
    void typed(double value) { out_ += R"("doubleValue":)" + json(value).dump(); }
    void typed(bool value) { out_ += value ? R"("boolValue":true)" : R"("boolValue":false)"; }

    void text(std::string_view value) {
        const auto plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
        if (std::ranges::all_of(value, plain)) {
            out_ += '"';
            out_ += value;
            out_ += '"';
        } else {
            out_ += text_of(value);
        }
    }

    std::string& out_;
};

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
    std::string out = R"({"resourceSpans":[{"resource":)" + text_of(resource_of(resource));
    out += R"(,"scopeSpans":[{"scope":)" + text_of(scope_of(resource)) + R"(,"spans":)";
    SpanText(out).spans(spans);
    return out + "}]}]}";
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
    constexpr std::size_t kMostBytes = 1 << 16;  // a parsed tree takes up to 75 times its text
    OtlpAnswer answer;
    if (body.size() > kMostBytes) {
        return answer;
    }
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
