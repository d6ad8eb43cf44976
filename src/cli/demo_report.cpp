#include "cli/demo_report.h"

#include <algorithm>
#include <cmath>

namespace weir::cli {
namespace {

constexpr double kMostSlots = 54;

/// Nearest rank; unset if there is no value or if it is kNever.
std::optional<double> quantile(std::vector<double> values, double q) {
    if (values.empty()) {
        return std::nullopt;
    }
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    const double value = values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
    return std::isinf(value) ? std::nullopt : std::optional(value);
}

double share(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

DemoFigures figures_of(const DemoTrace& trace, const DemoRow& row, double slot_seconds) {
    DemoFigures figures{.key = row.key,
                        .name = row.name,
                        .calls = row.outcomes.size(),
                        .refusals = row.refusals,
                        .dead_calls = row.dead_calls};
    if (slot_seconds > 0) {
        figures.slots.resize(static_cast<std::size_t>(std::ceil(trace.seconds / slot_seconds)));
    }
    double tokens = 0;
    double tokens_answered = 0;
    double light = 0;
    double light_answered = 0;
    std::vector<double> answers;
    std::vector<double> light_answers;
    std::vector<double> errors;
    for (const DemoOutcome& outcome : row.outcomes) {
        const DemoCall& call = trace.calls[outcome.call];
        const double size = as_double(call.input + call.output);
        const double one = outcome.served ? 1 : 0;
        figures.answered += outcome.served ? 1 : 0;
        tokens += size;
        tokens_answered += one * size;
        const double answer = outcome.served ? outcome.seconds : kNever;
        answers.push_back(answer);
        if (call.client != 0) {
            light += 1;
            light_answered += one;
            light_answers.push_back(answer);
        }
        if (!outcome.served) {
            errors.push_back(outcome.seconds);
        }
        if (!figures.slots.empty()) {
            const auto place = static_cast<std::size_t>(call.at / slot_seconds);
            DemoSlot& slot = figures.slots[std::min(place, figures.slots.size() - 1)];
            ++(outcome.served ? slot.answered : slot.failed);
        }
    }
    figures.answered_tokens = share(tokens_answered, tokens);
    figures.answered_light = share(light_answered, light);
    figures.error_p50 = quantile(std::move(errors), 0.5);
    figures.light_p50 = quantile(light_answers, 0.5);
    figures.light_p90 = quantile(std::move(light_answers), 0.9);
    figures.answer_p50 = quantile(answers, 0.5);
    figures.answer_p90 = quantile(answers, 0.9);
    figures.answer_p99 = quantile(std::move(answers), 0.99);
    return figures;
}

DemoSameCalls same_calls(const DemoRow& failed_in, const DemoRow& seen_in, std::size_t calls) {
    DemoSameCalls same{.failed_in = failed_in.key, .seen_in = seen_in.key};
    std::vector<bool> failed(calls);
    for (const DemoOutcome& outcome : failed_in.outcomes) {
        failed[outcome.call] = !outcome.served;
        same.failed += outcome.served ? 0 : 1;
    }
    std::vector<double> answers;
    for (const DemoOutcome& outcome : seen_in.outcomes) {
        if (failed[outcome.call] && outcome.served) {
            answers.push_back(outcome.seconds);
        }
    }
    same.answered = answers.size();
    same.answer_p50 = quantile(std::move(answers), 0.5);
    return same;
}

}  // namespace

double DemoFigures::answered_share() const {
    return share(as_double(answered), as_double(calls));
}

std::optional<double> DemoFigures::refusals_per_success() const {
    return answered > 0 ? std::optional(as_double(refusals) / as_double(answered)) : std::nullopt;
}

DemoResult demo_result(const DemoTrace& trace, const DemoFacts& facts,
                       const std::vector<DemoRow>& rows) {
    DemoResult result{.facts = facts,
                      .calls = trace.calls.size(),
                      .seconds = trace.seconds,
                      .clients = trace.clients,
                      .tokens_per_minute = trace.tokens_per_minute,
                      .load = trace.load,
                      .slot_seconds = std::ceil(trace.seconds / kMostSlots)};
    for (const DemoRow& row : rows) {
        result.rows.push_back(figures_of(trace, row, result.slot_seconds));
    }
    const auto weir = [](const DemoRow& row) { return row.key.starts_with("weir"); };
    const auto ours = std::ranges::find_if(rows, weir);
    for (const DemoRow& row : rows) {
        if (ours != rows.end() && !weir(row)) {
            result.same_calls.push_back(same_calls(row, *ours, trace.calls.size()));
            result.same_calls.push_back(same_calls(*ours, row, trace.calls.size()));
        }
    }
    return result;
}

const DemoFigures* DemoResult::row(std::string_view key) const {
    const auto found = std::ranges::find(rows, key, &DemoFigures::key);
    return found != rows.end() ? &*found : nullptr;
}

}  // namespace weir::cli
