#include <weir/types.h>

#include "policy/class_rules.h"

namespace weir {

std::string_view to_string(Priority priority) {
    switch (priority) {
        case Priority::interactive:
            return "interactive";
        case Priority::standard:
            return "standard";
        case Priority::batch:
            return "batch";
    }
    return "standard";
}

std::string_view to_string(FailureClass cls) {
    return policy::rule_of(cls).name;
}

std::string_view to_string(RefusalReason reason) {
    switch (reason) {
        case RefusalReason::quota:
            return "quota";
        case RefusalReason::client_limit:
            return "client_limit";
        case RefusalReason::queue_full:
            return "queue_full";
        case RefusalReason::deadline:
            return "deadline";
        case RefusalReason::daily_quota:
            return "daily_quota";
        case RefusalReason::never_fits:
            return "never_fits";
        case RefusalReason::unavailable:
            return "unavailable";
        case RefusalReason::attempts_exhausted:
            return "attempts_exhausted";
        case RefusalReason::upstream_error:
            return "upstream_error";
        case RefusalReason::no_target:
            return "no_target";
        case RefusalReason::closed:
            return "closed";
        case RefusalReason::shed:
            return "shed";
        case RefusalReason::paused:
            return "paused";
        case RefusalReason::budget:
            return "budget";
    }
    return "quota";
}

std::string_view to_string(LimitKind kind) {
    switch (kind) {
        case LimitKind::none:
            return "none";
        case LimitKind::requests:
            return "requests";
        case LimitKind::tokens:
            return "tokens";
        case LimitKind::daily_tokens:
            return "daily_tokens";
        case LimitKind::input_tokens:
            return "input_tokens";
        case LimitKind::output_tokens:
            return "output_tokens";
        case LimitKind::in_flight:
            return "in_flight";
    }
    return "none";
}

std::string_view to_string(Endpoint endpoint) {
    return endpoint == Endpoint::mantle ? "mantle" : "runtime";
}

std::string_view to_string(Tier tier) {
    switch (tier) {
        case Tier::unset:
            return {};
        case Tier::standard:
            return "default";
        case Tier::priority:
            return "priority";
        case Tier::flex:
            return "flex";
        case Tier::reserved:
            return "reserved";
    }
    return {};
}

std::string_view to_string(Choice choice) {
    switch (choice) {
        case Choice::as_it_came:
            return "as_it_came";
        case Choice::first:
            return "first";
        case Choice::drawn:
            return "drawn";
        case Choice::prompt_cache:
            return "prompt_cache";
        case Choice::spilled:
            return "spilled";
        case Choice::again:
            return "again";
        case Choice::elsewhere:
            return "elsewhere";
    }
    return "as_it_came";
}

std::string_view to_string(Hindrance hindrance) {
    switch (hindrance) {
        case Hindrance::none:
            return "none";
        case Hindrance::line:
            return "line";
        case Hindrance::quota:
            return "quota";
        case Hindrance::throttled:
            return "throttled";
        case Hindrance::other_weirs:
            return "other_weirs";
        case Hindrance::client_limit:
            return "client_limit";
        case Hindrance::in_flight:
            return "in_flight";
        case Hindrance::connections:
            return "connections";
        case Hindrance::held:
            return "held";
        case Hindrance::breaker:
            return "breaker";
        case Hindrance::day:
            return "day";
        case Hindrance::unfit:
            return "unfit";
        case Hindrance::failed:
            return "failed";
    }
    return "none";
}

}  // namespace weir
