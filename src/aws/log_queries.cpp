#include "aws/log_queries.h"

namespace weir::aws {

// After `stats ... by bin()` there is no @timestamp left to sort by: the bin has a name.
std::span<const LogQuery> log_queries() {
    static constexpr LogQuery kQueries[] = {
        {"throttles", "requests that ended with 429, every 5 minutes",
         R"(fields error
| filter error = "ThrottlingException"
| stats count(*) as refused by bin(5m) as time
| sort time desc)"},
        {"throttles-by-client", "who got 429, of which model, and why",
         R"(filter error = "ThrottlingException"
| stats count(*) as refused by client, model, reason
| sort refused desc)"},
        {"unavailable", "requests that ended with 503, every minute",
         R"(fields error
| filter error = "ServiceUnavailableException"
| stats count(*) as unavailable by bin(1m) as time
| sort time desc)"},
        {"unavailable-by-volume", "503 beside the number of requests and as a share of it",
         R"(fields strcontains(coalesce(error, ""), "ServiceUnavailableException") as failed
| stats count(*) as requests, sum(failed) as unavailable, 100 * sum(failed) / count(*) as percent by bin(1m) as time
| sort time desc)"},
        {"unavailable-by-target", "503 by Region and model",
         R"(fields strcontains(coalesce(error, ""), "ServiceUnavailableException") as failed
| stats count(*) as requests, sum(failed) as unavailable by target_region, target_model
| sort unavailable desc)"},
        {"outcomes", "how requests ended, every 5 minutes",
         R"(stats count(*) as requests by outcome, bin(5m) as time
| sort time desc)"},
        {"peak-minutes", "the largest minute of each client: what a quota must hold",
         R"(stats count(*) as requests, sum(reserved) as held by client, model, bin(1m) as minute
| stats max(requests) as peak_requests, max(held) as peak_tokens by client, model
| sort peak_tokens desc)"},
        {"waits", "time in the queue by model, every 5 minutes",
         R"(filter ispresent(queued_ms)
| stats avg(queued_ms) as mean, pct(queued_ms, 95) as p95, max(queued_ms) as most by model, bin(5m) as time
| sort time desc)"},
        {"fallbacks", "requests that another model answered",
         R"(filter outcome = "ok" and model != target_model
| stats count(*) as answers by model, target_region, target_model
| sort answers desc)"},
        {"held-in-vain", "max_tokens beside what answers needed",
         R"(filter ispresent(max_tokens) and ispresent(output)
| stats count(*) as requests, avg(max_tokens) as asked, avg(output) as used, pct(output, 99) as p99 by client, model
| sort asked desc)"},
        {"slowest", "the 50 longest requests, with the ids that AWS Support asks for",
         R"(fields ts, client, model, target_region, total_ms, queued_ms, attempts, upstream_request_id
| sort total_ms desc
| limit 50)"},
        {"bedrock-throttles", "calls that Bedrock refused with 429, every 5 minutes",
         R"(fields errorCode
| filter errorCode like /ThrottlingException/
| stats count(*) as refused by modelId, bin(5m) as time
| sort time desc)"},
        {"bedrock-unavailable-by-volume", "503 of Bedrock beside the number of calls",
         R"(fields strcontains(coalesce(errorCode, ""), "ServiceUnavailableException") as failed
| stats count(*) as calls, sum(failed) as unavailable, 100 * sum(failed) / count(*) as percent by modelId, bin(1m) as time
| sort time desc)"},
        {"bedrock-peak-minutes", "the largest minute of each caller, those past weir included",
         R"(stats count(*) as calls, sum(input.inputTokenCount) as input, sum(output.outputTokenCount) as output by identity.arn as caller, modelId, bin(1m) as minute
| stats max(calls) as peak_calls, max(input) as peak_input, max(output) as peak_output by caller, modelId
| sort peak_calls desc)"},
    };
    return kQueries;
}

}  // namespace weir::aws
