#include <weir/types.h>

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
    switch (cls) {
        case FailureClass::quota_requests:
            return "quota_requests";
        case FailureClass::quota_tokens:
            return "quota_tokens";
        case FailureClass::daily:
            return "daily";
        case FailureClass::capacity:
            return "capacity";
        case FailureClass::overloaded:
            return "overloaded";
        case FailureClass::server:
            return "server";
        case FailureClass::network:
            return "network";
        case FailureClass::timeout:
            return "timeout";
        case FailureClass::reset:
            return "reset";
        case FailureClass::slow_model:
            return "slow_model";
        case FailureClass::credentials:
            return "credentials";
        case FailureClass::truncated:
            return "truncated";
        case FailureClass::broken:
            return "broken";
        case FailureClass::caller:
            return "caller";
    }
    return "network";
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
