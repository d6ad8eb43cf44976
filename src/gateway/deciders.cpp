#include "gateway/deciders.h"

#include "gateway/clock.h"
#include "policy/class_rules.h"

#include <utility>

namespace weir::gateway {

Decision EngineDecider::report(const Failure& failure) {
    Decision next = gate_.report(id_, failure, name_, &standing_);
    if (policy::rule_of(failure.cls).course == policy::Course::hand_back && log_) {
        for (const std::string& notice : gate_.notices()) {
            log_(LogLevel::warn, notice);
        }
    }
    return next;
}

AsItCame::AsItCame(const Request& request) {
    target_.region = request.home_region;
    target_.model = request.model;
    if (request.kept) {
        target_.endpoint = request.kept->endpoint;
        grant_.path = request.kept->path;
        target_.account = request.kept->account;
    }
    grant_.target = &target_;
    grant_.output_burndown = request.snapshot->output_burndown(target_);
}

Decision AsItCame::offer(const Call& call) {
    if (call.deadline) {
        grant_.deadline = call.arrival + *call.deadline;
    }
    return again();
}

Decision AsItCame::again() const {
    Grant next = grant_;
    ++next.attempt;
    return next;
}

Decision AsItCame::report(const Failure& failure) {
    ++grant_.attempt;
    const bool unsent = failure.stage == Stage::not_sent && failure.blameless;
    const bool other_keys =
        failure.cls == FailureClass::credentials && !std::exchange(refreshed_, true);
    if ((unsent || other_keys) && grant_.attempt < kMostTries) {
        return again();
    }
    Refusal refusal;
    refusal.reason = RefusalReason::upstream_error;
    refusal.upstream = failure;
    return refusal;
}

ShadowDecider::ShadowDecider(const Request& request, ObserveGate& shadow, CallId id)
    : AsItCame(request), shadow_(shadow), id_(id) {}

Decision ShadowDecider::offer(const Call& call) {
    shadow_.offer(call);
    began_ = now();
    return AsItCame::offer(call);
}

void ShadowDecider::ended(policy::Shadow::Outcome::Kind kind, const Usage& usage) {
    policy::Shadow::Outcome outcome;
    outcome.kind = kind;
    outcome.usage = usage;
    outcome.service = now() - began_;
    shadow_.ended(id_, outcome);
}

Decision ShadowDecider::report(const Failure& failure) {
    Decision next = AsItCame::report(failure);
    if (std::holds_alternative<Refusal>(next)) {
        using Kind = policy::Shadow::Outcome::Kind;
        ended(failure.status == 429 ? Kind::throttled : Kind::failed,
              failure.seen.value_or(Usage()));
    } else {
        began_ = now();
    }
    return next;
}

void ShadowDecider::settle(const Usage& usage) {
    ended(policy::Shadow::Outcome::Kind::answered, usage);
}

void ShadowDecider::cancel(const std::optional<Usage>& so_far) {
    ended(policy::Shadow::Outcome::Kind::failed, so_far.value_or(Usage()));
}

}  // namespace weir::gateway
