// How it went: one count in the metrics, one line in the access log.
#include "gateway/exchange.h"

#include <algorithm>

namespace weir::gateway {

void Exchange::record() {
    const auto total = now() - started_;
    if (truncated_) {  // paid for as well
        usage_.known = true;
        usage_.input += truncated_->usage.input;
        usage_.output += truncated_->usage.output;
        usage_.cache_read += truncated_->usage.cache_read;
        usage_.cache_write += truncated_->usage.cache_write;
    }
    const bool inference = bedrock::is_inference(match_.operation);
    observe::RequestRecord r;
    r.model = model_;
    r.operation = bedrock::to_string(match_.operation);
    r.client = identity_.name;
    r.outcome = outcome_;
    r.refusal_reason = reason_;
    r.repeated = repeated_;
    r.sdk_retry = sdk_attempt_ > 1;
    r.total_seconds = to_seconds(total);
    r.queued_seconds = to_seconds(queued_);
    r.overhead_seconds = std::max(0.0, to_seconds(total - queued_ - upstream_time_));
    r.first_token_seconds = first_token_ ? to_seconds(*first_token_) : -1;
    r.region = target_region_;
    r.target_model = target_model_;
    r.usage = usage_;
    if (inference && attempts_ > 0) {
        r.reserved = grant_.reservation;
        r.input_estimate = facts_.input_estimate;
        if (usage_.known) {
            r.quota_tokens =
                usage_.input + usage_.cache_write + usage_.output * grant_.output_burndown;
        }
        if (begun_ && grant_.fallback) {
            r.fallback_from_region = home_region_;
            r.fallback_from_model = model_;
        }
    }
    worker_.shared.metrics->record(r);

    if (worker_.shared.access_log == nullptr) {
        return;
    }
    observe::AccessRecord a;
    a.unix_ms = unix_ms();
    a.id = request_id_;
    a.upstream_request_id = upstream_request_id_;
    a.sdk_invocation_id = invocation_;
    a.sdk_attempt = sdk_attempt_;
    a.client = identity_.name;
    a.operation = r.operation;
    a.model = model_;
    a.target_region = target_region_;
    a.target_model = target_model_;
    if (attempts_ > 0) {
        a.endpoint = to_string(endpoint_);
        a.tier = to_string(tier_);
    }
    a.status = status_;
    a.error = error_name_;
    a.reason = reason_;
    a.outcome = observe::to_string(outcome_);
    a.attempts = attempts_;
    a.queued_ms = to_ms(queued_);
    if (first_token_) {
        a.ttft_ms = to_ms(*first_token_);
    }
    a.total_ms = to_ms(total);
    if (inference) {
        a.estimated_input = facts_.input_estimate;
        if (attempts_ > 0) {
            a.reserved = grant_.reservation;
        }
        a.max_tokens = facts_.max_output;
        a.stream = stream_;
        if (usage_.known) {
            a.input = usage_.input;
            a.output = usage_.output;
            a.cache_read = usage_.cache_read;
            a.cache_write = usage_.cache_write;
        }
    }
    observe::append_access_line(texts_->access_line, a);
    worker_.shared.access_log->write(texts_->access_line);
}

}  // namespace weir::gateway
