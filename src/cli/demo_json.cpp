// The demo's result as JSON, written and read back: `weir demo --json`, `weir demo --from`.
#include "cli/demo_report.h"

#include <nlohmann/json.hpp>

namespace weir::cli {
namespace {

using Json = nlohmann::json;

Json maybe(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

std::optional<double> maybe(const Json& json) {
    return json.is_null() ? std::nullopt : std::optional(json.get<double>());
}

Json row_json(const DemoFigures& f) {
    Json answered = Json::array();
    Json failed = Json::array();
    for (const DemoSlot& slot : f.slots) {
        answered.push_back(slot.answered);
        failed.push_back(slot.failed);
    }
    return {{"row", f.key},
            {"name", f.name},
            {"calls", f.calls},
            {"answered", f.answered},
            {"errors", f.errors()},
            {"success_calls", f.answered_share()},
            {"success_tokens", f.answered_tokens},
            {"success_light_clients", f.answered_light},
            {"refusals", f.refusals},
            {"refusals_per_success", maybe(f.refusals_per_success())},
            {"calls_into_dead_region", f.dead_calls},
            {"time_to_failure_seconds", maybe(f.error_p50)},
            {"p50_seconds", maybe(f.answer_p50)},
            {"p90_seconds", maybe(f.answer_p90)},
            {"p99_seconds", maybe(f.answer_p99)},
            {"light_clients_p50_seconds", maybe(f.light_p50)},
            {"light_clients_p90_seconds", maybe(f.light_p90)},
            {"slots", {{"answered", answered}, {"failed", failed}}}};
}

DemoFigures read_row(const Json& json) {
    DemoFigures f{.key = json.at("row"),
                  .name = json.at("name"),
                  .calls = json.at("calls"),
                  .answered = json.at("answered"),
                  .answered_tokens = json.at("success_tokens"),
                  .answered_light = json.at("success_light_clients"),
                  .refusals = json.at("refusals"),
                  .dead_calls = json.at("calls_into_dead_region"),
                  .error_p50 = maybe(json.at("time_to_failure_seconds")),
                  .answer_p50 = maybe(json.at("p50_seconds")),
                  .answer_p90 = maybe(json.at("p90_seconds")),
                  .answer_p99 = maybe(json.at("p99_seconds")),
                  .light_p50 = maybe(json.at("light_clients_p50_seconds")),
                  .light_p90 = maybe(json.at("light_clients_p90_seconds"))};
    const Json& answered = json.at("slots").at("answered");
    const Json& failed = json.at("slots").at("failed");
    for (std::size_t i = 0; i < answered.size(); ++i) {
        f.slots.push_back({.answered = answered.at(i), .failed = failed.at(i)});
    }
    return f;
}

}  // namespace

std::string demo_json(const DemoResult& result) {
    const DemoFacts& facts = result.facts;
    Json rows = Json::array();
    for (const DemoFigures& row : result.rows) {
        rows.push_back(row_json(row));
    }
    Json same_calls = Json::array();
    for (const DemoSameCalls& same : result.same_calls) {
        same_calls.push_back({{"failed_in", same.failed_in},
                              {"seen_in", same.seen_in},
                              {"failed", same.failed},
                              {"answered", same.answered},
                              {"p50_seconds", maybe(same.answer_p50)}});
    }
    const Json all{
        {"seed", facts.seed},
        {"window", facts.window},
        {"compression", facts.compression},
        {"calls", result.calls},
        {"seconds", result.seconds},
        {"clients", result.clients},
        {"load", result.load},
        {"tokens_per_minute", result.tokens_per_minute},
        {"outage", {{"region", facts.home}, {"from", facts.outage_from}, {"to", facts.outage_to}}},
        {"cpu_share", facts.cpu_share},
        {"cores", facts.cores},
        {"slot_seconds", result.slot_seconds},
        {"rows", rows},
        {"same_calls", same_calls}};
    return all.dump(2) + "\n";
}

Result<DemoResult> read_demo_json(std::string_view text) {
    try {
        const Json all = Json::parse(text);
        const Json& outage = all.at("outage");
        DemoResult result{.facts = {.seed = all.at("seed"),
                                    .window = all.at("window"),
                                    .compression = all.at("compression"),
                                    .home = outage.at("region"),
                                    .outage_from = outage.at("from"),
                                    .outage_to = outage.at("to"),
                                    .cpu_share = all.at("cpu_share"),
                                    .cores = all.at("cores")},
                          .calls = all.at("calls"),
                          .seconds = all.at("seconds"),
                          .clients = all.at("clients"),
                          .tokens_per_minute = all.at("tokens_per_minute"),
                          .load = all.at("load"),
                          .slot_seconds = all.at("slot_seconds")};
        for (const Json& row : all.at("rows")) {
            result.rows.push_back(read_row(row));
        }
        for (const Json& same : all.at("same_calls")) {
            result.same_calls.push_back({.failed_in = same.at("failed_in"),
                                         .seen_in = same.at("seen_in"),
                                         .failed = same.at("failed"),
                                         .answered = same.at("answered"),
                                         .answer_p50 = maybe(same.at("p50_seconds"))});
        }
        if (!(result.seconds > 0) || !(result.slot_seconds > 0)) {
            return failure("`seconds` and `slot_seconds` must be above 0");
        }
        return result;
    } catch (const Json::exception& error) {
        return failure(error.what());
    }
}

}  // namespace weir::cli
