#include "plan/service.h"

#include <algorithm>

namespace weir::plan {
namespace {

constexpr Duration kAfterTheEnd = std::chrono::hours(1);

}  // namespace

struct Service::Pool {
    PoolReport report;
    std::optional<Window> requests;
    std::optional<Window> tokens;
    std::optional<Foreign> foreign;
    Foreign::Pool shared;
};

const QuotaConfig* quota_of(const std::vector<QuotaConfig>& quotas, std::string_view region,
                            std::string_view model) {
    const QuotaConfig* everywhere = nullptr;
    for (const QuotaConfig& quota : quotas) {
        const bool names = std::ranges::any_of(
            quota.models, [&](const std::string& m) { return strip_arn(m) == strip_arn(model); });
        if (names && quota.region == region) {
            return &quota;
        }
        if (names && quota.region.empty() && everywhere == nullptr) {
            everywhere = &quota;
        }
    }
    return everywhere;
}

std::string pool_name(const std::vector<QuotaConfig>& quotas, std::string_view region,
                      std::string_view model) {
    const QuotaConfig* quota = quota_of(quotas, region, model);
    return std::string(strip_arn(quota != nullptr ? quota->models.front() : model));
}

Duration phase_of(const ServiceSetup& setup, const std::string& region, const std::string& pool) {
    Random random(seed_of(region + "/" + pool, setup.seed));
    return from_seconds(to_seconds(setup.window.length) * random.uniform());
}

Service::Service(ServiceSetup setup) : setup_(std::move(setup)) {}
Service::~Service() = default;

Service::Place Service::place(const std::string& region, const std::string& model) {
    const auto [known, fresh] =
        by_name_.try_emplace({region, model}, static_cast<Place>(places_.size()));
    if (!fresh) {
        return known->second;
    }
    const QuotaConfig* quota = quota_of(setup_.quotas, region, model);
    PlaceState state;
    state.burndown = setup_.models.facts(model).output_burndown;
    const std::string first = pool_name(setup_.quotas, region, model);
    if (quota != nullptr) {
        state.burndown = quota->output_burndown.value_or(state.burndown);
        state.reserve_burndown = quota->reserve_burndown;
    }
    const auto [pool_known, new_pool] =
        pool_by_name_.try_emplace({region, first}, static_cast<std::uint32_t>(pools_.size()));
    state.pool = pool_known->second;
    places_.push_back(state);
    if (!new_pool) {
        return known->second;
    }
    auto pool = std::make_unique<Pool>();
    pool->report.region = region;
    pool->report.model = first;
    if (quota != nullptr) {
        const Duration phase = phase_of(setup_, region, first);
        pool->report.requests_per_minute = quota->requests_per_minute;
        pool->report.tokens_per_minute = quota->tokens_per_minute;
        if (quota->requests_per_minute) {
            pool->requests.emplace(setup_.window, *quota->requests_per_minute, phase);
        }
        if (quota->tokens_per_minute) {
            pool->tokens.emplace(setup_.window, *quota->tokens_per_minute, phase);
        }
        if (quota->tokens_per_minute && setup_.foreign > 0) {
            pool->foreign.emplace(setup_.foreign * static_cast<double>(*quota->tokens_per_minute) *
                                      60 / to_seconds(setup_.window.length),
                                  state.burndown, setup_.foreign_sizes, setup_.first_token,
                                  setup_.tokens_per_second, setup_.span,
                                  seed_of("foreign " + region + "/" + first, setup_.seed));
        }
    }
    Pool* shared = pool.get();
    pool->shared.ask = [this, shared](std::int64_t reserve, Duration now, Window::Charge& charge) {
        if (trouble(shared->report.region, now) != Answer::accepted) {
            return false;
        }
        Ticket ticket;
        const bool good = ask(*shared, reserve, now, ticket) == Answer::accepted;
        charge = ticket.tokens;
        return good;
    };
    pool->shared.settle = [shared](const Window::Charge& charge, std::int64_t actual,
                                   Duration now) {
        if (shared->tokens) {
            shared->tokens->settle(charge, actual, now);
        }
    };
    pools_.push_back(std::move(pool));
    return known->second;
}

void Service::catch_up(Pool& pool, Duration now) {
    if (pool.foreign) {
        pool.foreign->run(now, pool.shared);
    }
}

Answer Service::trouble(const std::string& region, Duration now) const {
    for (const Outage& outage : setup_.outages) {
        if (outage.region == region && now >= outage.from && now < outage.to) {
            return outage.spell ? Answer::throttled_tokens : Answer::unavailable;
        }
    }
    return Answer::accepted;
}

const std::string& Service::region_of(Place place) const {
    return pools_[places_[place].pool]->report.region;
}

Answer Service::ask(Pool& pool, std::int64_t tokens, Duration now, Ticket& ticket) {
    if (pool.requests && !pool.requests->fits(1, now)) {
        if (setup_.count_refusals) {
            pool.requests->charge_refused(now);
        }
        return Answer::throttled_requests;
    }
    if (pool.tokens && !pool.tokens->fits(tokens, now)) {
        if (pool.requests && setup_.count_refusals) {
            pool.requests->charge_refused(now);
        }
        return Answer::throttled_tokens;
    }
    if (pool.requests) {
        pool.requests->charge(1, now);
    }
    if (pool.tokens) {
        ticket.tokens = pool.tokens->charge(tokens, now);
    }
    return Answer::accepted;
}

Answer Service::arrive(Place place, std::uint64_t input, std::uint64_t max_output, Duration now,
                       Ticket& ticket) {
    const PlaceState& state = places_[place];
    Pool& pool = *pools_[state.pool];
    catch_up(pool, now);
    if (const Answer wrong = trouble(pool.report.region, now); wrong != Answer::accepted) {
        return wrong;
    }
    const std::uint64_t factor = state.reserve_burndown ? state.burndown : 1;
    return ask(pool, static_cast<std::int64_t>(input + factor * max_output), now, ticket);
}

void Service::complete(Place place, const Ticket& ticket, std::uint64_t input, std::uint64_t output,
                       Duration now) {
    const PlaceState& state = places_[place];
    Pool& pool = *pools_[state.pool];
    catch_up(pool, now);
    const std::uint64_t cost = input + state.burndown * output;
    pool.report.settled += cost;
    if (pool.tokens) {
        pool.tokens->settle(ticket.tokens, static_cast<std::int64_t>(cost), now);
    }
}

std::int64_t Service::used(std::uint32_t pool, Duration now) {
    std::optional<Window>& tokens = pools_[pool]->tokens;
    return tokens ? tokens->used(now) : 0;
}

std::vector<Service::PoolReport> Service::report() {
    std::vector<PoolReport> reports;
    for (const auto& owned : pools_) {
        Pool& pool = *owned;
        catch_up(pool, setup_.span + kAfterTheEnd);
        if (pool.foreign) {
            pool.report.foreign = pool.foreign->report();
        }
        reports.push_back(pool.report);
    }
    return reports;
}

}  // namespace weir::plan
