#include <weir/engine.h>

#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr std::size_t kSpareRecords = 1024;
// How long a final answer without a time of its own is repeated to the SDK that asks again.
constexpr Duration kRepeatAtLeast = std::chrono::seconds(5);
constexpr Duration kLongestDeadline = std::chrono::hours(24);
}  // namespace

Ordeal::Place& Ordeal::at(TargetState* target) {
    for (Place& place : places) {
        if (place.target == target) {
            return place;
        }
    }
    places.push_back(Place{target});
    return places.back();
}

const Ordeal::Place* Ordeal::find(const TargetState* target) const {
    for (const Place& place : places) {
        if (place.target == target) {
            return &place;
        }
    }
    return nullptr;
}

Engine::Impl::Impl(Config config, std::uint64_t seed, Instant now) : random_(seed), now_(now) {
    apply(std::move(config));
}

Instant Engine::Impl::tick(Instant now) {
    now_ = std::max(now_, now);
    return now_;
}

Engine::Impl::CallRecord* Engine::Impl::find(CallId id) {
    if (recent_ == nullptr || recent_->id != id) {
        const auto at = calls_.find(id);
        recent_ = at == calls_.end() ? nullptr : at->second.get();
    }
    return recent_;
}

Engine::Impl::CallRecord* Engine::Impl::new_record(const Call& call, Instant now) {
    std::unique_ptr<CallRecord> record;
    if (spare_.empty()) {
        record = std::make_unique<CallRecord>();
    } else {
        record = std::move(spare_.back());
        spare_.pop_back();
    }
    CallRecord* r = record.get();
    r->id = call.id;
    r->state = CallState::idle;
    r->priority = std::min(call.priority, Priority::batch);
    r->stream = call.stream;
    r->sends = 0;
    r->attempts = 0;
    r->input = Input(call);
    r->max_output = call.max_output;
    if (r->max_output) {
        r->max_output = std::min(*r->max_output, kMostTokens);
    }
    r->output_kind = std::min(call.output_kind, OutputKind::thinking);
    r->full_output = false;
    r->thinking_budget = std::min(call.thinking_budget, kMostTokens);
    r->bytes = call.bytes;
    // A driver that does not say when the call arrived means: now.
    r->arrival = call.arrival == Instant{} ? now : std::min(call.arrival, now);
    r->waited = Duration::zero();
    r->invocation = call.invocation;
    r->first_target = nullptr;
    r->last_target = nullptr;
    r->target = nullptr;
    r->cache_home = 0;
    r->client = client_for(call.client);
    ++r->client->calls;
    const PathLess::View view = path_key(call, *r->client);
    const auto known = paths_.find(view);
    r->path = known != paths_.end() ? known->second.get() : path_for(PathLess::key(view));
    r->path->last_used = ++uses_;
    ++r->path->refs;
    if (!call.conversation.empty() && !r->path->targets.empty()) {
        r->path->targets.front().state->estimator->recognise(r->input, call.conversation);
        r->cache_home = cache_homes_.find(call.conversation, now).value_or(0);
    }
    r->witness.client = r->client->key;
    // An SDK's own tries are one call.
    r->witness.call = (call.invocation.empty() ? IdHash{}(call.id)
                                               : StringHash{}(call.invocation) ^ r->client->key) |
                      1U;
    const InvocationMemory::Entry* entry = invocations_.find(call.client, call.invocation);
    if (entry != nullptr) {
        r->arrival = std::min(r->arrival, entry->arrival);
        r->waited = entry->waited;
        r->attempts = entry->attempts;
    }
    const Duration patience = std::clamp<Duration>(call.deadline.value_or(config_.queue.deadline),
                                                   Duration::zero(), kLongestDeadline);
    r->deadline = r->arrival + patience;
    calls_.emplace(call.id, std::move(record));
    return r;
}

/// What is mapped nowhere binds a call to its home Region whatever its name: it is left out of the
/// key, or callers could multiply paths.
Engine::Impl::PathLess::View Engine::Impl::path_key(const Call& call,
                                                    const ClientState& client) const {
    constexpr std::string_view kUnknown = "*";
    bool bound = call.region_bound;
    Reach reach = call.reach;
    std::string_view guardrail = strip_arn(call.guardrail);
    std::string_view profile = call.profile;
    const auto settle_part = [&](std::string_view& part, const auto& mapped) {
        if (!part.empty() && !mapped.contains(part)) {
            bound = true;
            // Never silently to where it means nothing.
            part = reach == Reach::mantle ? kUnknown : std::string_view();
            reach = reach == Reach::both ? Reach::runtime : reach;
        }
    };
    settle_part(guardrail, mapped_.guardrails);
    settle_part(profile, mapped_.profiles);
    return {call.model, call.home_region, call.converse, bound,
            reach,      guardrail,        profile,       own_paths(client)};
}

/// Forgets a record that is neither waiting nor in flight any more.
void Engine::Impl::end(CallRecord* call) {
    --call->path->refs;
    ClientState* client = call->client;
    --client->calls;
    call->ordeal.reset();
    if (!mentioned_.empty()) {
        release_mentioned(call);
    }
    call->state = CallState::idle;
    recent_ = nullptr;
    const auto at = calls_.find(call->id);
    if (spare_.size() < kSpareRecords) {
        spare_.push_back(std::move(at->second));
    }
    calls_.erase(at);
    release_client(client);
}

void Engine::Impl::arm(Timer& timer, Instant at) {
    if (at == Instant::max()) {
        disarm(timer);
        return;
    }
    timer.at = at;
    if (timers_.contains(&timer)) {
        timers_.update(&timer);
    } else {
        timers_.push(&timer);
    }
}

void Engine::Impl::disarm(Timer& timer) {
    if (timers_.contains(&timer)) {
        timers_.erase(&timer);
    }
}

Refusal Engine::Impl::refusal(RefusalReason reason, const CallRecord* call,
                              std::size_t index) const {
    Refusal r;
    r.reason = reason;
    if (index >= call->path->targets.size()) {
        r.model = call->path->key.model;
        r.region = call->path->key.home_region;
        return r;
    }
    const TargetState* t = call->path->targets[index].state;
    r.region = t->target.region;
    r.model = t->target.model;
    const Amount amount = cost(call, t, index);
    r.cost = amount.tokens;
    if (reason == RefusalReason::client_limit) {
        name_own_limit(r, call, amount);
        return r;
    }
    const QuotaPool& pool = *t->pool;
    if (t->max_in_flight && pool_in_flight(t) >= *t->max_in_flight) {
        r.limit_kind = LimitKind::in_flight;
        r.limit = *t->max_in_flight;
        r.used = pool_in_flight(t);
        return r;
    }
    LimitKind kind = pool.blocked_by(amount);
    if (kind == LimitKind::none && pool.meter(LimitKind::tokens).limit()) {
        kind = pool.meter(LimitKind::tokens).kind();
    }
    if (reason == RefusalReason::daily_quota) {
        kind = LimitKind::daily_tokens;
    }
    if (kind != LimitKind::none) {
        r.limit_kind = kind;
        r.limit = pool.meter(kind).limit().value_or(0);
        r.used = pool.meter(kind).used();
    }
    return r;
}

void Engine::Impl::note_invocation(CallRecord* call, const Refusal* refusal, Instant now) {
    InvocationMemory::Entry* entry = invocations_.remember(call->client->name, call->invocation);
    if (entry == nullptr) {
        return;
    }
    entry->arrival = call->arrival;
    entry->waited = call->waited;
    entry->attempts = call->attempts;
    if (refusal != nullptr) {
        entry->refusal = *refusal;
        entry->until = refusal->retry_after > Duration::zero()
                           ? now + refusal->retry_after
                           : std::max(call->deadline, now + kRepeatAtLeast);
    }
}

/// The call's last word; the record is gone afterwards.
Refusal Engine::Impl::finish(CallRecord* call, Refusal refusal, Instant now) {
    note_invocation(call, &refusal, now);
    end(call);
    return refusal;
}

/// An SDK asks again for what was refused for want of room. What was refused as an estimate of the
/// future is not repeated from memory once the room is there: it goes at once or not at all.
std::optional<Grant> Engine::Impl::grant_after_refusal(const Call& call, RefusalReason reason,
                                                       Instant now) {
    if (reason != RefusalReason::quota && reason != RefusalReason::deadline &&
        reason != RefusalReason::queue_full) {
        return std::nullopt;
    }
    CallRecord* record = new_record(call, now);
    record->deadline += now - record->arrival;
    record->arrival = now;
    const bool in_turn = !record->path->targets.empty() && lane_for(record)->head == nullptr &&
                         record->attempts < std::max(retry_.max_attempts, 1U);
    auto granted = in_turn ? grant_first_choice(record, now) : std::nullopt;
    if (!granted) {
        end(record);
    }
    return granted;
}

Decision Engine::Impl::offer(const Call& call, Instant now) {
    now = tick(now);
    if (find(call.id) != nullptr) {
        cancel(call.id, std::nullopt, now);
    }
    if (InvocationMemory::Entry* entry = invocations_.find(call.client, call.invocation);
        entry != nullptr && entry->refusal) {
        if (auto g = grant_after_refusal(call, entry->refusal->reason, now)) {
            return *g;
        }
        if (now < entry->until) {
            Refusal again = *entry->refusal;
            again.repeated = true;
            if (again.retry_after > Duration::zero()) {
                again.retry_after = entry->until - now;
            }
            return again;
        }
        entry->refusal.reset();
    }
    CallRecord* record = new_record(call, now);
    if (auto no = turned_away(record, now)) {
        return finish(record, std::move(*no), now);
    }
    // Behind its own kind it waits, whatever room there is: first come, first served.
    if (lane_for(record)->head == nullptr) {
        if (auto g = grant_first_choice(record, now)) {
            return *g;
        }
    }
    if (auto no = hopeless(record, now)) {
        return finish(record, std::move(*no), now);
    }
    enqueue(record, false, now);
    return Wait{};
}

void Engine::Impl::sent(CallId id, Instant now) {
    now = tick(now);
    CallRecord* call = find(id);
    if (call == nullptr || call->state != CallState::granted) {
        return;
    }
    call->state = CallState::sent;
    call->sent_at = now;
    call->reservation.pool->sent(call->reservation, now);
    if (call->client_reservation.pool != nullptr) {
        call->client_reservation.pool->sent(call->client_reservation, now);
    }
    if (const auto silence = call->target->estimator->silence(call->stream)) {
        arm(call->timer, now + *silence);
    }
    if (call->reservation.pool->throttled()) {
        dirty(call->target);  // from now on there is a time at which silence means yes
    }
}

void Engine::Impl::began(CallId id, Instant now) {
    now = tick(now);
    CallRecord* call = find(id);
    if (call == nullptr || (call->state != CallState::granted && call->state != CallState::sent)) {
        return;
    }
    if (call->state == CallState::granted) {
        sent(id, now);
    }
    call->state = CallState::begun;
    disarm(call->timer);
    TargetState* t = call->target;
    const bool was_probing = t->breaker.state(now) != BreakerState::closed;
    if (call->permit.epoch == kTold) {  // for its silence
        t->breaker.take_back(call->witness.call, now);
    }
    t->breaker.success(call->permit, now, call->witness);
    t->unfit.fits();
    call->permit.epoch = kTold;
    if (call->reservation.pool->accepted(call->reservation, now)) {
        dirty(t);
        for (TargetState* other : t->siblings) {
            dirty(other);
        }
    }
    if (call->daily_probe) {
        call->daily_probe = false;
        t->daily_probe_out = false;
        t->daily_probing = false;
        t->daily_pause = Duration::zero();
        dirty(t);
    }
    if (was_probing) {
        dirty(t);
    }
    if (call->stream) {
        t->estimator->learn_first(now - call->sent_at);
    }
}

std::optional<Instant> Engine::Impl::next_wake() const {
    if (!dirty_.empty() || !doomed_.empty()) {
        return now_;
    }
    if (timers_.empty()) {
        return std::nullopt;
    }
    return timers_.top()->at;
}

Engine::Engine(Config config, std::uint64_t seed, Instant now)
    : impl_(std::make_unique<Impl>(std::move(config), seed, now)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::reconfigure(Config config, Instant now) {
    impl_->reconfigure(std::move(config), now);
}
Decision Engine::offer(const Call& call, Instant now) {
    return impl_->offer(call, now);
}
void Engine::sent(CallId id, Instant now) {
    impl_->sent(id, now);
}
void Engine::began(CallId id, Instant now) {
    impl_->began(id, now);
}
Decision Engine::report(CallId id, const Failure& failure, Instant now, std::string_view name) {
    return impl_->report(id, failure, now, name);
}
void Engine::settle(CallId id, const Usage& usage, Instant now) {
    impl_->settle(id, usage, now);
}
void Engine::cancel(CallId id, std::optional<Usage> so_far, Instant now) {
    impl_->cancel(id, so_far, now);
}
void Engine::advance(Instant now, std::vector<Wake>& woken) {
    impl_->advance(now, woken);
}
std::optional<Instant> Engine::next_wake() const {
    return impl_->next_wake();
}
Status Engine::status(Instant now) const {
    return impl_->status(now);
}
std::vector<std::string> Engine::take_notices() {
    return impl_->take_notices();
}

}  // namespace weir
