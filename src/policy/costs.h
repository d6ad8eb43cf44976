// What a call costs: at a target, of its client's own limits, as a share of a quota; beforehand and
// afterwards. The only place that computes it.
#pragma once

#include "policy/state.h"

namespace weir::policy {

/// After so many answers what was learned of a target's calls is believed.
constexpr std::uint64_t kKnownAnswers = 5;

// Beforehand. `index` is that of the target in the call's path.

/// The max_tokens that the call may go with: its own or the model's, within every limit on it.
std::uint64_t allowed_output(const CallRecord& call, const TargetState& target, std::size_t index);

/// The max_tokens that is sent and held: as allowed, or less where the route is right-sized and
/// answers like this one have turned out to need less.
std::uint64_t max_output(const CallRecord& call, const TargetState& target, std::size_t index);

/// What the call holds of the target's pool from its grant on, at most the whole limit.
Amount held_cost(const CallRecord& call, const TargetState& target, std::size_t index);

/// The least that the call can honestly cost, in tokens.
std::uint64_t least_cost(const CallRecord& call, const TargetState& target, std::size_t index);

/// What the call is expected to settle at, in tokens; what it holds, while nothing is known of the
/// outputs.
double expected_cost(const CallRecord& call, const TargetState& target, std::size_t index);

/// What a call that holds `amount` of its target holds of its client's own limit: at most all of
/// it, or a call whose margin alone makes it too large would wait in vain.
Amount own_cost(const ClientState& client, Amount amount);

// Afterwards. Charged as the target charges and metered as `pool` meters: that of the service or
// that of the client's own limit, which has one meter for input and output.

Amount settled_cost(const TargetState& target, const Usage& usage, const QuotaPool& pool);

/// What a call costs whose client left it under way: the input, and the output so far and of two
/// seconds more. Output that nobody has seen is guessed at the pace of others, up to what is held.
Amount left_cost(const CallRecord& call, const Usage& seen, const QuotaPool& pool, Instant now);

// Of a quota.

/// Stands for a token limit that is not known.
constexpr std::uint64_t kUnknownLimit = 1'000'000;

/// The part of a window's quota that this is, by the limit it takes most of.
double share_of(const QuotaPool& pool, Amount amount);

}  // namespace weir::policy
