#include "observe/explain.h"

#include "observe/costs.h"
#include "observe/faster.h"
#include "observe/or_null.h"
#include "policy/tariff.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace weir::observe {
namespace {

using nlohmann::ordered_json;

ordered_json limit_json(LimitKind kind, std::uint64_t limit, std::uint64_t used,
                        std::uint64_t cost) {
    if (kind == LimitKind::none) {
        return {};
    }
    return {{"kind", to_string(kind)},
            {"limit", limit == 0 ? ordered_json() : ordered_json(limit)},
            {"used", used},
            {"needed", cost}};
}

ordered_json step_json(const WaitStep& wait) {
    return {{"step", "wait"},
            {"from_ms", ms_or_null(wait.from)},
            {"to_ms", ms_or_null(wait.to)},
            {"because", to_string(wait.cause)},
            {"region", or_null(wait.region)},
            {"model", or_null(wait.model)},
            {"limit", limit_json(wait.limit_kind, wait.limit, wait.used, wait.cost)},
            {"calls_before", wait.calls_before},
            {"tokens_before", wait.tokens_before},
            {"expected_ms", ms_or_null(wait.turn)},
            {"targets", wait.targets}};
}

ordered_json step_json(const AttemptStep& attempt) {
    return {{"step", "attempt"},
            {"from_ms", ms_or_null(attempt.from)},
            {"sent_ms", ms_or_null(attempt.sent)},
            {"head_ms", ms_or_null(attempt.head)},
            {"to_ms", ms_or_null(attempt.to)},
            {"account", or_null(attempt.account)},
            {"region", or_null(attempt.region)},
            {"model", or_null(attempt.model)},
            {"endpoint", or_null(attempt.endpoint)},
            {"tier", or_null(attempt.tier)},
            {"choice", to_string(attempt.why.choice)},
            {"first_hindered_by", attempt.why.choice == Choice::spilled
                                      ? ordered_json(to_string(attempt.why.first_hindered))
                                      : ordered_json()},
            {"reserved", attempt.reservation},
            {"quota_tokens",
             attempt.quota_tokens ? ordered_json(*attempt.quota_tokens) : ordered_json()},
            {"max_tokens", attempt.why.output},
            {"right_sized", attempt.right_sized},
            {"result", or_null(attempt.result)},
            {"status", attempt.status == 0 ? ordered_json() : ordered_json(attempt.status)},
            {"error", or_null(attempt.error)}};
}

ordered_json step_json(const RefusalStep& refusal) {
    return {{"step", "refusal"},
            {"from_ms", ms_or_null(refusal.at)},
            {"because", to_string(refusal.reason)},
            {"region", or_null(refusal.region)},
            {"model", or_null(refusal.model)},
            {"limit", limit_json(refusal.limit_kind, refusal.limit, refusal.used, refusal.cost)},
            {"retry_after_ms", ms_or_null(refusal.retry_after)},
            {"repeated", refusal.repeated}};
}

ordered_json faster_json(const Faster& one) {
    return {
        {"what", one.what},
        {"text", one.text},
        {"region", or_null(one.region)},
        {"model", or_null(one.model)},
        {"limit_kind", one.limit_kind == LimitKind::none ? ordered_json()
                                                         : ordered_json(to_string(one.limit_kind))},
        {"from", or_null(one.from)},
        {"to", or_null(one.to)}};
}

/// Null where weir does not limit the call, or has sent nothing.
ordered_json estimate_json(const Life& life, const AttemptStep* first) {
    if (!life.limited) {
        return {};
    }
    ordered_json out = {{"body_bytes", life.bytes},
                        {"input_counted", life.input_estimate},
                        {"max_tokens_asked", or_null(life.max_tokens)}};
    if (first != nullptr) {
        out["input_known"] = first->why.input_known;
        out["input_expected"] = first->why.input_expected;
        out["input_held"] = first->why.input_held;
        out["max_tokens"] = first->why.output;
        out["output_held"] = first->why.output_held;
        out["reserved"] = first->reservation;
    }
    return out;
}

ordered_json settlement_json(const Life& life, std::span<const Step> steps) {
    const Settled settled = settled_of(life, steps);
    if (!life.limited || settled.answers == 0 || !life.usage.known) {
        return {};
    }
    const Usage& usage = life.usage;
    return {
        {"input", usage.input},
        {"output", usage.output},
        {"cache_read", usage.cache_read},
        {"cache_write", usage.cache_write},
        {"cache_write_1h", usage.cache_write_1h},
        {"output_burndown", life.output_burndown},
        {"quota_tokens",
         life.output_burndown == 0 ? ordered_json() : ordered_json(settled.quota_tokens)},
        {"reserved", settled.reserved},
        {"cost_usd", life.cost_nanodollars
                         ? ordered_json(static_cast<double>(*life.cost_nanodollars) / kNanoOfDollar)
                         : ordered_json()}};
}

std::string_view state_of(const Life& life, std::span<const Step> steps) {
    if (life.ended != kNever) {
        return "ended";
    }
    if (!steps.empty()) {
        if (const auto* wait = std::get_if<WaitStep>(&steps.back()); wait && wait->to == kNever) {
            return "waiting";
        }
        if (const auto* sent = std::get_if<AttemptStep>(&steps.back());
            sent && sent->to == kNever) {
            return "sent";
        }
    }
    return "under_way";
}

}  // namespace

std::string explain_json(const Life& life, std::span<const std::string> other_regions) {
    const std::vector<Step> steps = unpack_steps(life.steps);
    const AttemptStep* first = nullptr;
    ordered_json told = ordered_json::array();
    Moment queued = 0;
    for (const Step& step : steps) {
        told.push_back(std::visit([](const auto& one) { return step_json(one); }, step));
        if (const auto* attempt = std::get_if<AttemptStep>(&step)) {
            first = first == nullptr ? attempt : first;
        } else if (const auto* wait = std::get_if<WaitStep>(&step)) {
            queued += waited(*wait, life);
        }
    }
    ordered_json out;
    out["id"] = life.id;
    out["state"] = state_of(life, steps);
    out["sentences"] = sentences(life, steps);
    out["faster"] = ordered_json::array();
    for (const Faster& one : faster(life, steps, other_regions)) {
        out["faster"].push_back(faster_json(one));
    }
    out["request"] = {
        {"arrived_unix_ms", life.unix_ms},
        {"client", or_null(life.client)},
        {"operation", or_null(life.operation)},
        {"model", or_null(life.model)},
        {"tag", or_null(life.tag)},
        {"home_region", or_null(life.home_region)},
        {"priority", to_string(life.priority)},
        {"stream", life.stream},
        {"deadline_ms", ms_or_null(life.deadline)},
        {"sdk_invocation_id", or_null(life.sdk_invocation)},
        {"sdk_attempt", life.sdk_attempt == 0 ? ordered_json() : ordered_json(life.sdk_attempt)}};
    out["estimate"] = estimate_json(life, first);
    out["steps"] = std::move(told);
    out["steps_left_out"] = life.left_out;
    out["settlement"] = settlement_json(life, steps);
    out["answer"] = {{"status", life.status == 0 ? ordered_json() : ordered_json(life.status)},
                     {"outcome", or_null(life.outcome)},
                     {"error", or_null(life.error)},
                     {"reason", or_null(life.reason)},
                     {"upstream_request_id", or_null(life.upstream_id)}};
    out["times"] = {{"total_ms", ms_or_null(life.ended)},
                    {"queued_ms", ms_or_null(queued)},
                    {"first_content_ms", ms_or_null(life.first_content)}};
    return out.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace weir::observe
