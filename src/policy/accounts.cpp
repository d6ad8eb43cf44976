#include "policy/accounts.h"

#include <algorithm>

namespace weir::policy {

namespace {

constexpr std::size_t kMostPaths = 1000;
constexpr std::size_t kMostSkipped = 2000;

/// What is mapped nowhere binds a call to its home Region whatever its name: it is left out of the
/// key, or callers could multiply paths.
PathLess::View key_of(const Call& call, const ClientState& client, const Mapped& mapped) {
    constexpr std::string_view kUnknown = "*";
    bool bound = call.region_bound;
    Reach reach = call.reach;
    std::string_view guardrail = strip_arn(call.guardrail);
    std::string_view profile = call.profile;
    const auto settle_part = [&](std::string_view& part, const auto& known) {
        if (!part.empty() && !known.contains(part)) {
            bound = true;
            // Never silently to where it means nothing.
            part = reach == Reach::mantle ? kUnknown : std::string_view();
            reach = reach == Reach::both ? Reach::runtime : reach;
        }
    };
    settle_part(guardrail, mapped.guardrails);
    settle_part(profile, mapped.profiles);
    return {call.model,
            call.home_region,
            call.converse,
            bound,
            reach,
            guardrail,
            profile,
            Accounts::own_paths(client),
            call.home_account};
}

Instant kept_closed_until(const Held& held) {
    return held.any && held.hold == Hold::open ? held.until : Instant::min();
}

}  // namespace

Accounts::Accounts(const Config& config) : config_(config), pools_(config) {
    read_config();
}

void Accounts::read_config() {
    retry_ = resolved(config_.retry);
    breaker_ = resolved(config_.breaker);
    mapped_ = mapped_by(config_);
}

void Accounts::reconfigure(std::span<CallRecord* const> calls, Instant now) {
    shared_pools_.reset();
    read_config();
    for (auto& [name, client] : clients_) {
        configure_client(client.get());
    }
    std::unordered_map<const TargetState*, const QuotaPool*> before;
    for (const auto& [key, target] : targets_) {
        before[target.get()] = target->pool;
    }
    auto old = pools_.renew(targets_, now);
    for (const auto& [key, target] : targets_) {
        set_up(target.get(), now);
    }
    for (CallRecord* call : calls) {
        Reservation& held = call->attempt.reservation;
        TargetState* target = call->attempt.target;
        if (held.pool != nullptr && held.pool != target->pool && held.pool == before[target] &&
            alike(*held.pool, *target->pool)) {
            held.pool->hand_over(held, *target->pool);
        }
    }
    for (auto& pool : old) {
        if (pool->outstanding() > 0) {
            pools_.retire(std::move(pool));
        }
    }
}

void Accounts::set_up(TargetState* target, Instant now) {
    const Tariff tariff = tariff_of(config_, target->target);
    TargetTerms& terms = target->terms;
    terms.model = tariff.model;
    terms.facts = config_.models.facts(tariff.model);
    terms.burndown = tariff.burndown;
    terms.reserve_burndown = tariff.reserve_burndown;
    terms.max_in_flight = tariff.quota != nullptr ? tariff.quota->max_in_flight : std::nullopt;
    QuotaPool* pool = pools_.pool_for(target->target, tariff, now);
    shared_pools_.reset();
    if (target->pool != pool) {
        if (target->pool != nullptr) {
            std::erase(target->pool->targets, target);
        }
        const auto name_of = [](const TargetState* one) -> const Target& { return one->target; };
        const auto place =
            std::ranges::lower_bound(pool->targets, target->target, std::less<>(), name_of);
        pool->targets.insert(place, target);
        target->pool = pool;
    }
    target->breaker.configure(breaker_);
    target->budget.configure(retry_.budget);
}

TargetState* Accounts::target_for(const Target& target, Instant now) {
    auto& slot = targets_[target];
    if (!slot) {
        slot = std::make_unique<TargetState>(retry_, breaker_);
        slot->target = target;
        slot->number = ++targets_made_;
        RegionState& place = regions_[target.region];
        ++place.refs;
        place.targets.push_back(slot.get());
        slot->region = &place;
        set_up(slot.get(), now);
        slot->held = overrides_.held(target, now);
        slot->breaker.keep_closed(kept_closed_until(slot->held), now);
        // What a call costs, and so what is learned of it, differs where output is apart.
        std::weak_ptr<Estimator>& learned = estimators_[{slot->terms.model, slot->pool->apart()}];
        slot->estimator = learned.lock();
        if (!slot->estimator) {
            slot->estimator = std::make_shared<Estimator>();
            learned = slot->estimator;
        }
    }
    return slot.get();
}

Accounts::Found Accounts::path_of(const Call& call, const ClientState& client, Instant now) {
    const PathLess::View view = key_of(call, client, mapped_);
    const auto known = paths_.find(view);
    Found found = known != paths_.end() ? Found{known->second.get(), false}
                                        : Found{make_path(PathLess::key(view), now), true};
    found.path->last_used = ++uses_;
    return found;
}

Accounts::Found Accounts::path_for(const PathKey& key, Instant now) {
    const auto known = paths_.find(key);
    return known != paths_.end() ? Found{known->second.get(), false}
                                 : Found{make_path(key, now), true};
}

Path* Accounts::make_path(const PathKey& key, Instant now) {
    const Candidates found = candidates(config_, key);
    auto path = std::make_unique<Path>();
    path->key = key;
    path->last_used = ++uses_;
    path->routed = found.route != nullptr;
    if (found.route != nullptr) {
        path->spill_after = found.route->spill_after;
        path->degrade_after = found.route->degrade_after;
        path->right_size = found.route->right_size;
        path->max_output = found.route->max_output;
    }
    for (const Candidate& c : found.usable) {
        TargetState* target = target_for(c.target, now);
        ++target->refs;
        // Weighted neighbours with the same model are one choice.
        const std::size_t at = path->targets.size();
        const bool joins = at > 0 && c.weight > 0 && path->targets.back().candidate.weight > 0 &&
                           path->targets.back().candidate.unlike_first == c.unlike_first;
        path->targets.push_back(PathTarget{target, c, joins ? path->targets.back().group : at,
                                           *mappings_.insert(c.guardrail).first,
                                           *mappings_.insert(c.profile).first});
    }
    for (const Skipped& s : found.skipped) {
        if (std::uint64_t* count = skips(s.region, s.model, s.reason)) {
            path->skipped.push_back(count);
        }
    }
    return paths_.emplace(key, std::move(path)).first->second.get();
}

std::unique_ptr<Path> Accounts::surplus(const Path* but) {
    // A routed path multiplies by the models and home Regions that callers name, so all are
    // bounded.
    if (paths_.size() <= kMostPaths) {
        return nullptr;
    }
    auto oldest = paths_.end();
    for (auto it = paths_.begin(); it != paths_.end(); ++it) {
        if (it->second->refs == 0 && it->second.get() != but &&
            (oldest == paths_.end() || it->second->last_used < oldest->second->last_used)) {
            oldest = it;
        }
    }
    if (oldest == paths_.end()) {
        return nullptr;
    }
    auto taken = std::move(oldest->second);
    paths_.erase(oldest);
    return taken;
}

Accounts::Paths Accounts::take_paths() {
    return std::exchange(paths_, {});
}

void Accounts::release(const Path& path) {
    for (const PathTarget& t : path.targets) {
        --t.state->refs;
    }
}

void Accounts::keep_mentioned(const CallRecord& call) {
    std::vector<TargetState*> mentioned{call.first_target, call.last_target, call.attempt.target};
    if (call.history) {
        for (const History::Place& place : call.history->places) {
            mentioned.push_back(place.target);
        }
    }
    std::erase(mentioned, nullptr);
    for (TargetState* target : mentioned) {
        ++target->refs;
    }
    if (!mentioned.empty()) {
        std::vector<TargetState*>& kept = mentioned_[&call];
        kept.insert(kept.end(), mentioned.begin(), mentioned.end());
    }
}

void Accounts::let_go_mentioned(const CallRecord& call) {
    if (mentioned_.empty()) {
        return;
    }
    const auto kept = mentioned_.find(&call);
    if (kept == mentioned_.end()) {
        return;
    }
    for (TargetState* target : kept->second) {
        --target->refs;
    }
    mentioned_.erase(kept);
    purge_due_ = true;  // not now: somebody may be going through the targets
}

void Accounts::purge(const std::function<void(TargetState&)>& going) {
    purge_due_ = false;
    std::erase_if(targets_, [&](auto& entry) {
        TargetState* t = entry.second.get();
        if (t->refs > 0 || t->in_flight > 0 || !t->queue.flows.empty()) {
            return false;
        }
        going(*t);
        std::erase(t->region->targets, t);
        std::erase(t->pool->targets, t);
        if (--t->region->refs == 0) {
            regions_.erase(t->target.region);
        }
        return true;
    });
    pools_.purge();
    shared_pools_.reset();
    std::erase_if(estimators_, [](const auto& entry) { return entry.second.expired(); });
}

const std::vector<QuotaPool*>& Accounts::shared_pools() const {
    if (shared_pools_) {
        return *shared_pools_;
    }
    std::vector<QuotaPool*>& all = shared_pools_.emplace(pools_.shared());
    if (config_.shared) {
        // Callers name themselves as they like; only configured clients have limits.
        for (const ClientConfig& configured : config_.clients) {
            const auto known = clients_.find(configured.name);
            if (known != clients_.end() && known->second->limits &&
                known->second->limits->shared() != nullptr) {
                all.push_back(known->second->limits.get());
            }
        }
    }
    return all;
}

void Accounts::count_skipped(const TargetState& target, const char* reason) {
    if (std::uint64_t* count = skips(target.target.region, target.target.model, reason)) {
        ++*count;
    }
}

/// Null: there are too many. Callers name a route's model by ARNs of their own.
std::uint64_t* Accounts::skips(const std::string& region, const std::string& model,
                               const std::string& reason) {
    const SkippedCounts::key_type name{region, model, reason};
    if (skipped_.size() >= kMostSkipped && !skipped_.contains(name)) {
        return nullptr;
    }
    return &skipped_[name];
}

std::vector<TargetState*> Accounts::read_overrides(Instant now) {
    std::vector<TargetState*> changed;
    for (const auto& [key, target] : targets_) {
        const Held held = overrides_.held(key, now);
        const Held before = std::exchange(target->held, held);
        if (held.any != before.any || held.hold != before.hold || held.until != before.until) {
            target->breaker.keep_closed(kept_closed_until(held), now);
            changed.push_back(target.get());
        }
    }
    return changed;
}

void Accounts::configure_client(ClientState* client) {
    const auto found = std::ranges::find(config_.clients, client->name, &ClientConfig::name);
    client->configured = found != config_.clients.end();
    client->share = 1;
    client->bound = false;
    client->max_output.reset();
    client->max_in_flight.reset();
    PoolLimits limits;
    if (client->configured) {
        client->max_output = found->max_output;
        client->max_in_flight = found->max_in_flight;
        client->share = std::clamp(found->share, 1e-6, 1e6);
        client->bound = !found->regions.empty() || !found->models.empty();
        limits.tokens = found->tokens_per_minute;
        limits.requests = found->requests_per_minute;
    }
    const bool limited = limits.tokens || limits.requests;
    if (client->limits && (!limited || client->limits->window() != config_.quota_window)) {
        pools_.retire(std::move(client->limits));
        shared_pools_.reset();
    }
    if (limited && !client->limits) {
        shared_pools_.reset();
        client->limits =
            std::make_unique<QuotaPool>(config_.quota_window, Meter::Window::ours, limits);
        pools_.share("client/" + client->name, *client->limits, Instant{});
    }
    if (client->limits) {
        client->limits->configure(limits);
    }
}

ClientState* Accounts::client_for(std::string_view name) {
    const auto known = clients_.find(name);
    if (known != clients_.end()) {
        return known->second.get();
    }
    auto client = std::make_unique<ClientState>();
    client->name = name;
    client->key = StringHash{}(name);
    ClientState* made = client.get();
    clients_.emplace(std::string(name), std::move(client));
    configure_client(made);
    return made;
}

std::vector<ClientState*> Accounts::all_clients() const {
    std::vector<ClientState*> all;
    all.reserve(clients_.size());
    for (const auto& [name, client] : clients_) {
        all.push_back(client.get());
    }
    return all;
}

bool Accounts::may_forget(const ClientState& client) {
    return client.calls == 0 && !client.configured && !client.name.empty();
}

void Accounts::forget(ClientState* client) {
    clients_.erase(client->name);
}

}  // namespace weir::policy
