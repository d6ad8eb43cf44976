#include "cli/run_report.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>

namespace weir::cli {
namespace {

struct Sample {
    std::string_view name;
    std::string_view labels;
    double value = 0;
};

/// `name{labels} value`; a comment has no name.
Sample parse(std::string_view line) {
    Sample sample;
    const auto blank = line.rfind(' ');
    if (line.starts_with('#') || blank == std::string_view::npos) {
        return sample;
    }
    std::from_chars(line.data() + blank + 1, line.data() + line.size(), sample.value);
    sample.name = line.substr(0, std::min(line.find('{'), blank));
    sample.labels = line.substr(sample.name.size(), blank - sample.name.size());
    return sample;
}

std::string_view label(std::string_view labels, std::string_view name) {
    const auto begin = labels.find(std::string(name) + "=\"");
    if (begin == std::string_view::npos) {
        return {};
    }
    labels.remove_prefix(begin + name.size() + 2);
    return labels.substr(0, labels.find('"'));
}

struct Counts {
    double requests = 0, waited_seconds = 0, waits = 0, not_waited = 0, rescued = 0, failovers = 0;
    std::map<std::string, double, std::less<>> outcomes;

    void add(const Sample& sample) {
        if (sample.name == "weir_requests_total") {
            requests += sample.value;
            outcomes[std::string(label(sample.labels, "outcome"))] += sample.value;
        } else if (sample.name == "weir_queue_seconds_sum") {
            waited_seconds += sample.value;
        } else if (sample.name == "weir_queue_seconds_count") {
            waits += sample.value;
        } else if (sample.name == "weir_queue_seconds_bucket") {
            // As weir_rescued_total: shorter ones are the pace of sending.
            if (label(sample.labels, "le") == "0.1") {
                not_waited += sample.value;
            }
        } else if (sample.name == "weir_rescued_total") {
            rescued += sample.value;
        } else if (sample.name == "weir_fallbacks_total") {
            failovers += sample.value;
        }
    }
};

std::string counted(double count, std::string_view noun) {
    return fmt::format("{} {}{}", std::llround(count), noun, std::llround(count) == 1 ? "" : "s");
}

}  // namespace

std::string run_report(std::string_view metrics) {
    Counts counts;
    while (!metrics.empty()) {
        const auto end = std::min(metrics.find('\n'), metrics.size());
        counts.add(parse(metrics.substr(0, end)));
        metrics.remove_prefix(std::min(end + 1, metrics.size()));
    }
    if (counts.requests == 0) {
        return "weir: no request came; if the command calls Bedrock, see `weir env` for what its "
               "client needs";
    }
    std::string ends = fmt::format("{} ok", std::llround(counts.outcomes["ok"]));
    for (const auto& [outcome, count] : counts.outcomes) {
        if (outcome != "ok" && count > 0) {
            ends += fmt::format(", {} {}", std::llround(count), outcome);
        }
    }
    const double waited = counts.waits - counts.not_waited;
    return fmt::format("weir: {} ({}), {} waited{}, {} avoided, {}",
                       counted(counts.requests, "request"), ends, std::llround(waited),
                       waited > 0 ? fmt::format(" {:.1f} s in all", counts.waited_seconds) : "",
                       counted(counts.rescued, "refusal"), counted(counts.failovers, "failover"));
}

}  // namespace weir::cli
