// Every figure of a plan as JSON; docs/plan.md names the members.
#include "cli/plan_report.h"

#include <nlohmann/json.hpp>

namespace weir::cli {
namespace {

using nlohmann::json;

json tally(const plan::Tally& t) {
    return {{"calls", t.calls},         {"served", t.served},
            {"tokens", t.tokens},       {"tokens_served", t.tokens_served},
            {"by_count", t.by_count()}, {"by_tokens", t.by_tokens()}};
}

json shares(const std::vector<plan::Tally>& tallies, const plan::Names& names,
            const std::string& unnamed) {
    json rows = json::array();
    for (const PlanShare& share : shares_of(tallies, names, unnamed)) {
        json row = tally(share.tally);
        row["name"] = share.name;
        rows.push_back(std::move(row));
    }
    return rows;
}

json quantiles(const plan::Histogram& histogram) {
    return {{"count", histogram.count()},
            {"p50", histogram.quantile(0.5)},
            {"p95", histogram.quantile(0.95)},
            {"p99", histogram.quantile(0.99)}};
}

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

json outcome(const PlanRow& row, const PlanSetup& setup) {
    const plan::Outcome& o = row.outcome;
    json pools = json::array();
    for (const plan::Service::PoolReport& pool : o.pools) {
        json p{{"region", pool.region},
               {"model", pool.model},
               {"tokens_per_minute", or_null(pool.tokens_per_minute)},
               {"requests_per_minute", or_null(pool.requests_per_minute)},
               {"settled", pool.settled},
               {"used", or_null(quota_use(o, pool, setup.scenario.service))}};
        if (setup.scenario.service.foreign > 0) {
            p["foreign"] = {{"calls", pool.foreign.calls},
                            {"served", pool.foreign.served},
                            {"refusals", pool.foreign.refusals},
                            {"tokens", pool.foreign.asked},
                            {"tokens_served", pool.foreign.settled}};
        }
        pools.push_back(std::move(p));
    }
    json outages = json::array();
    for (const plan::OutageReport& report : o.outages) {
        json r = tally(report.during);
        r["region"] = report.outage.region;
        r["from"] = to_seconds(report.outage.from);
        r["to"] = to_seconds(report.outage.to);
        r["spell"] = report.outage.spell;
        r["sent_into"] = report.sent_into;
        if (report.outage.spell) {
            const auto back = report.back_after();
            r["most_refusals"] = report.most_refusals();
            r["taken_after"] = back ? json(to_seconds(*back)) : json(nullptr);
        }
        r["recovered_after"] =
            report.recovered ? json(to_seconds(*report.recovered)) : json(nullptr);
        outages.push_back(std::move(r));
    }
    json all = tally(o.all);
    all["strategy"] = o.key;
    all["sends"] = o.sends;
    all["sent_to"] = o.sent_to;
    all["refusals"] = o.refusals;
    all["refusals_per_success"] = o.refusals_per_success();
    all["unavailable"] = o.unavailable;
    all["truncated"] = o.truncated;
    all["store_commands"] = o.store_commands;
    all["turned_away"] = o.turned_away;
    all["wait_seconds"] = quantiles(o.wait);
    all["failure_seconds"] = quantiles(o.to_failure);
    all["quotas"] = std::move(pools);
    all["outages"] = std::move(outages);
    all["clients"] = shares(o.clients, *setup.names, "");
    all["models"] = shares(o.models, *setup.names, setup.scenario.default_model);
    all["played_in_seconds"] = row.seconds;
    return all;
}

json added(const std::optional<PlanRow>& row, const char* what, const std::string& name) {
    if (!row) {
        return nullptr;
    }
    json all = tally(row->outcome.all);
    all[what] = name;
    all["refusals_per_success"] = row->outcome.refusals_per_success();
    return all;
}

json advice(const PlanFindings& findings) {
    const plan::Advice& a = findings.advice;
    json quotas = json::array();
    for (const plan::QuotaAdvice& quota : a.quotas) {
        json clients = json::array();
        for (const auto& client : quota.clients) {
            clients.push_back({{"name", client.name},
                               {"calls", client.calls},
                               {"peak_requests", client.peak_calls},
                               {"peak_tokens", client.peak_tokens}});
        }
        quotas.push_back({{"model", quota.model},
                          {"clients", std::move(clients)},
                          {"sum_of_peak_requests", quota.sum_calls},
                          {"sum_of_peak_tokens", quota.sum_tokens},
                          {"margin", plan::kQuotaMargin},
                          {"requests_per_minute", quota.ask_calls},
                          {"tokens_per_minute", quota.ask_tokens}});
    }
    json most = json::array();
    for (const plan::MaxTokensAdvice& m : a.max_tokens) {
        most.push_back({{"model", m.model},
                        {"mean_max_tokens", m.mean_max_tokens},
                        {"mean_input", m.mean_input},
                        {"mean_settled", m.mean_settled},
                        {"mean_service_seconds", m.mean_service_seconds},
                        {"usable_share", m.usable},
                        {"output_p999", m.output_p999},
                        {"max_tokens_enough", m.enough},
                        {"usable_share_then", m.usable_then}});
    }
    json models = json::array();
    for (const plan::ModelAdvice& m : a.models) {
        models.push_back({{"model", m.model},
                          {"output_burndown", m.burndown},
                          {"context", m.context},
                          {"tokens_per_minute", m.tokens_per_minute},
                          {"of_now", m.of_now}});
    }
    json all{
        {"quotas", std::move(quotas)},
        {"max_tokens", std::move(most)},
        {"other_models", std::move(models)},
        {"second_region", added(findings.second_region, "region", findings.second_region_name)},
        {"fallback", added(findings.fallback, "model", findings.fallback_name)}};
    return all;
}

}  // namespace

std::string plan_json(const PlanOptions& options, const PlanSetup& setup,
                      const PlanFindings& findings) {
    const plan::Survey& survey = setup.survey;
    json all{{"trace",
              {{"file", options.calls.trace},
               {"calls", survey.all.calls},
               {"lines_without_usage", survey.notes.skipped},
               {"bad_lines", survey.notes.bad},
               {"seconds", to_seconds(survey.span)},
               {"shorter_than_a_minute", survey.to_a_minute() > 1},
               {"input_tokens", survey.all.input},
               {"cached_tokens", survey.all.cached},
               {"output_tokens", survey.all.output},
               {"settled_tokens", survey.all.settled},
               {"peak_requests", survey.all.peak_calls},
               {"peak_tokens", survey.all.peak_settled}}},
             {"service",
              {{"window", plan::to_string(setup.scenario.service.window)},
               {"count_refusals", options.service.count_refusals},
               {"foreign", options.service.foreign},
               {"deadline_seconds", to_seconds(setup.scenario.deadline)},
               {"learn", options.learn},
               {"seed", options.seed}}},
             {"upper_bound",
              {{"calls", findings.bound.calls},
               {"tokens", findings.bound.tokens},
               {"by_count", findings.bound.by_count},
               {"by_tokens", findings.bound.by_tokens}}},
             {"advice", advice(findings)}};
    all["strategies"] = json::array();
    for (const PlanRow& row : findings.rows) {
        all["strategies"].push_back(outcome(row, setup));
    }
    return all.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

}  // namespace weir::cli
