// From configuration to targets, paths, clients and pools, and over to the next configuration.
#include <algorithm>
#include <utility>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {

constexpr std::uint64_t kMostUnrouted = 1000;
constexpr std::size_t kMostSkipped = 2000;

}  // namespace

void Engine::Impl::apply(Config config) {
    config_ = std::move(config);
    order_ = config_.queue.order == "adaptive_lifo" ? Order::adaptive_lifo
             : config_.queue.order == "small_first" ? Order::small_first
                                                    : Order::fifo;
    retry_ = resolved(config_.retry);
    breaker_ = resolved(config_.breaker);
    mapped_ = mapped_by(config_);
}

void Engine::Impl::set_up(TargetState* target) {
    const policy::Tariff tariff = tariff_of(config_, target->target);
    target->model = tariff.model;
    target->facts = config_.models.facts(tariff.model);
    target->burndown = tariff.burndown;
    target->reserve_burndown = tariff.reserve_burndown;
    target->max_in_flight = tariff.quota != nullptr ? tariff.quota->max_in_flight : std::nullopt;
    QuotaPool* pool = pool_for(target->target, tariff);
    if (target->pool != pool) {
        if (target->pool != nullptr) {
            --target->pool->users;
        }
        ++pool->users;
        target->pool = pool;
    }
    target->breaker.configure(breaker_);
    target->budget.configure(retry_.budget);
}

/// Who else may go when room is made in this pool.
void Engine::Impl::find_siblings(const QuotaPool* pool) {
    std::vector<TargetState*> users;
    for (const auto& [key, target] : targets_) {
        if (target->pool == pool) {
            users.push_back(target.get());
        }
    }
    for (TargetState* user : users) {
        user->siblings.clear();
        for (TargetState* other : users) {
            if (other != user) {
                user->siblings.push_back(other);
            }
        }
    }
}

TargetState* Engine::Impl::target_for(const Target& target) {
    auto& slot = targets_[target];
    if (!slot) {
        slot = std::make_unique<TargetState>(retry_, breaker_);
        slot->target = target;
        slot->number = ++targets_made_;
        RegionState& place = regions_[target.region];
        ++place.refs;
        place.targets.push_back(slot.get());
        slot->region = &place;
        set_up(slot.get());
        // What a call costs, and so what is learned of it, differs where output is apart.
        std::weak_ptr<Estimator>& learned = estimators_[{slot->model, slot->pool->apart()}];
        slot->estimator = learned.lock();
        if (!slot->estimator) {
            slot->estimator = std::make_shared<Estimator>();
            learned = slot->estimator;
        }
        if (slot->pool->users > 1) {
            find_siblings(slot->pool);
        }
    }
    return slot.get();
}

Path* Engine::Impl::path_for(const PathKey& key) {
    if (const auto known = paths_.find(key); known != paths_.end()) {
        return known->second.get();
    }
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
        TargetState* target = target_for(c.target);
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
        if (skipped_.size() < kMostSkipped) {
            path->skipped.push_back(&skipped_[{s.region, s.model, s.reason}]);
        }
    }
    Path* made = path.get();
    paths_.emplace(key, std::move(path));
    // A routed path multiplies by the models and home Regions that callers name, so all are
    // bounded.
    if (paths_.size() > kMostUnrouted) {
        ++made->refs;
        trim_paths();
        --made->refs;
    }
    return made;
}

/// Drops the least recently used path that nobody uses, and what only it needed.
void Engine::Impl::trim_paths() {
    auto oldest = paths_.end();
    for (auto it = paths_.begin(); it != paths_.end(); ++it) {
        if (it->second->refs == 0 &&
            (oldest == paths_.end() || it->second->last_used < oldest->second->last_used)) {
            oldest = it;
        }
    }
    if (oldest == paths_.end()) {
        return;
    }
    for (auto& [key, lane] : oldest->second->lanes) {
        drop_lane(lane.get());
    }
    for (const PathTarget& t : oldest->second->targets) {
        --t.state->refs;
    }
    paths_.erase(oldest);
    purge();
}

/// A call goes on speaking of the targets it has been to. Those that its new path may not have are
/// kept until it ends.
void Engine::Impl::keep_mentioned(CallRecord* call) {
    std::vector<TargetState*> mentioned{call->first_target, call->last_target, call->target};
    if (call->ordeal) {
        for (const Ordeal::Place& place : call->ordeal->places) {
            mentioned.push_back(place.target);
        }
    }
    std::erase(mentioned, nullptr);
    for (TargetState* target : mentioned) {
        ++target->refs;
    }
    if (!mentioned.empty()) {
        std::vector<TargetState*>& kept = mentioned_[call];
        kept.insert(kept.end(), mentioned.begin(), mentioned.end());
    }
}

void Engine::Impl::release_mentioned(const CallRecord* call) {
    const auto kept = mentioned_.find(call);
    if (kept == mentioned_.end()) {
        return;
    }
    for (TargetState* target : kept->second) {
        --target->refs;
    }
    mentioned_.erase(kept);
    purge_due_ = true;  // not now: somebody may be going through the targets
}

/// Forgets targets that no path and no call refers to.
void Engine::Impl::purge() {
    purge_due_ = false;
    std::erase_if(targets_, [&](auto& entry) {
        TargetState* t = entry.second.get();
        if (t->refs > 0 || t->in_flight > 0 || !t->flows.empty()) {
            return false;
        }
        disarm(t->timer);
        std::erase(dirty_, t);
        std::erase(t->region->targets, t);
        for (TargetState* other : t->siblings) {
            std::erase(other->siblings, t);
        }
        --t->pool->users;
        if (--t->region->refs == 0) {
            regions_.erase(t->target.region);
        }
        return true;
    });
    std::erase_if(pools_, [&](const auto& entry) {
        return entry.second->outstanding() == 0 && entry.second->users == 0;
    });
    std::erase_if(retired_pools_, [](const auto& pool) { return pool->outstanding() == 0; });
    std::erase_if(estimators_, [](const auto& entry) { return entry.second.expired(); });
}

void Engine::Impl::configure_client(ClientState* client) {
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
        retired_pools_.push_back(std::move(client->limits));
    }
    if (limited && !client->limits) {
        client->limits =
            std::make_unique<QuotaPool>(config_.quota_window, Meter::Window::ours, limits);
    }
    if (client->limits) {
        client->limits->configure(limits);
    }
}

ClientState* Engine::Impl::client_for(std::string_view name) {
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

/// Callers name themselves as they like: whoever is neither configured nor busy is forgotten.
void Engine::Impl::release_client(ClientState* client) {
    if (client->calls > 0 || client->configured || client->name.empty()) {
        return;
    }
    disarm(client->timer);
    while (!client->lanes.empty()) {
        Lane* lane = client->lanes.back();
        drop_lane(lane);
        lane->path->lanes.erase({client, lane->cls});
    }
    clients_.erase(client->name);
}

void Engine::Impl::reconfigure(Config config, Instant now) {
    now = tick(now);
    std::vector<CallRecord*> waiting;
    for (auto& [id, call] : calls_) {
        if (call->state == CallState::waiting) {
            waiting.push_back(call.get());
        }
    }
    std::ranges::sort(waiting, {}, &CallRecord::arrival);
    for (CallRecord* call : waiting) {
        dequeue(call, now);
    }
    apply(std::move(config));
    for (auto& [name, client] : clients_) {
        configure_client(client.get());
    }
    hand_pools_over(now);
    for (auto& [key, target] : targets_) {
        find_siblings(target->pool);
    }
    auto old = std::move(paths_);
    paths_.clear();
    for (auto& [id, call] : calls_) {
        keep_mentioned(call.get());
        PathKey key = call->path->key;
        key.client = own_paths(*call->client);
        call->path = path_for(key);
        ++call->path->refs;
        // An attempt in flight keeps its target, which may stand elsewhere in the path, or nowhere.
        const auto& targets = call->path->targets;
        const auto at = std::ranges::find(targets, call->target, &PathTarget::state);
        call->index =
            at == targets.end() ? targets.size() : static_cast<std::size_t>(at - targets.begin());
    }
    // What idle targets have learned is kept as well: their paths are made anew before the old ones
    // go.
    for (const auto& [key, path] : old) {
        path_for(key);
    }
    for (CallRecord* call : waiting) {
        if (call->path->targets.empty()) {
            doomed_.emplace_back(call->id, refusal(RefusalReason::no_target, call, 0));
        } else {
            enqueue(call, false, now);
        }
    }
    for (auto& [key, path] : old) {
        for (auto& [who, lane] : path->lanes) {
            drop_lane(lane.get());
        }
        for (const PathTarget& t : path->targets) {
            --t.state->refs;
        }
    }
    old.clear();
    purge();
    std::vector<ClientState*> idle;
    for (auto& [name, client] : clients_) {
        if (client->calls == 0 && !client->configured) {
            idle.push_back(client.get());
        }
    }
    for (ClientState* client : idle) {
        release_client(client);
    }
    for (auto& [key, target] : targets_) {
        dirty(target.get());
    }
}

}  // namespace weir
