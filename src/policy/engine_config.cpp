// Over to the next configuration, and what goes when nothing refers to it any more.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

void Engine::Impl::read_config() {
    waiting_.configure(config_);
    retry_ = resolved(config_.retry);
}

Path* Engine::Impl::path_for(const PathKey& key, Instant now) {
    const Accounts::Found found = accounts_.path_for(key, now);
    if (found.made) {
        trim_paths(found.path);
    }
    return found.path;
}

/// A path has been made: another one may have to go for it.
void Engine::Impl::trim_paths(const Path* made) {
    if (const auto path = accounts_.surplus(made)) {
        close(*path);
        purge();
    }
}

/// No call takes this path any more.
void Engine::Impl::close(Path& path) {
    waiting_.drop_lanes(path);
    Accounts::release(path);
}

void Engine::Impl::purge() {
    accounts_.purge([&](TargetState& going) { agenda_.forget(&going); });
}

void Engine::Impl::release_client(ClientState* client) {
    if (!Accounts::may_forget(*client)) {
        return;
    }
    waiting_.drop_lanes(*client);
    accounts_.forget(client);
}

void Engine::Impl::reconfigure(Config config, Instant now) {
    now = tick(now);
    const std::vector<CallRecord*> calls = calls_.all();
    std::vector<CallRecord*> waiting;
    std::ranges::copy_if(calls, std::back_inserter(waiting),
                         [](const CallRecord* call) { return call->state == CallState::waiting; });
    std::ranges::sort(waiting, {}, &CallRecord::arrival);
    for (CallRecord* call : waiting) {
        dequeue(call, now);
    }
    config_ = std::move(config);
    read_config();
    accounts_.reconfigure(calls, now);
    const Accounts::Paths old = accounts_.take_paths();
    for (CallRecord* call : calls) {
        accounts_.keep_mentioned(*call);
        PathKey key = call->path->key;
        key.client = Accounts::own_paths(*call->client);
        call->path = path_for(key, now);
        ++call->path->refs;
        // An attempt in flight keeps its target, which may stand elsewhere in the path, or nowhere.
        const auto& targets = call->path->targets;
        const auto at = std::ranges::find(targets, call->attempt.target, &PathTarget::state);
        call->attempt.index =
            at == targets.end() ? targets.size() : static_cast<std::size_t>(at - targets.begin());
    }
    // What idle targets have learned is kept as well: their paths are made anew before the old ones
    // go.
    for (const auto& [key, path] : old) {
        path_for(key, now);
    }
    for (CallRecord* call : waiting) {
        if (call->path->targets.empty()) {
            doomed_.emplace_back(call->id, Accounts::refusal(RefusalReason::no_target, *call, 0));
        } else {
            enqueue(call, false, now);
        }
    }
    for (const auto& [key, path] : old) {
        close(*path);
    }
    purge();
    std::vector<ClientState*> idle;
    for (const auto& [name, client] : accounts_.clients()) {
        if (Accounts::may_forget(*client)) {
            idle.push_back(client.get());
        }
    }
    for (ClientState* client : idle) {
        release_client(client);
    }
    for (const auto& [key, target] : accounts_.targets()) {
        agenda_.dirty(target.get());
    }
}

EngineState Engine::Impl::state(Instant now) const {
    return accounts_.state(calls_.all(), std::max(now, now_));
}

void Engine::Impl::resume(EngineState state, Instant now) {
    accounts_.resume(std::move(state), tick(now));
}

}  // namespace weir
