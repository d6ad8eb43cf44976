// The settings of what is told of the calls, one row each: log, explanations, what they cost and
// may cost, OpenTelemetry.
#pragma once

#include "policy/setting_row.h"

#include <weir/config.h>

namespace weir::policy {

constexpr Range kSampled{.least = 0, .most = 1, .otherwise = "must be between 0 and 1"};
constexpr Range kDollars{
    .least = 0, .most = 1e6, .otherwise = "must be between 0 and 1000000 US dollars"};
constexpr Range kBudget{.least = 0,
                        .most = 1e9,
                        .least_excluded = true,
                        .otherwise = "must be above 0, at most 1000000000 US dollars"};

template <class V, Of<LogConfig> C>
void visit(V& v, C& c) {
    v(c.level, {"level", "debug, info, warn, error"});
    v(c.format, {.key = "format",
                 .comment = "auto (text on a terminal), text, json",
                 .effect = Effect::restart,
                 .traits = kShowEmpty,
                 .words = "auto, text, json"});
    v(c.sample,
      {"sample", "share of requests with a line; those that waited or failed have one", kSampled});
}

template <class V, Of<ExplainConfig> C>
void visit(V& v, C& c) {
    v(c.memory, {"memory",
                 "of recent requests, for GET /explain/ID; 0: none",
                 {.most = 1 << 30, .otherwise = "is above 1GiB, the largest allowed"},
                 Effect::restart,
                 kSize});
    v(c.requests, {"requests",
                   "at most so many of them",
                   {.most = 10'000'000, .otherwise = "is above 10,000,000, the largest allowed"},
                   Effect::restart});
}

template <class V, Of<PriceConfig> C>
void visit(V& v, C& c) {
    const auto price = [&](auto& value, std::string_view key) {
        v(value, {key, "of a million tokens; unset: unknown", kDollars});
    };
    v(c.models, {"models", "patterns with *, as in the targets"});
    v(c.region, {"region", "unset: any"});
    v(c.account, {"account", "of `accounts`, or default; unset: any"});
    v(c.tier, {.key = "tier",
               .comment = "priority, default, flex, reserved",
               .unset = "priority, default, flex, reserved; unset: any"});
    price(c.input, "input");
    price(c.output, "output");
    price(c.cache_read, "cache_read");
    price(c.cache_write, "cache_write");
    price(c.cache_write_1h, "cache_write_1h");
}

template <class V, Of<BudgetConfig> C>
void visit(V& v, C& c) {
    v(c.per_day, {"per_day", "US dollars, UTC", kBudget});
    v(c.per_month, {"per_month", "US dollars, UTC", kBudget});
    v(c.warn_at, {"warn_at",
                  "share of either",
                  {.least = 0,
                   .most = 1,
                   .least_excluded = true,
                   .otherwise = "must be above 0 and at most 1: 0.8 warns at 80 %"}});
    v(c.then, {"then", "warn, lower (to the class batch), refuse"});
}

template <class V, Of<CostsConfig> C>
void visit(V& v, C& c) {
    v(c.file, {"file",
               "keeps the ledger over a restart; \"\": none (STATE_DIRECTORY)",
               {},
               Effect::restart,
               kShowEmpty});
    v(c.tags, {"tags",
               "values of x-weir-tag a day; more are `other`",
               {.most = 10'000, .otherwise = "is above 10,000, the largest allowed"}});
    v(c.days, {"days",
               "that are kept",
               {.least = 31, .most = 3660, .otherwise = "must be between 31 and 3660"}});
}

template <class V, Of<OtlpConfig> C>
void visit(V& v, C& c) {
    v(c.endpoint, {.key = "endpoint",
                   .comment = "of a collector, http://HOST:4318; unset: nothing is sent",
                   .traits = kUrl});
    v(c.headers, {.key = "headers", .comment = "name=value,name=value", .traits = kSecret});
    v(c.ca, {"ca", "PEM file; unset: the system's store"});
    v(c.traces, {"traces"});
    v(c.metrics, {"metrics"});
    v(c.sample, {"sample", "share of the traces that begin here", kSampled});
    v(c.keep_trouble, {"keep_trouble", "all traces of what failed, was refused or waited"});
    v(c.metrics_every,
      {"metrics_every", "between two", {.least = 1, .otherwise = "must be 1s or longer"}});
    v(c.service, {.key = "service", .comment = "service.name", .traits = kShowEmpty});
    v(c.attributes, {.key = "attributes",
                     .comment = "of the resource, besides",
                     .entries = "texts, `deployment.environment.name: production`",
                     .each = "a text"});
}

}  // namespace weir::policy
