// The report that people read, 100 columns wide.
#include "cli/plan_report.h"
#include "observe/figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace weir::cli {
namespace {

using observe::figure;
using observe::grouped;
using observe::percent;

constexpr std::size_t kMostShown = 20;

std::string seconds(double value) {
    return value < 10 ? fmt::format("{:.2f} s", value) : fmt::format("{:.1f} s", value);
}

std::string quota_text(const plan::Service::PoolReport& pool) {
    std::string text;
    if (pool.tokens_per_minute) {
        text = figure(*pool.tokens_per_minute) + " tokens";
    }
    if (pool.requests_per_minute) {
        text += (text.empty() ? "" : " and ") + figure(*pool.requests_per_minute) + " requests";
    }
    return text.empty() ? "no quota" : text + " a minute";
}

class Text {
public:
    Text(const PlanOptions& options, const PlanSetup& setup, const PlanFindings& findings)
        : options_(options),
          setup_(setup),
          service_(setup.scenario.service),
          findings_(findings),
          weir_(findings.rows.front().outcome) {}

    std::string make() {
        head();
        table();
        pools();
        for (const PlanRow& row : findings_.rows) {
            outages(row.outcome);
        }
        shares("client", weir_.clients, "(unnamed)");
        shares("model", weir_.models, setup_.scenario.default_model);
        advice();
        return std::move(text_);
    }

private:
    template <class... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        text_ += fmt::format(format, std::forward<Args>(args)...);
        text_ += '\n';
    }

    void head() {
        const plan::Survey& survey = setup_.survey;
        const double minutes = survey.minutes();
        line("Trace    {}", options_.calls.trace);
        line("         {} calls in {:.1f} min: {:.1f} calls and {} settled tokens a minute",
             figure(survey.all.calls), survey.minutes(),
             static_cast<double>(survey.all.calls) / minutes,
             grouped(static_cast<double>(survey.all.settled) / minutes));
        line("         most in any 60 s: {} calls, {} tokens", figure(survey.all.peak_calls),
             figure(survey.all.peak_settled));
        if (survey.to_a_minute() > 1) {
            line(
                "         That is {:.0f} s of traffic: a figure for a minute is what it would come "
                "to at",
                survey.minutes() * 60);
            line("         this rate. Plan with a longer trace, best one with its busiest hour.");
        }
        if (survey.notes.bad > 0) {
            line("         {} lines could not be read and were left out:",
                 figure(survey.notes.bad));
            for (const std::string& bad : survey.notes.first_bad) {
                line("           {}", bad);
            }
        }
        if (survey.notes.skipped > 0) {
            line("         {} lines without usage were left out", figure(survey.notes.skipped));
        }
        line("Service  window {}, {}, deadline {}, seed {}{}{}", plan::to_string(service_.window),
             survey.notes.access_log
                 ? std::string("times as logged")
                 : fmt::format("first token after {}, then {:g} tokens/s", options_.service.ttft,
                               options_.service.tokens_per_second),
             options_.calls.deadline, options_.seed,
             service_.count_refusals ? ", refused calls count" : "",
             options_.learn ? ", weir is not told the quota" : "");
        line("");
    }

    void table() {
        line("{:<20}{:>9}{:>9}{:>11}{:>9}{:>9}{:>9}{:>11}{:>11}", "", "served", "served", "429 per",
             "wait", "wait", "wait", "failure", "failure");
        line("{:<20}{:>9}{:>9}{:>11}{:>9}{:>9}{:>9}{:>11}{:>11}", "", "calls", "tokens", "served",
             "p50", "p95", "p99", "p50", "p95");
        for (const PlanRow& row : findings_.rows) {
            const plan::Outcome& o = row.outcome;
            const bool failed = o.to_failure.count() > 0;
            line("{:<20}{:>9}{:>9}{:>11.3f}{:>9}{:>9}{:>9}{:>11}{:>11}", o.name,
                 percent(o.all.by_count()), percent(o.all.by_tokens()), o.refusals_per_success(),
                 seconds(o.wait.quantile(0.5)), seconds(o.wait.quantile(0.95)),
                 seconds(o.wait.quantile(0.99)), failed ? seconds(o.to_failure.quantile(0.5)) : "-",
                 failed ? seconds(o.to_failure.quantile(0.95)) : "-");
        }
        line("{:<20}{:>9}{:>9}   nobody can serve more, not even knowing the future", "upper bound",
             percent(findings_.bound.by_count), percent(findings_.bound.by_tokens));
        line("");
        line(
            "served: the complete answer, or a stream's first token, within the deadline. wait: "
            "until the");
        line("attempt that was served. failure: until the caller knew that there is none in time.");
        line("");
        for (const PlanRow& row : findings_.rows) {
            const plan::Outcome& o = row.outcome;
            std::string regions;
            for (const auto& [region, sends] : o.sent_to) {
                regions +=
                    fmt::format("{}{} {:.3f}", regions.empty() ? "" : ", ", region,
                                static_cast<double>(sends) / static_cast<double>(o.all.calls));
            }
            line("{:<20}sends a call: {}", o.name, regions.empty() ? "none" : regions);
            for (const auto& [reason, calls] : o.turned_away) {
                line("{:<20}{} calls refused by weir itself: {}", "", figure(calls), reason);
            }
            if (o.store_commands > 0) {
                const auto commands = static_cast<double>(o.store_commands);
                line("{:<20}commands to the store: {:.2f} a call, {:.1f} a second", "",
                     commands / static_cast<double>(o.all.calls),
                     commands / (60 * setup_.survey.minutes()));
            }
            if (o.truncated > 0) {
                line("{:<20}{} answers cut short of what the caller allowed", "",
                     figure(o.truncated));
            }
        }
        line("");
    }

    void pools() {
        for (const plan::Service::PoolReport& pool : weir_.pools) {
            line("Quota    {} {}: {}", pool.region, pool.model, quota_text(pool));
            for (const PlanRow& row : findings_.rows) {
                const auto same = std::ranges::find_if(row.outcome.pools, [&](const auto& other) {
                    return other.region == pool.region && other.model == pool.model;
                });
                if (same == row.outcome.pools.end()) {
                    continue;
                }
                if (const auto use = quota_use(row.outcome, *same, service_)) {
                    line("         {:<20}used {} of it", row.outcome.name, percent(*use));
                }
                const plan::ForeignReport& foreign = same->foreign;
                if (foreign.calls > 0) {
                    line(
                        "           another program: {} of its {} calls served, {} of its "
                        "tokens; {:.2f} 429s each",
                        percent(static_cast<double>(foreign.served) /
                                static_cast<double>(foreign.calls)),
                        figure(foreign.calls),
                        percent(static_cast<double>(foreign.settled) /
                                static_cast<double>(foreign.asked)),
                        static_cast<double>(foreign.refusals) /
                            std::max(1.0, static_cast<double>(foreign.served)));
                }
            }
        }
        line("");
    }

    void outages(const plan::Outcome& outcome) {
        for (const plan::OutageReport& report : outcome.outages) {
            const double calls = static_cast<double>(report.during.calls);
            line("{}   {} {:g} to {:g} s, {}: {} of {} calls served",
                 report.outage.spell ? "429s  " : "Outage", report.outage.region,
                 to_seconds(report.outage.from), to_seconds(report.outage.to), outcome.name,
                 percent(report.during.by_count()), grouped(calls));
            if (report.outage.spell) {
                const auto back = report.back_after();
                line("         at most {} refusals a target; {}", report.most_refusals(),
                     back ? fmt::format("the first call taken {:.1f} s after", to_seconds(*back))
                          : "no call taken afterwards");
                continue;
            }
            line("         {:.3f} sends into the dead Region a call; {}",
                 calls > 0 ? static_cast<double>(report.sent_into) / calls : 0,
                 report.recovered
                     ? fmt::format("90 % served again {:g} s after", to_seconds(*report.recovered))
                     : "not 90 % served again afterwards");
        }
        if (!outcome.outages.empty()) {
            line("");
        }
    }

    void shares(const char* title, const std::vector<plan::Tally>& tallies,
                const std::string& unnamed) {
        const auto rows = shares_of(tallies, *setup_.names, unnamed);
        if (rows.size() < 2) {
            return;
        }
        line("{:<46}{:>12}{:>14}{:>14}", fmt::format("weir, by {}", title), "calls", "served calls",
             "served tokens");
        for (std::size_t i = 0; i < std::min(rows.size(), kMostShown); ++i) {
            const plan::Tally& tally = rows[i].tally;
            line("  {:<44.44}{:>12}{:>14}{:>14}", rows[i].name, figure(tally.calls),
                 percent(tally.by_count()), percent(tally.by_tokens()));
        }
        if (rows.size() > kMostShown) {
            line("  and {} more; --json has them", rows.size() - kMostShown);
        }
        line("");
    }

    void advice() {
        line("Advice");
        for (const plan::QuotaAdvice& quota : findings_.advice.quotas) {
            advise_quota(quota);
        }
        for (const plan::MaxTokensAdvice& most : findings_.advice.max_tokens) {
            advise_max_tokens(most);
        }
        if (findings_.second_region) {
            line("- Second Region: with {} behind {}, at the same quota, weir would serve",
                 findings_.second_region_name, setup_.scenario.home_region);
            instead(findings_.second_region->outcome.all);
        }
        if (findings_.fallback) {
            line("- Fallback: with {} behind each model, at the same quota,",
                 findings_.fallback_name.substr(0, 50));
            line("  weir would serve");
            instead(findings_.fallback->outcome.all);
        }
        advise_models();
    }

    void instead(const plan::Tally& tally) {
        line("  {} of calls and {} of tokens instead of {} and {}.", percent(tally.by_count()),
             percent(tally.by_tokens()), percent(weir_.all.by_count()),
             percent(weir_.all.by_tokens()));
    }

    void advise_quota(const plan::QuotaAdvice& quota) {
        line("- Quota of {}: {}, client by client:", quota.model,
             setup_.survey.to_a_minute() > 1 ? "a minute at the rate that was seen"
                                             : "most in any 60 s");
        for (std::size_t i = 0; i < std::min(quota.clients.size(), kMostShown); ++i) {
            const auto& client = quota.clients[i];
            line("    {:<44.44}{:>10} calls{:>16} tokens",
                 client.name.empty() ? "(unnamed)" : client.name, figure(client.peak_calls),
                 figure(client.peak_tokens));
        }
        if (quota.clients.size() > kMostShown) {
            line("    and {} more", quota.clients.size() - kMostShown);
        }
        line("  Together {} calls and {} tokens; x {:.2f}, rounded up: ask for {} requests and",
             figure(quota.sum_calls), figure(quota.sum_tokens), plan::kQuotaMargin,
             figure(quota.ask_calls));
        line("  {} tokens a minute.", figure(quota.ask_tokens));
    }

    void advise_max_tokens(const plan::MaxTokensAdvice& most) {
        line("- max_tokens of {}:", most.model);
        line(
            "  a call asks for M = {:.0f} in the mean, has I = {:.0f} tokens of input, settles "
            "c = {:.0f} and takes",
            most.mean_max_tokens, most.mean_input, most.mean_settled);
        line("  S = {:.1f} s. Usable share of the quota: 60c / (60c + S(M + I - c)) = {}.",
             most.mean_service_seconds, percent(most.usable));
        line("  99.9 % of answers have at most {:.0f} tokens; x {:.1f}, rounded up: {}.",
             most.output_p999, plan::kMaxTokensMargin, figure(most.enough));
        if (static_cast<double>(most.enough) < most.mean_max_tokens) {
            line("  With max_tokens = {} the usable share would be {}.", figure(most.enough),
                 percent(most.usable_then));
        } else {
            line("  That is no less than what is asked for: leave it.");
        }
    }

    void advise_models() {
        const plan::Advice& advice = findings_.advice;
        if (advice.models.empty()) {
            return;
        }
        line("- Other models: {} settles", advice.busiest);
        line("  input + {} x output = {} tokens a minute; its context is {}, the largest",
             advice.busiest_burndown, grouped(advice.busiest_tokens_per_minute),
             figure(advice.busiest_context));
        line("  input {}. The same traffic elsewhere (nothing is said of the answers):",
             figure(advice.largest_input));
        line("    {:<42}{:>16}{:>8}{:>10}{:>12}", "", "tokens a minute", "of now", "burndown",
             "context");
        for (const plan::ModelAdvice& model : advice.models) {
            line("    {:<42}{:>16}{:>8}{:>10}{:>12}", model.model, grouped(model.tokens_per_minute),
                 fmt::format("{:.0f} %", model.of_now * 100), model.burndown,
                 figure(model.context));
        }
    }

    const PlanOptions& options_;
    const PlanSetup& setup_;
    const plan::ServiceSetup& service_;
    const PlanFindings& findings_;
    const plan::Outcome& weir_;
    std::string text_;
};

}  // namespace

std::optional<double> quota_use(const plan::Outcome& outcome, const plan::Service::PoolReport& pool,
                                const plan::ServiceSetup& service) {
    if (!pool.tokens_per_minute) {
        return std::nullopt;
    }
    const double windows =
        to_seconds(std::max(service.span, outcome.end)) / to_seconds(service.window.length);
    return static_cast<double>(pool.settled) /
           (static_cast<double>(*pool.tokens_per_minute) * std::max(1.0, windows));
}

std::vector<PlanShare> shares_of(const std::vector<plan::Tally>& tallies, const plan::Names& names,
                                 const std::string& unnamed) {
    constexpr std::size_t kMost = 200;
    std::vector<PlanShare> rows;
    for (std::uint32_t i = 0; i < tallies.size(); ++i) {
        if (tallies[i].calls > 0) {
            rows.push_back({i == plan::Names::kNone ? unnamed : names.name(i), tallies[i]});
        }
    }
    std::ranges::sort(rows, [](const PlanShare& a, const PlanShare& b) {
        return std::tie(b.tally.tokens, a.name) < std::tie(a.tally.tokens, b.name);
    });
    if (rows.size() > kMost) {
        PlanShare rest{"other", {}};
        for (std::size_t i = kMost; i < rows.size(); ++i) {
            const plan::Tally& tally = rows[i].tally;
            rest.tally.calls += tally.calls;
            rest.tally.served += tally.served;
            rest.tally.tokens += tally.tokens;
            rest.tally.tokens_served += tally.tokens_served;
        }
        rows.resize(kMost);
        rows.push_back(std::move(rest));
    }
    return rows;
}

std::string plan_text(const PlanOptions& options, const PlanSetup& setup,
                      const PlanFindings& findings) {
    return Text(options, setup, findings).make();
}

}  // namespace weir::cli
