#include "gateway/life_record.h"

#include "gateway/clock.h"
#include "gateway/request.h"
#include "policy/tariff.h"

#include <chrono>

namespace weir::gateway {
namespace {

using observe::kNever;
using observe::Moment;

Moment micros(Duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

Moment moment(const Record& record, Instant at) {
    return micros(at - record.started);
}

Moment moment(const Record& record, std::optional<Instant> at) {
    return at ? moment(record, *at) : kNever;
}

/// A call that has not ended has no outcome.
std::string_view result_of(const Record& record, const Failure* failure) {
    return failure != nullptr ? to_string(failure->cls) : observe::to_string(record.outcome);
}

}  // namespace

observe::WaitStep wait_step(const Record& record, std::optional<Instant> until) {
    observe::WaitStep step;
    step.from = moment(record, record.doing.since);
    step.to = moment(record, until);
    if (record.doing.standing == nullptr) {
        return step;
    }
    const Standing& wait = *record.doing.standing;
    step.cause = wait.cause;
    step.region = wait.region;
    step.model = wait.model;
    step.limit_kind = wait.limit_kind;
    step.limit = wait.limit;
    step.used = wait.used;
    step.cost = wait.cost;
    step.calls_before = wait.calls_before;
    step.tokens_before = wait.tokens_before;
    step.held_before = wait.held_before;
    step.turn = wait.turn ? micros(*wait.turn) : kNever;
    step.targets = wait.targets;
    return step;
}

observe::AttemptStep attempt_step(const Record& record, Instant sent, std::optional<Instant> until,
                                  const Failure* failure) {
    const Doing& doing = record.doing;
    observe::AttemptStep step;
    step.number = record.attempts;
    step.from = moment(record, doing.since);
    step.sent = sent > doing.since ? moment(record, sent) : kNever;
    step.head = doing.head > doing.since ? moment(record, doing.head) : kNever;
    step.to = moment(record, until);
    step.account = account_label(record.at.account);
    step.region = record.at.region;
    step.model = record.at.model;
    step.endpoint = to_string(record.at.endpoint);
    step.tier = to_string(record.at.tier);
    step.why = record.grant.why;
    step.reservation = record.grant.reservation;
    step.right_sized = record.grant.right_sized;
    if (until) {
        step.result = result_of(record, failure);
        step.status = failure != nullptr ? failure->status : record.status;
        step.error = failure != nullptr ? std::string_view(failure->error_type) : "";
        const Usage& usage = failure != nullptr && failure->seen ? *failure->seen : record.usage;
        if (usage.known && record.grant.output_burndown > 0) {
            step.quota_tokens = policy::quota_tokens(usage, record.grant.output_burndown);
        }
    }
    return step;
}

observe::RefusalStep refusal_step(const Record& record, const Refusal& refusal, Instant now) {
    observe::RefusalStep step;
    step.at = moment(record, now);
    step.reason = refusal.reason;
    step.region = refusal.region;
    step.model = refusal.model;
    step.limit_kind = refusal.limit_kind;
    step.limit = refusal.limit;
    step.used = refusal.used;
    step.cost = refusal.cost;
    step.retry_after = micros(refusal.retry_after);
    step.repeated = refusal.repeated;
    return step;
}

observe::Life life_of(const Record& record, const Request& request, std::optional<Instant> ended,
                      std::int64_t unix_ms) {
    observe::Life life;
    life.unix_ms = unix_ms - to_ms(ended.value_or(now()) - record.started);
    life.ended = moment(record, ended);
    life.so_far = ended ? kNever : moment(record, now());
    life.first_content = record.first_token ? micros(*record.first_token) : kNever;
    life.id = record.id;
    life.upstream_id = record.upstream_id;
    life.sdk_invocation = request.directives.invocation;
    life.client = request.identity.name;
    life.operation = bedrock::to_string(request.operation());
    life.model = request.model;
    life.tag = request.directives.tag;
    life.home_region = request.home_region;
    if (ended) {
        life.outcome = observe::to_string(record.outcome);
        life.reason = record.reason;
        life.error = record.error_name;
        life.status = record.status;
    }
    life.priority = request.directives.priority;
    life.stream = request.stream;
    life.limited = request.is_inference() && !request.snapshot->observes(request.model);
    life.sdk_attempt = request.directives.sdk_attempt;
    life.bytes = request.body.text.empty() ? request.head.content_length : request.body.text.size();
    life.input_estimate = request.facts.input_estimate;
    life.max_tokens = request.facts.max_output;
    if (request.directives.deadline) {
        life.deadline = micros(*request.directives.deadline);
    }
    life.usage = record.all_usage();
    if (const auto costs = record.all_costs();
        ended && life.usage.known && costs.unpriced_tokens == 0) {
        life.cost_nanodollars = costs.cost;
    }
    life.output_burndown = record.grant.output_burndown;
    life.left_out = record.trail.left_out();
    life.steps = record.trail.packed();
    return life;
}

bool eventful(const Record& record) {
    const Choice choice = record.grant.why.choice;
    return record.queued > Duration::zero() || record.attempts > 1 ||
           record.outcome != observe::Outcome::ok ||
           (record.attempts > 0 && choice >= Choice::spilled);
}

}  // namespace weir::gateway
