#include "cli/demo_report.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace weir::cli {
namespace {

/// Nearest rank; below zero when there is nothing.
double quantile(std::vector<double> values, double q) {
    if (values.empty()) {
        return -1;
    }
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

double share(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

std::string percent(double value) {
    // Never round up to a perfection that was not there.
    const double shown = value < 1 ? std::min(value * 100, 99.9) : 100.0;
    return fmt::format("{:.1f} %", shown);
}

std::string seconds(double value) {
    if (std::isinf(value)) {
        return "never";
    }
    return value < 0 ? "-" : fmt::format("{:.1f} s", value);
}

std::string ratio(double value) {
    return value < 0 ? "-" : fmt::format("{:.2f}", value);
}

/// A figure that rows can be compared by.
struct Column {
    const char* name;
    bool more_is_better;
    double slack;  ///< smaller differences are not worth a word
    double (*value)(const DemoFigures&);
    std::string (*show)(double);
};

std::string count(double value) {
    return fmt::format("{:.0f}", value);
}

constexpr std::array<Column, 8> kColumns{{
    {"success by calls", true, 0.005, [](const DemoFigures& f) { return f.calls; }, percent},
    {"success by tokens", true, 0.005, [](const DemoFigures& f) { return f.tokens; }, percent},
    {"light clients' success", true, 0.005, [](const DemoFigures& f) { return f.light; }, percent},
    {"refusals per success", false, 0.01,
     [](const DemoFigures& f) { return f.refusals_per_success; }, ratio},
    {"time to a failure", false, 0.1, [](const DemoFigures& f) { return f.time_to_failure; },
     seconds},
    {"p50 of all calls", false, 0.1, [](const DemoFigures& f) { return f.p50; }, seconds},
    {"p99 of all calls", false, 0.5, [](const DemoFigures& f) { return f.p99; }, seconds},
    {"calls into the dead Region", false, 0.5,
     [](const DemoFigures& f) { return static_cast<double>(f.dead_calls); }, count},
}};

bool is_weir(const DemoRow& row) {
    return row.key.starts_with("weir");
}

/// The best row of one kind in this column; nullopt: none has the figure.
std::optional<std::size_t> best_of(const std::vector<DemoRow>& rows,
                                   const std::vector<DemoFigures>& figures, const Column& column,
                                   bool weir) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const double value = column.value(figures[i]);
        if (is_weir(rows[i]) != weir || value < 0) {
            continue;
        }
        const double sign = column.more_is_better ? 1 : -1;
        if (!best || sign * value > sign * column.value(figures[*best])) {
            best = i;
        }
    }
    return best;
}

}  // namespace

DemoFigures figures_of(const DemoTrace& trace, const DemoRow& row) {
    DemoFigures figures;
    double served = 0;
    double tokens = 0;
    double tokens_served = 0;
    double light = 0;
    double light_served = 0;
    std::vector<double> all;
    std::vector<double> failed;
    for (const DemoOutcome& outcome : row.outcomes) {
        const DemoCall& call = trace.calls[outcome.call];
        const auto size = static_cast<double>(call.input + call.output);
        const double one = outcome.served ? 1 : 0;
        served += one;
        tokens += size;
        tokens_served += one * size;
        if (call.client != 0) {
            light += 1;
            light_served += one;
        }
        all.push_back(outcome.served ? outcome.seconds : std::numeric_limits<double>::infinity());
        if (!outcome.served) {
            failed.push_back(outcome.seconds);
        }
    }
    figures.calls = share(served, static_cast<double>(row.outcomes.size()));
    figures.tokens = share(tokens_served, tokens);
    figures.light = share(light_served, light);
    if (served > 0) {
        figures.refusals_per_success = static_cast<double>(row.refusals) / served;
    }
    figures.time_to_failure = quantile(std::move(failed), 0.5);
    figures.p50 = quantile(all, 0.5);
    figures.p99 = quantile(std::move(all), 0.99);
    figures.dead_calls = row.dead_calls;
    return figures;
}

std::vector<std::string> demo_conclusions(const std::vector<DemoRow>& rows,
                                          const std::vector<DemoFigures>& figures) {
    std::vector<std::string> lines;
    std::vector<std::string> behind;
    for (const Column& column : kColumns) {
        const auto weir = best_of(rows, figures, column, true);
        const auto other = best_of(rows, figures, column, false);
        if (!weir || !other) {
            continue;
        }
        const double ours = column.value(figures[*weir]);
        const double theirs = column.value(figures[*other]);
        const double more = ours == theirs ? 0 : ours - theirs;  // both may be infinite
        const double ahead = column.more_is_better ? more : -more;
        const std::string line =
            fmt::format("{}: {} {}, {} {}", column.name, rows[*weir].name, column.show(ours),
                        rows[*other].name, column.show(theirs));
        if (ahead > column.slack) {
            lines.push_back("Better   " + line);
        } else if (ahead < -column.slack) {
            behind.push_back("Worse    " + line);
        } else {
            behind.push_back("The same " + line);
        }
    }
    lines.insert(lines.end(), behind.begin(), behind.end());
    return lines;
}

std::string demo_text(const DemoTrace& trace, const DemoFacts& facts,
                      const std::vector<DemoRow>& rows) {
    std::vector<DemoFigures> figures;
    for (const DemoRow& row : rows) {
        figures.push_back(figures_of(trace, row));
    }
    std::string out = fmt::format(
        "\n{} calls in {:.0f} s from {} clients ({} sends half of them), in bursts; each row alone "
        "with its own\nstand-in for Bedrock: two Regions, {} tokens a minute each, and the load is "
        "{:.1f} times that.\nThe home Region answered 503 from {:.0f} s to {:.0f} s. Window: {}. "
        "Seed: {}.\nTime ran {:.0f} times as fast; all times below are shown as they would have "
        "been.\n\n",
        trace.calls.size(), trace.seconds, trace.clients.size(), trace.clients.front(),
        trace.tokens_per_minute, trace.load, facts.outage_from, facts.outage_to, facts.window,
        facts.seed, facts.compression);
    out += fmt::format("{:<34} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7}\n", "", "success",
                       "success", "light", "refusals", "time to", "p50", "p99", "calls");
    out += fmt::format("{:<34} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7}\n", "", "by calls",
                       "by tokens", "clients", "/success", "a failure", "all", "all", "to dead");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const DemoFigures& f = figures[i];
        out += fmt::format("{:<34} {:>8} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>7}\n", rows[i].name,
                           percent(f.calls), percent(f.tokens), percent(f.light),
                           ratio(f.refusals_per_success), seconds(f.time_to_failure),
                           seconds(f.p50), seconds(f.p99), f.dead_calls);
    }
    out +=
        "\nServed: the whole answer within 60 s, an SDK's patience. Refusals: the 429s that the "
        "stand-in "
        "gave.\np50, p99: when half, or 99 %, of all calls had their answer; \"never\" if so many "
        "were not served.\nThe first two rows know only their home Region, the others may use "
        "both.\n"
        "\nThe best row with weir against the best without:\n";
    for (const std::string& line : demo_conclusions(rows, figures)) {
        out += "  " + line + "\n";
    }
    if (facts.cpu_share > 0.6) {
        out += fmt::format(
            "\nThis machine was {:.0f} % busy with the demo: its times are longer than they should "
            "be.\n",
            facts.cpu_share * 100);
    }
    return out;
}

std::string demo_json(const DemoTrace& trace, const DemoFacts& facts,
                      const std::vector<DemoRow>& rows) {
    using Json = nlohmann::json;
    const auto maybe = [](double value) {
        return value < 0 || std::isinf(value) ? Json(nullptr) : Json(value);
    };
    Json list = Json::array();
    for (const DemoRow& row : rows) {
        const DemoFigures f = figures_of(trace, row);
        list.push_back({{"row", row.key},
                        {"name", row.name},
                        {"calls", row.outcomes.size()},
                        {"success_calls", f.calls},
                        {"success_tokens", f.tokens},
                        {"success_light_clients", f.light},
                        {"refusals", row.refusals},
                        {"refusals_per_success", maybe(f.refusals_per_success)},
                        {"time_to_failure_seconds", maybe(f.time_to_failure)},
                        {"p50_seconds", maybe(f.p50)},
                        {"p99_seconds", maybe(f.p99)},
                        {"calls_into_dead_region", f.dead_calls}});
    }
    const Json all{{"seed", facts.seed},
                   {"window", facts.window},
                   {"compression", facts.compression},
                   {"seconds", trace.seconds},
                   {"load", trace.load},
                   {"tokens_per_minute", trace.tokens_per_minute},
                   {"outage", {{"from", facts.outage_from}, {"to", facts.outage_to}}},
                   {"cpu_share", facts.cpu_share},
                   {"cores", facts.cores},
                   {"rows", list}};
    return all.dump(2) + "\n";
}

}  // namespace weir::cli
