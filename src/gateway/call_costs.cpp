#include "gateway/call_costs.h"

#include "bedrock/body_parts.h"
#include "bedrock/service_tier.h"
#include "gateway/bill.h"
#include "gateway/record.h"
#include "gateway/request.h"
#include "policy/eligibility.h"
#include "policy/tariff.h"

#include <algorithm>

namespace weir::gateway {
namespace {

/// The max_tokens that the call could have gone with, had weir not lowered it to what it is likely
/// to need.
std::uint64_t full_output(const Target& at, const Request& request) {
    const Config& config = request.snapshot->config;
    const ModelFacts& facts = config.models.facts(policy::without_alias(config, at.model));
    std::uint64_t most = request.facts.max_output.value_or(facts.max_output);
    if (facts.known) {
        most = std::min(most, facts.max_output);
    }
    if (const RouteConfig* route = policy::route_of(config, request.model)) {
        most = std::min(most, route->max_output.value_or(most));
    }
    const ClientConfig* client = request.identity.client;
    if (client != nullptr) {
        most = std::min(most, client->max_output.value_or(most));
    }
    return most;
}

/// What is not held already, at most: no call holds more than the quota has. Nullopt: it is not
/// known.
std::optional<double> left_to_hold(const Record& record, const Request& request) {
    const auto tariff = policy::tariff_of(request.snapshot->config, record.at);
    if (tariff.quota == nullptr || !tariff.quota->tokens_per_minute) {
        return std::nullopt;
    }
    const std::uint64_t limit = *tariff.quota->tokens_per_minute;
    return static_cast<double>(limit - std::min(limit, record.grant.reservation));
}

/// Only an answer that the lowered max_tokens was enough for shows that the rest would have been
/// held in vain.
void add_unheld(observe::Costs& costs, const Record& record, const Request& request, Instant now) {
    const Grant& grant = record.grant;
    const std::uint64_t sent = grant.max_output.value_or(0);
    if (!grant.right_sized || sent == 0 || !record.usage.known || record.usage.output >= sent) {
        return;
    }
    const std::uint64_t full = full_output(record.at, request);
    if (full <= sent) {
        return;
    }
    // Quota tokens for each token of output; a quota that does not count output holds none.
    const double held = static_cast<double>(grant.why.output_held) / static_cast<double>(sent);
    const double wanted = static_cast<double>(full - sent) * held;
    const double unheld = std::min(wanted, left_to_hold(record, request).value_or(wanted));
    const double seconds = std::max(0.0, to_seconds(now - record.doing.since));
    costs.unheld = static_cast<std::uint64_t>(unheld);
    costs.unheld_seconds = static_cast<std::uint64_t>(unheld * seconds);
}

}  // namespace

std::uint64_t total_of(const Usage& usage) {
    return usage.input + usage.output + usage.cache_read + usage.cache_write;
}

std::optional<Tier> asked_tier(const Request& request) {
    if (bedrock::tier_in_body(request.operation())) {
        return request.facts.tier;
    }
    return bedrock::tier_named(text_of(request.head, bedrock::kTierField));
}

observe::Costs costs_of(const Target& at, const Usage& usage, const Request& request) {
    observe::Costs costs;
    if (!request.is_inference()) {
        return costs;
    }
    costs.requests = 1;
    if (!usage.known) {
        costs.without_usage = 1;
        return costs;
    }
    const Bill bill = bill_of(request.snapshot->config, at, asked_tier(request), usage);
    costs.input = usage.input;
    costs.output = usage.output;
    costs.cache_read = usage.cache_read;
    costs.cache_write = usage.cache_write;
    costs.cost = bill.cost;
    costs.unpriced_tokens = bill.unpriced_tokens;
    costs.unpriced = bill.unpriced_tokens > 0 ? 1 : 0;
    return costs;
}

observe::Costs costs_of(const Record& record, const Request& request, Instant now) {
    if (!record.maybe_served) {
        return {};
    }
    observe::Costs costs = costs_of(record.at, record.usage, request);
    if (costs.requests == 0 || record.outcome != observe::Outcome::ok) {
        return costs;
    }
    costs.rescued =
        observe::is_rescued(record.outcome, to_seconds(record.queued), record.attempts) ? 1 : 0;
    costs.elsewhere = record.begun && record.grant.fallback ? 1 : 0;
    costs.rescued_elsewhere = costs.rescued * costs.elsewhere;
    add_unheld(costs, record, request, now);
    return costs;
}

}  // namespace weir::gateway
