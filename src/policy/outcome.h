// How requests and attempts end, by the names that metrics and the access log have for it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir::policy {

enum class Outcome : std::uint8_t {
    ok,
    throttled,
    unavailable,
    server_error,
    broken_stream,
    client_error,
    cancelled,
    client_slow,  // the client did not read its answer
    drained,      // cut at the end of timeouts.drain
    deadline
};
inline constexpr auto kOutcomes = std::to_array<std::pair<Outcome, std::string_view>>({
    {Outcome::ok, "ok"},
    {Outcome::throttled, "throttled"},
    {Outcome::unavailable, "unavailable"},
    {Outcome::server_error, "server_error"},
    {Outcome::broken_stream, "broken_stream"},
    {Outcome::client_error, "client_error"},
    {Outcome::cancelled, "cancelled"},
    {Outcome::client_slow, "client_slow"},
    {Outcome::drained, "drained"},
    {Outcome::deadline, "deadline"},
});

enum class AttemptResult : std::uint8_t {
    ok,
    throttled_requests,
    throttled_tokens,
    throttled_daily,
    overloaded,
    unavailable,
    server_error,
    timeout,
    network,
    broken,
    client_error
};
inline constexpr auto kAttemptResults = std::to_array<std::pair<AttemptResult, std::string_view>>({
    {AttemptResult::ok, "ok"},
    {AttemptResult::throttled_requests, "throttled_requests"},
    {AttemptResult::throttled_tokens, "throttled_tokens"},
    {AttemptResult::throttled_daily, "throttled_daily"},
    {AttemptResult::overloaded, "overloaded"},
    {AttemptResult::unavailable, "unavailable"},
    {AttemptResult::server_error, "server_error"},
    {AttemptResult::timeout, "timeout"},
    {AttemptResult::network, "network"},
    {AttemptResult::broken, "broken"},
    {AttemptResult::client_error, "client_error"},
});

/// Whether the row of each value is at the value's own number. `value`: a row's member.
template <class Rows, class Member>
constexpr bool in_order(const Rows& rows, Member value) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (static_cast<std::size_t>(rows[i].*value) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(kOutcomes, &std::pair<Outcome, std::string_view>::first));
static_assert(in_order(kAttemptResults, &std::pair<AttemptResult, std::string_view>::first));

constexpr std::string_view to_string(Outcome outcome) {
    return kOutcomes[static_cast<std::size_t>(outcome)].second;
}
constexpr std::string_view to_string(AttemptResult result) {
    return kAttemptResults[static_cast<std::size_t>(result)].second;
}

}  // namespace weir::policy
