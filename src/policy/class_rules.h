// What is true of every failure of a class: one row each. What depends on more than the class (the
// stage, the status, how often) is decided where the row is used.
#pragma once

#include "policy/outcome.h"

#include <weir/types.h>

#include <array>

namespace weir::policy {

/// How much of the request the service may have served, once it was sent.
enum class Served : std::uint8_t {
    not_reached,  ///< nothing left us: the request does not count
    refused,      ///< the request counts, its tokens do not
    perhaps,      ///< it may have been paid for: the tokens stay counted
    in_part,      ///< the client has seen a part of the answer
    whole         ///< it is settled by its usage, although it is asked for again
};

/// What the target's breaker is told.
enum class Verdict : std::uint8_t {
    nothing,
    alive,         ///< it answers, if only with a refusal
    success,       ///< it has served the call
    failure,       ///< counts
    half_failure,  ///< counts half
    broke          ///< counts, in place of the success that its beginning was
};

/// What becomes of the call.
enum class Course : std::uint8_t {
    next_turn,     ///< waits for room in the quota again
    next_day,      ///< the target is closed for a while; the call goes elsewhere
    repeat,        ///< another target at once, or the same one after a pause
    repeat_twice,  ///< likewise, and at one target twice at most
    repeat_safe,   ///< once, and only a stream, unless retry.repeat_timeouts says otherwise
    repeat_once,   ///< once, unless retry.repeat_timeouts says otherwise
    refresh,       ///< once more with new credentials
    hand_back,     ///< handed back as it came, unless it says that the target is unfit
    ask_again,     ///< with the caller's own max_tokens
    end            ///< nothing can follow
};

struct ClassRule {
    FailureClass cls;
    std::string_view name;
    Served served;
    Verdict verdict;
    Course course;
    LimitKind limit;  ///< which limit of its own the service refuses by
    Outcome outcome;  ///< of a request that ends by it
    AttemptResult result;
};

inline constexpr auto kClassRules = [] {
    using enum FailureClass;
    using S = Served;
    using V = Verdict;
    using C = Course;
    using L = LimitKind;
    using O = Outcome;
    using A = AttemptResult;
    return std::to_array<ClassRule>({
        {quota_requests, "quota_requests", S::refused, V::alive, C::next_turn, L::requests,
         O::throttled, A::throttled_requests},
        {quota_tokens, "quota_tokens", S::refused, V::alive, C::next_turn, L::tokens, O::throttled,
         A::throttled_tokens},
        {daily, "daily", S::refused, V::nothing, C::next_day, L::daily_tokens, O::throttled,
         A::throttled_daily},
        {capacity, "capacity", S::refused, V::failure, C::repeat, L::none, O::unavailable,
         A::unavailable},
        {overloaded, "overloaded", S::refused, V::half_failure, C::repeat, L::none, O::unavailable,
         A::overloaded},
        {server, "server", S::refused, V::failure, C::repeat_twice, L::none, O::server_error,
         A::server_error},
        {network, "network", S::not_reached, V::failure, C::repeat, L::none, O::unavailable,
         A::network},
        {timeout, "timeout", S::perhaps, V::failure, C::repeat_safe, L::none, O::unavailable,
         A::timeout},
        {reset, "reset", S::perhaps, V::failure, C::repeat_once, L::none, O::unavailable,
         A::network},
        {slow_model, "slow_model", S::refused, V::half_failure, C::hand_back, L::none,
         O::server_error, A::server_error},
        {credentials, "credentials", S::refused, V::nothing, C::refresh, L::none, O::client_error,
         A::client_error},
        {broken, "broken", S::in_part, V::broke, C::end, L::none, O::broken_stream, A::broken},
        {truncated, "truncated", S::whole, V::success, C::ask_again, L::none, O::ok, A::ok},
        {caller, "caller", S::refused, V::nothing, C::hand_back, L::none, O::client_error,
         A::client_error},
    });
}();

static_assert(in_order(kClassRules, &ClassRule::cls));

constexpr const ClassRule& rule_of(FailureClass cls) {
    return kClassRules[static_cast<std::size_t>(cls)];
}

/// The service may have served the attempt, in part at least: what is held stays held, and it may
/// cost money.
constexpr bool may_be_paid(const Failure& failure) {
    const Served served = rule_of(failure.cls).served;
    return served == Served::in_part || failure.stage == Stage::begun ||
           (served == Served::perhaps && failure.stage == Stage::sent);
}

}  // namespace weir::policy
