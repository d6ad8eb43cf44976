#include "gateway/call_costs.h"

#include "bedrock/body_parts.h"
#include "bedrock/service_tier.h"
#include "gateway/bill.h"
#include "gateway/record.h"
#include "gateway/request.h"

#include <algorithm>

namespace weir::gateway {
namespace {

/// The max_tokens that the call could have gone with, had weir not lowered it.
std::uint64_t full_output(const Request& request) {
    std::uint64_t most = request.facts.max_output.value_or(
        request.snapshot->config.models.facts(request.model).max_output);
    const ClientConfig* client = request.identity.client;
    if (client != nullptr && client->max_output) {
        most = std::min(most, *client->max_output);
    }
    return most;
}

/// Only an answer that the lowered max_tokens was enough for shows that the rest would have been
/// held in vain.
void add_unheld(observe::Costs& costs, const Record& record, const Request& request, Instant now) {
    const Grant& grant = record.grant;
    const std::uint64_t sent = grant.max_output.value_or(0);
    const std::uint64_t full = full_output(request);
    if (!grant.right_sized || sent == 0 || full <= sent || !record.usage.known ||
        record.usage.output >= sent) {
        return;
    }
    // Quota tokens for each token of output; a quota that does not count output holds none.
    const double held = static_cast<double>(grant.why.output_held) / static_cast<double>(sent);
    const double unheld = static_cast<double>(full - sent) * held;
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

observe::Costs costs_of(const Record& record, const Request& request, Instant now) {
    observe::Costs costs;
    const Usage& usage = record.usage;
    if (!request.is_inference() || record.attempts == 0 || !(record.begun || usage.known)) {
        return costs;
    }
    costs.requests = 1;
    if (usage.known) {
        const Bill bill = bill_of(request.snapshot->config, record.at, asked_tier(request), usage);
        costs.input = usage.input;
        costs.output = usage.output;
        costs.cache_read = usage.cache_read;
        costs.cache_write = usage.cache_write;
        costs.cost = bill.cost;
        costs.unpriced_tokens = bill.unpriced_tokens;
        costs.unpriced = bill.unpriced_tokens > 0 ? 1 : 0;
        costs.paid_again = record.costs.paid_again;
    } else {
        costs.without_usage = 1;
    }
    if (record.outcome != observe::Outcome::ok) {
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
