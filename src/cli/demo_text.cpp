// The demo's result for people: what each way of calling got, and what weir gained and cost.
#include "cli/demo_report.h"
#include "observe/figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::cli {
namespace {

using observe::grouped;
using observe::percent;

std::string count(std::uint64_t value) {
    return value == 0 ? "none" : grouped(as_double(value));
}

enum class FigureUnit : std::uint8_t { share, count, seconds };

/// A figure that rows are compared by. A time that does not exist is kNever, or 0 where that is the
/// best that there can be.
struct Figure {
    const char* name;
    FigureUnit unit;
    double (*value)(const DemoFigures&);
    std::string (*show)(const DemoFigures&);
};

constexpr std::array kFigures{
    Figure{"calls answered", FigureUnit::share,
           [](const DemoFigures& f) { return f.answered_share(); },
           [](const DemoFigures& f) { return percent(f.answered_share()); }},
    Figure{"tokens answered", FigureUnit::share,
           [](const DemoFigures& f) { return f.answered_tokens; },
           [](const DemoFigures& f) { return percent(f.answered_tokens); }},
    Figure{"light clients' calls answered", FigureUnit::share,
           [](const DemoFigures& f) { return f.answered_light; },
           [](const DemoFigures& f) { return percent(f.answered_light); }},
    Figure{"errors that users saw", FigureUnit::count,
           [](const DemoFigures& f) { return as_double(f.errors()); },
           [](const DemoFigures& f) { return count(f.errors()); }},
    Figure{"calls sent in vain", FigureUnit::count,
           [](const DemoFigures& f) { return as_double(f.in_vain()); },
           [](const DemoFigures& f) { return count(f.in_vain()); }},
    Figure{"until half of the calls have their answer", FigureUnit::seconds,
           [](const DemoFigures& f) { return f.answer_p50.value_or(kNever); },
           [](const DemoFigures& f) { return demo_seconds(f.answer_p50, "never"); }},
    Figure{"until 90 % of the calls have their answer", FigureUnit::seconds,
           [](const DemoFigures& f) { return f.answer_p90.value_or(kNever); },
           [](const DemoFigures& f) { return demo_seconds(f.answer_p90, "never"); }},
    Figure{"until 99 % of the calls have their answer", FigureUnit::seconds,
           [](const DemoFigures& f) { return f.answer_p99.value_or(kNever); },
           [](const DemoFigures& f) { return demo_seconds(f.answer_p99, "never"); }},
    Figure{"until half of those that get an error have it", FigureUnit::seconds,
           [](const DemoFigures& f) { return f.error_p50.value_or(0); },
           [](const DemoFigures& f) { return demo_seconds(f.error_p50, "no errors"); }},
};

/// How far `ours` is ahead: above 0 it is a gain, below a cost. A difference that a second run
/// could turn round is none: half a per cent of a share, a tenth of a time.
double ahead(FigureUnit unit, double ours, double theirs) {
    if (ours == theirs) {  // both may be kNever
        return 0;
    }
    double slack = 0;
    switch (unit) {
        case FigureUnit::share:
            slack = 0.005;
            break;
        case FigureUnit::count:
            break;
        case FigureUnit::seconds:
            slack = std::max(0.1, 0.1 * std::min(ours, theirs));
            break;
    }
    const double better = unit == FigureUnit::share ? ours - theirs : theirs - ours;
    return std::abs(better) > slack ? better : 0;
}

/// The best row of one kind by this figure; nullptr: there is none of this kind.
const DemoFigures* best_of(const std::vector<DemoFigures>& rows, const Figure& figure, bool weir) {
    const DemoFigures* best = nullptr;
    const double sign = figure.unit == FigureUnit::share ? 1 : -1;
    for (const DemoFigures& row : rows) {
        if (row.through_weir() == weir && row.calls > 0 &&
            (best == nullptr || sign * figure.value(row) > sign * figure.value(*best))) {
            best = &row;
        }
    }
    return best;
}

std::string head(const DemoResult& result) {
    const DemoFacts& facts = result.facts;
    return fmt::format(
        "\n{} calls in {:.0f} s from {} clients, in bursts; {} sends half of them. Each row runs "
        "alone with\nits own stand-in for Bedrock: two Regions with a quota of {} tokens a minute "
        "each.\nThe load is {:.1f} times the quota of one Region. {} answers 503 from {:.0f} s to "
        "{:.0f} s.\nQuota window: {}. Seed: {}.\nTime runs {:.0f} times as fast; all times are "
        "shown as they would be in real time.\n\n",
        grouped(as_double(result.calls)), result.seconds, result.clients.size(),
        result.clients.empty() ? "" : result.clients.front(),
        grouped(as_double(result.tokens_per_minute)), result.load, facts.home, facts.outage_from,
        facts.outage_to, facts.window, facts.seed, facts.compression);
}

std::string table(const DemoResult& result) {
    std::string out;
    const auto line = [&out](const auto&... cells) {
        out += fmt::format("{:<33}{:>9}{:>9}{:>10}{:>10}{:>9}{:>9}{:>10}\n", cells...);
    };
    line("", "calls", "light", "errors", "calls", "answer:", "answer:", "error:");
    line("", "answered", "clients", "for users", "in vain", "half", "90 %", "half");
    bool weir = false;
    for (const DemoFigures& f : result.rows) {
        if (f.through_weir() && !weir) {
            out += '\n';
            weir = true;
        }
        line(f.name, percent(f.answered_share()), percent(f.answered_light), count(f.errors()),
             count(f.in_vain()), demo_seconds(f.answer_p50, "never"),
             demo_seconds(f.answer_p90, "never"), demo_seconds(f.error_p50, "no errors"));
    }
    return out;
}

/// The wait is what an error elsewhere has become; these lines show it call by call.
std::string same_calls(const DemoResult& result) {
    std::string out;
    for (const DemoSameCalls& same : result.same_calls) {
        const DemoFigures* failed_in = result.row(same.failed_in);
        const DemoFigures* seen_in = result.row(same.seen_in);
        if (failed_in == nullptr || seen_in == nullptr || same.failed == 0) {
            continue;
        }
        out += fmt::format(
            "  {:>5} failed with {}:\n        {} of these are answered with {}{}.\n",
            grouped(as_double(same.failed)), failed_in->name, count(same.answered), seen_in->name,
            same.answer_p50 ? fmt::format(", half within {:.1f} s", *same.answer_p50) : "");
    }
    return out.empty() ? out : "\nThe same calls elsewhere:\n" + out;
}

}  // namespace

std::string demo_seconds(const std::optional<double>& value, const char* missing) {
    return value ? fmt::format("{:.1f} s", *value) : missing;
}

std::vector<std::string> demo_comparison(const DemoResult& result) {
    std::vector<std::string> gains;
    std::vector<std::string> evens;
    std::vector<std::string> costs;
    for (const Figure& figure : kFigures) {
        const DemoFigures* weir = best_of(result.rows, figure, true);
        const DemoFigures* other = best_of(result.rows, figure, false);
        if (weir == nullptr || other == nullptr) {
            continue;
        }
        const double lead = ahead(figure.unit, figure.value(*weir), figure.value(*other));
        auto& lines = lead > 0 ? gains : lead < 0 ? costs : evens;
        lines.push_back(fmt::format("{:<4}{:>12}{:>12}   {}",
                                    lead > 0   ? "gain"
                                    : lead < 0 ? "cost"
                                               : "even",
                                    figure.show(*weir), figure.show(*other), figure.name));
    }
    gains.insert(gains.end(), evens.begin(), evens.end());
    gains.insert(gains.end(), costs.begin(), costs.end());
    return gains;
}

std::string demo_text(const DemoResult& result) {
    std::string out = head(result) + table(result);
    const auto compared = demo_comparison(result);
    if (!compared.empty()) {
        out += "\nThe best row with weir, and the best without:\n         with weir     without\n";
    }
    for (const std::string& line : compared) {
        out += "  " + line + "\n";
    }
    out += same_calls(result);
    out += fmt::format(
        "\nAnswered: the whole answer within the 60 s that an SDK waits. Light clients: calls of "
        "the {} "
        "clients\nthat send the other half. In vain: 429s over quota, and calls into the Region "
        "that "
        "is down. Answer,\nhalf and 90 %: when that share of all calls has its answer; \"never\" "
        "if "
        "fewer are answered. Error,\nhalf: when half of the calls that fail have failed.\n",
        result.clients.empty() ? 0 : result.clients.size() - 1);
    if (result.facts.cpu_share > 0.6) {
        out += fmt::format(
            "\nThe demo used {:.0f} % of this machine's processors: times are longer than on an "
            "idle "
            "machine.\n",
            result.facts.cpu_share * 100);
    }
    return out;
}

}  // namespace weir::cli
