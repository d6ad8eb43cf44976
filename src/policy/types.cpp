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

}  // namespace weir
