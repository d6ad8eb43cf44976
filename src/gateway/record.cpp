#include "gateway/record.h"

#include "codec/http1.h"
#include "gateway/life_record.h"
#include "gateway/request.h"
#include "gateway/tracing.h"
#include "observe/life_spans.h"
#include "observe/sampling.h"
#include "policy/tariff.h"

#include <algorithm>

namespace weir::gateway {

namespace {

std::uint64_t quota_tokens(const Usage& usage, std::uint32_t output_burndown) {
    return usage.known ? policy::quota_tokens(usage, output_burndown) : 0;
}

}  // namespace

void Record::begin(const Grant& with) {
    set_aside();
    ++attempts;
    grant = with;
    at = *with.target;  // which a reload may take away
    grant.target = &at;
}

void Record::set_aside() {
    if (maybe_served) {
        answers_before.push_back({at, usage, grant.output_burndown, {}});
    }
    usage = {};
    maybe_served = false;
}

Usage Record::all_usage() const {
    Usage all = usage;
    for (const PaidAnswer& before : answers_before) {
        const Usage& more = before.usage;
        if (!more.known) {
            continue;
        }
        all.known = true;
        all.input += more.input;
        all.output += more.output;
        all.cache_read += more.cache_read;
        all.cache_write += more.cache_write;
        all.cache_write_1h += more.cache_write_1h;
    }
    return all;
}

observe::Costs Record::all_costs() const {
    observe::Costs all = costs;
    for (const PaidAnswer& before : answers_before) {
        all.add(before.costs);
    }
    return all;
}

void append_weir_fields(std::string& out, const Record& record, bool good) {
    using codec::append_field;
    append_field(out, "x-amzn-RequestId",
                 record.upstream_id.empty() ? record.id : record.upstream_id);
    append_field(out, "x-weir-request-id", record.id);
    if (record.attempts > 0) {
        out += "x-weir-target: ";
        if (record.told.account) {
            out += account_label(record.at.account);
            out += '/';
        }
        out += record.at.region;
        if (!record.at.model.empty()) {
            out += '/';
            out += record.at.model;
        }
        out += "\r\n";
    }
    append_field(out, "x-weir-attempts", std::to_string(record.attempts));
    append_field(out, "x-weir-queued-ms", std::to_string(to_ms(record.queued)));
    if (good && record.grant.degraded) {
        append_field(out, "x-weir-degraded", "true");
    }
    if (!record.told.budget.empty()) {
        append_field(out, "x-weir-budget", record.told.budget);
    }
}

bool is_logged(const Record& record, double sample) {
    return sample >= 1 || record.attempts == 0 || eventful(record) ||
           observe::in_sample(record.id, sample);
}

void write_record(const Record& record, const Request& request, Instant now, std::int64_t unix_ms,
                  const RecordSinks& sinks) {
    const auto total = now - record.started;
    const auto& usage = record.usage;
    const bool limited = request.is_inference();
    const bool sent = limited && record.attempts > 0;
    observe::RequestRecord r;
    r.model = request.model;
    r.operation = bedrock::to_string(request.operation());
    r.client = request.identity.name;
    r.outcome = record.outcome;
    r.refusal_reason = record.reason;
    r.repeated = record.repeated;
    r.sdk_retry = request.directives.sdk_attempt > 1;
    r.total_seconds = to_seconds(total);
    r.queued_seconds = to_seconds(record.queued);
    r.attempts = record.attempts;
    r.overhead_seconds = std::max(0.0, to_seconds(total - record.queued - record.upstream_time));
    r.first_token_seconds = record.first_token ? to_seconds(*record.first_token) : -1;
    r.account = record.at.account;
    r.region = record.at.region;
    r.target_model = record.at.model;
    r.usage = usage;
    if (sent) {
        r.reserved = record.grant.reservation;
        r.input_estimate = request.facts.input_estimate;
        r.quota_tokens = quota_tokens(usage, record.grant.output_burndown);
        if (record.begun && record.grant.fallback) {
            r.fallback_from_region = request.home_region;
            r.fallback_from_model = request.model;
        }
    }
    if (limited && otlp_metrics_on(request.snapshot->config.otlp)) {
        r.gen_ai_operation = observe::gen_ai_operation(r.operation, request.model);
    }
    if (record.trace && record.trace->kept) {
        r.trace = record.trace->caller.trace;
        r.unix_ms = unix_ms;
    }
    const auto add_to_ledger = [&](const Target& at, const observe::Costs& costs) {
        if (sinks.ledger != nullptr && costs.requests > 0) {
            sinks.ledger->add({request.identity.name, at.model, at.region,
                               account_label(at.account), request.directives.tag},
                              costs, record.outcome == observe::Outcome::ok, unix_ms / 1000);
        }
    };
    r.cost_nanodollars = record.costs.cost;
    r.unpriced_tokens = record.costs.unpriced_tokens;
    sinks.metrics.record(r);
    add_to_ledger(record.at, record.costs);
    for (const PaidAnswer& before : record.answers_before) {
        r.account = before.at.account;
        r.region = before.at.region;
        r.target_model = before.at.model;
        r.usage = before.usage;
        r.quota_tokens = quota_tokens(before.usage, before.output_burndown);
        r.cost_nanodollars = before.costs.cost;
        r.unpriced_tokens = before.costs.unpriced_tokens;
        sinks.metrics.count_answer(r);
        add_to_ledger(before.at, before.costs);
    }
    if (sinks.log == nullptr || !is_logged(record, request.snapshot->config.log.sample)) {
        return;
    }

    observe::AccessRecord a;
    a.unix_ms = unix_ms;
    a.id = record.id;
    a.upstream_request_id = record.upstream_id;
    a.sdk_invocation_id = request.directives.invocation;
    a.sdk_attempt = request.directives.sdk_attempt;
    a.client = request.identity.name;
    a.operation = r.operation;
    a.model = request.model;
    a.tag = request.directives.tag;
    a.target_region = record.at.region;
    a.target_model = record.at.model;
    if (record.attempts > 0) {
        a.endpoint = to_string(record.at.endpoint);
        a.tier = to_string(usage.tier != Tier::unset ? usage.tier : record.at.tier);
        a.target_account = account_label(record.at.account);
    }
    a.status = record.status;
    a.error = record.error_name;
    a.reason = record.reason;
    a.outcome = observe::to_string(record.outcome);
    a.attempts = record.attempts;
    a.queued_ms = to_ms(record.queued);
    if (record.first_token) {
        a.ttft_ms = to_ms(*record.first_token);
    }
    a.total_ms = to_ms(total);
    if (limited) {
        if (request.facts.input_estimate > 0) {  // else it was refused before its body was read
            a.estimated_input = request.facts.input_estimate;
        }
        a.max_tokens = request.facts.max_output;
        a.stream = request.stream;
        if (sent) {
            a.reserved = record.grant.reservation;
        }
        if (const Usage all = record.all_usage(); all.known) {
            a.input = all.input;
            a.output = all.output;
            a.cache_read = all.cache_read;
            a.cache_write = all.cache_write;
            if (const auto costs = record.all_costs(); sent && costs.unpriced_tokens == 0) {
                a.cost_nanodollars = costs.cost;
            }
        }
    }
    thread_local std::string line;  // keeps its memory: the longest line needs several KB
    line.clear();
    observe::append_access_line(line, a);
    sinks.log->write(line);
}

}  // namespace weir::gateway
