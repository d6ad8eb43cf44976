#include "policy/costs.h"

#include <algorithm>

namespace weir::policy {

namespace {

// A thinking budget must be below max_tokens, and the answer needs room beside it.
constexpr std::uint64_t kBesideThinking = 1024;
constexpr double kSecondsMoreOutput = 2;  // the service notices a client's leaving so much later

std::uint64_t clamped(std::uint64_t tokens) {
    return std::min(tokens, kMostTokens);
}

/// The service may multiply max_tokens by the burndown when the call begins.
std::uint64_t reserved_factor(const TargetState& target) {
    return target.terms.reserve_burndown ? target.terms.burndown : 1;
}

}  // namespace

std::uint64_t allowed_output(const CallRecord& call, const TargetState& target, std::size_t index) {
    const ModelFacts& facts = target.terms.facts;
    const std::optional<std::uint64_t>& asked = call.asked.max_output;
    std::uint64_t most = asked.value_or(facts.max_output);
    if (asked && call.path->targets[index].candidate.degraded && facts.known) {
        most = std::min(most, facts.max_output);
    }
    // An unknown family's body cannot be given a number that it has not.
    if (asked || call.path->key.converse || facts.family != Family::unknown) {
        most = std::min(most, call.path->max_output.value_or(most));
        most = std::min(most, call.client->max_output.value_or(most));
    }
    return most;
}

std::uint64_t max_output(const CallRecord& call, const TargetState& target, std::size_t index) {
    const std::uint64_t most = allowed_output(call, target, index);
    if (!call.path->right_size || call.full_output ||
        (!call.asked.max_output && !call.path->key.converse &&
         target.terms.facts.family == Family::unknown)) {
        return most;
    }
    const auto enough = target.estimator->enough_output(call.asked.output_kind);
    if (!enough) {
        return most;
    }
    const std::uint64_t thinking =
        call.asked.thinking_budget > 0 ? call.asked.thinking_budget + kBesideThinking : 0;
    return std::min(most, std::max(*enough, thinking));
}

Amount held_cost(const CallRecord& call, const TargetState& target, std::size_t index) {
    const std::uint64_t most = max_output(call, target, index);
    const QuotaPool& pool = *target.pool;
    Amount full(target.estimator->held_input(call.asked.input) + most * reserved_factor(target));
    // A call near the whole limit is held at the limit: it gets its turn when nothing else runs.
    full.tokens = std::min(full.tokens, pool.largest().value_or(full.tokens));
    if (pool.apart()) {
        // What it will write, not what it may: the service cuts it short only if it writes more.
        const auto enough = target.estimator->enough_output(call.asked.output_kind);
        full.output = call.full_output ? most : std::min(most, enough.value_or(most));
        full.output = std::min(full.output, pool.largest_output().value_or(full.output));
    }
    return full;
}

std::uint64_t least_cost(const CallRecord& call, const TargetState& target, std::size_t index) {
    return target.estimator->cheapest_input(call.asked.input) +
           max_output(call, target, index) * reserved_factor(target);
}

double expected_cost(const CallRecord& call, const TargetState& target, std::size_t index) {
    const Estimator& e = *target.estimator;
    const auto held = static_cast<double>(held_cost(call, target, index).tokens);
    if (e.answers() < kKnownAnswers) {
        return held;
    }
    return std::min(held, e.expected_cost(call.asked.input, max_output(call, target, index),
                                          target.pool->apart() ? 0 : target.terms.burndown));
}

Amount own_cost(const ClientState& client, Amount amount) {
    if (client.limits) {
        amount.tokens = std::min(amount.tokens, client.limits->largest().value_or(amount.tokens));
    }
    return amount;
}

Amount settled_cost(const TargetState& target, const Usage& usage, const QuotaPool& pool) {
    const std::uint64_t input = clamped(usage.input) + clamped(usage.cache_write);
    const std::uint64_t output = clamped(usage.output);
    return pool.apart() ? Amount(input, output) : Amount(input + output * target.terms.burndown);
}

Amount left_cost(const CallRecord& call, const Usage& seen, const QuotaPool& pool, Instant now) {
    const Attempt& attempt = call.attempt;
    const TargetState& target = *attempt.target;
    const Estimator& e = *target.estimator;
    if (seen.known) {
        return settled_cost(target, seen, pool);
    }
    const Amount held{attempt.reservation.tokens, attempt.reservation.output};
    const double rate = e.output_rate();
    if (rate <= 0) {
        return held;
    }
    Usage usage = seen;
    if (usage.input + usage.cache_write == 0) {
        usage.input = e.held_input(call.asked.input);
    }
    const Amount certain = settled_cost(target, usage, pool);
    const double so_far =
        std::max(static_cast<double>(usage.output), rate * to_seconds(now - attempt.sent_at));
    usage.output = std::min(attempt.sent_output,
                            static_cast<std::uint64_t>(so_far + rate * kSecondsMoreOutput));
    const Amount guess = settled_cost(target, usage, pool);
    return {std::max(certain.tokens, std::min(guess.tokens, held.tokens)),
            std::max(certain.output, std::min(guess.output, held.output))};
}

double share_of(const QuotaPool& pool, Amount amount) {
    const auto part = [](std::uint64_t of, std::optional<std::uint64_t> limit) {
        return static_cast<double>(of) / static_cast<double>(limit.value_or(kUnknownLimit));
    };
    double share = part(amount.tokens, pool.meter(LimitKind::tokens).limit());
    if (const auto requests = pool.meter(LimitKind::requests).limit()) {
        share = std::max(share, 1.0 / static_cast<double>(*requests));
    }
    if (const Meter* output = pool.output(); output != nullptr && output->limit()) {
        share = std::max(share, part(amount.output, output->limit()));
    }
    return share;
}

}  // namespace weir::policy
