// The library's serializer knows no exemplars and no OpenMetrics.
#include "observe/open_metrics.h"

#include "policy/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

namespace weir::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == '\\' || c == '"') {
            out += '\\';
        }
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
}

/// A float always looks like one, so that `le` is written in one way only.
void append_float(std::string& out, double value) {
    if (std::isnan(value)) {
        out += "NaN";
        return;
    }
    if (std::isinf(value)) {
        out += value > 0 ? "+Inf" : "-Inf";
        return;
    }
    const double size = std::abs(value);
    const auto format = size == 0 || (size >= 1e-5 && size < 1e15) ? std::chars_format::fixed
                                                                   : std::chars_format::general;
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, format).ptr;
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) {
        out += ".0";
    }
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
    out += out.back() == '{' ? "" : ",";
    out.append(name).append("=\"");
    append_escaped(out, value);
    out += '"';
}

void append_name(std::string& out, const std::string& name, const ClientMetric& metric,
                 std::optional<double> le = std::nullopt) {
    out += name;
    if (!metric.label.empty() || le) {
        out += '{';
        for (const auto& label : metric.label) {
            append_label(out, label.name, label.value);
        }
        if (le) {
            std::string bound;
            append_float(bound, *le);
            append_label(out, "le", bound);
        }
        out += '}';
    }
    out += ' ';
}

void append_sample(std::string& out, const std::string& name, const ClientMetric& metric,
                   double value) {
    append_name(out, name, metric);
    append_float(out, value);
    out += '\n';
}

void append_exemplar(std::string& out, const Exemplar& exemplar) {
    out += " # {trace_id=\"" + hex(exemplar.trace) + "\"} ";
    append_float(out, exemplar.value);
    out += ' ';
    append_float(out, static_cast<double>(exemplar.unix_ms) / 1000);
}

void append_histogram(std::string& out, const std::string& name, const ClientMetric& metric,
                      const Exemplars& exemplars) {
    const std::string label = metric.label.size() == 1 ? metric.label.front().value : std::string();
    for (std::size_t i = 0; i < metric.histogram.bucket.size(); ++i) {
        const auto& bucket = metric.histogram.bucket[i];
        append_name(out, name + "_bucket", metric, bucket.upper_bound);
        out += std::to_string(bucket.cumulative_count);
        if (const Exemplar* exemplar = exemplars.find(name, label, i)) {
            append_exemplar(out, *exemplar);
        }
        out += '\n';
    }
    append_name(out, name + "_count", metric);
    out += std::to_string(metric.histogram.sample_count) + "\n";
    append_sample(out, name + "_sum", metric, metric.histogram.sample_sum);
}

void append_family(std::string& out, const MetricFamily& family, const Exemplars& exemplars) {
    const bool counter = family.type == MetricType::Counter && family.name.ends_with(kTotal);
    const std::string name =
        counter ? family.name.substr(0, family.name.size() - kTotal.size()) : family.name;
    out += "# TYPE " + name +
           (counter                                ? " counter\n"
            : family.type == MetricType::Histogram ? " histogram\n"
            : family.type == MetricType::Gauge     ? " gauge\n"
                                                   : " unknown\n");
    if (!family.help.empty()) {
        out += "# HELP " + name + " ";
        append_escaped(out, family.help);
        out += '\n';
    }
    for (const ClientMetric& metric : family.metric) {
        switch (family.type) {
            case MetricType::Histogram:
                append_histogram(out, name, metric, exemplars);
                break;
            case MetricType::Counter:
                append_sample(out, family.name, metric, metric.counter.value);
                break;
            default:
                append_sample(out, family.name, metric, metric.gauge.value);
                break;
        }
    }
}

/// Of one range of an Accept field; 1 where there is none.
double quality_of(std::string_view parameters) {
    while (!parameters.empty()) {
        const auto end = parameters.find(';');
        const auto one = policy::trimmed(parameters.substr(0, end));
        if (one.starts_with("q=") || one.starts_with("Q=")) {
            double quality = 0;
            std::from_chars(one.data() + 2, one.data() + one.size(), quality);
            return quality;
        }
        parameters.remove_prefix(end == std::string_view::npos ? parameters.size() : end + 1);
    }
    return 1;
}

}  // namespace

bool accepts_open_metrics(std::string_view accept) {
    double open = 0;
    double text = 0;
    while (!accept.empty()) {
        const auto end = accept.find(',');
        const auto range = policy::trimmed(accept.substr(0, end));
        accept.remove_prefix(end == std::string_view::npos ? accept.size() : end + 1);
        const auto semicolon = range.find(';');
        const auto type = policy::trimmed(range.substr(0, semicolon));
        const double quality =
            semicolon == std::string_view::npos ? 1 : quality_of(range.substr(semicolon + 1));
        if (type == "application/openmetrics-text") {
            open = std::max(open, quality);
        } else if (type == "text/plain") {
            text = std::max(text, quality);
        }
    }
    return open > 0 && open >= text;
}

std::string to_open_metrics(const std::vector<MetricFamily>& families, const Exemplars& exemplars) {
    std::string out;
    for (const MetricFamily& family : families) {
        append_family(out, family, exemplars);
    }
    return out + "# EOF\n";
}

}  // namespace weir::observe
