#include <weir/engine.h>

#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
// How long a final answer without a time of its own is repeated to the SDK that asks again.
constexpr Duration kRepeatAtLeast = std::chrono::seconds(5);
constexpr Duration kLongestDeadline = std::chrono::hours(24);
}  // namespace

History::Place& History::at(TargetState* target) {
    for (Place& place : places) {
        if (place.target == target) {
            return place;
        }
    }
    places.push_back(Place{target});
    return places.back();
}

const History::Place* History::find(const TargetState* target) const {
    for (const Place& place : places) {
        if (place.target == target) {
            return &place;
        }
    }
    return nullptr;
}

Engine::Impl::Impl(Config config, std::uint64_t seed, Instant now)
    : config_(std::move(config)), random_(seed), now_(now), accounts_(config_), waiting_(agenda_) {
    read_config();
}

Instant Engine::Impl::tick(Instant now) {
    now_ = std::max(now_, now);
    return now_;
}

Engine::Impl::CallRecord* Engine::Impl::new_record(const Call& call, Instant now) {
    CallRecord* r = calls_.add(call.id);
    r->state = CallState::idle;
    r->asked.priority = std::min(call.priority, Priority::batch);
    r->asked.stream = call.stream;
    r->sends = 0;
    r->attempts = 0;
    r->asked.input = Input(call);
    r->asked.max_output = call.max_output;
    if (r->asked.max_output) {
        r->asked.max_output = std::min(*r->asked.max_output, kMostTokens);
    }
    r->asked.output_kind = std::min(call.output_kind, OutputKind::thinking);
    r->full_output = false;
    r->asked.thinking_budget = std::min(call.thinking_budget, kMostTokens);
    r->asked.bytes = call.bytes;
    // A driver that does not say when the call arrived means: now.
    r->arrival = call.arrival == Instant{} ? now : std::min(call.arrival, now);
    r->waited = Duration::zero();
    r->asked.invocation = call.invocation;
    r->first_target = nullptr;
    r->last_target = nullptr;
    r->attempt.target = nullptr;
    r->asked.cache_home = 0;
    r->client = accounts_.client_for(call.client);
    ++r->client->calls;
    const Accounts::Found found = accounts_.path_of(call, *r->client, now);
    r->path = found.path;
    ++r->path->refs;
    if (found.made) {
        trim_paths(r->path);
    }
    if (!call.conversation.empty() && !r->path->targets.empty()) {
        r->path->targets.front().state->estimator->recognise(r->asked.input, call.conversation);
        r->asked.cache_home = cache_homes_.find(call.conversation, now).value_or(0);
    }
    r->asked.witness.client = r->client->key;
    // An SDK's own tries are one call.
    r->asked.witness.call =
        (call.invocation.empty() ? IdHash{}(call.id)
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
    return r;
}

/// Forgets a record that is neither waiting nor in flight any more.
void Engine::Impl::end(CallRecord* call) {
    --call->path->refs;
    ClientState* client = call->client;
    --client->calls;
    call->history.reset();
    accounts_.let_go_mentioned(*call);
    call->state = CallState::idle;
    calls_.forget(call);
    release_client(client);
}

void Engine::Impl::note_invocation(CallRecord* call, const Refusal* refusal, Instant now) {
    InvocationMemory::Entry* entry =
        invocations_.remember(call->client->name, call->asked.invocation);
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

std::optional<PastRefusal> Engine::Impl::refused(std::string_view client,
                                                 std::string_view invocation, Instant now) {
    now = tick(now);
    const InvocationMemory::Entry* entry = invocations_.find(client, invocation);
    if (entry == nullptr || !entry->refusal || entry->refusal->upstream || entry->until <= now) {
        return std::nullopt;
    }
    if (by_order(entry->refusal->reason)) {  // of this instance's operator
        return std::nullopt;
    }
    return PastRefusal{.refusal = *entry->refusal,
                       .left = entry->until - now,
                       .age = now - entry->arrival,
                       .waited = entry->waited,
                       .attempts = entry->attempts};
}

void Engine::Impl::remember(std::string_view client, std::string_view invocation,
                            const PastRefusal& past, Instant now) {
    now = tick(now);
    InvocationMemory::Entry* entry = invocations_.remember(client, invocation);
    if (entry == nullptr) {
        return;
    }
    entry->arrival = now - past.age;
    entry->waited = past.waited;
    entry->attempts = past.attempts;
    entry->refusal = past.refusal;
    entry->until = now + past.left;
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
        reason != RefusalReason::queue_full && !by_order(reason)) {
        return std::nullopt;
    }
    CallRecord* record = new_record(call, now);
    if (ordered_off(record, now)) {
        end(record);
        return std::nullopt;
    }
    record->deadline += now - record->arrival;
    record->arrival = now;
    const bool in_turn = !record->path->targets.empty() &&
                         waiting_.lane_for(*record, now)->head == nullptr &&
                         record->attempts < std::max(retry_.max_attempts, 1U);
    auto granted = in_turn ? grant_first_choice(record, now) : std::nullopt;
    if (!granted) {
        end(record);
    }
    return granted;
}

Decision Engine::Impl::offer(const Call& call, Instant now) {
    now = tick(now);
    if (calls_.find(call.id) != nullptr) {
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
    if (waiting_.lane_for(*record, now)->head == nullptr) {
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
    CallRecord* call = calls_.find(id);
    if (call == nullptr || call->state != CallState::granted) {
        return;
    }
    call->state = CallState::sent;
    Accounts::sent(*call, now);
    if (const auto silence = call->attempt.target->estimator->silence(call->asked.stream)) {
        agenda_.arm(call->timer, now + *silence);
    }
    if (call->attempt.reservation.pool->throttled()) {
        // From now on there is a time at which silence means yes, for those who wait for it.
        const auto look = [&](TargetState* target) {
            if (!std::ranges::all_of(target->queue.classes,
                                     [](const ClassQueue& q) { return q.heads.empty(); })) {
                agenda_.dirty(target);
            }
        };
        look(call->attempt.target);
        std::ranges::for_each(call->attempt.target->pool->targets, look);
    }
}

void Engine::Impl::began(CallId id, Instant now) {
    now = tick(now);
    CallRecord* call = calls_.find(id);
    if (call == nullptr || (call->state != CallState::granted && call->state != CallState::sent)) {
        return;
    }
    if (call->state == CallState::granted) {
        sent(id, now);
    }
    call->state = CallState::begun;
    agenda_.disarm(call->timer);
    TargetState* t = call->attempt.target;
    const bool was_probing = t->breaker.state(now) != BreakerState::closed;
    if (call->attempt.permit.epoch == kTold) {  // for its silence
        t->breaker.take_back(call->asked.witness.call, now);
    }
    t->breaker.success(call->attempt.permit, now, call->asked.witness);
    t->unfit.fits();
    call->attempt.permit.epoch = kTold;
    if (Accounts::accepted(*call, now)) {
        agenda_.dirty(t);
        for (TargetState* other : t->pool->targets) {
            agenda_.dirty(other);
        }
    }
    if (call->attempt.daily_probe) {
        call->attempt.daily_probe = false;
        t->day.probe_out = false;
        t->day.probing = t->day.by_another = false;
        t->day.pause = Duration::zero();
        agenda_.dirty(t);
    }
    if (was_probing) {
        agenda_.dirty(t);
    }
    if (call->asked.stream) {
        t->estimator->learn_first(now - call->attempt.sent_at);
    }
}

std::optional<Instant> Engine::Impl::next_wake() const {
    if (agenda_.any_dirty() || !doomed_.empty()) {
        return now_;
    }
    const Instant order_ends = accounts_.overrides().next_end();
    const std::optional<Instant> next = agenda_.next();
    return order_ends == Instant::max() ? next : std::min(next.value_or(order_ends), order_ends);
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
std::optional<Standing> Engine::standing(CallId id, Instant now) const {
    return impl_->standing(id, now);
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
EngineState Engine::state(Instant now) const {
    return impl_->state(now);
}
void Engine::resume(EngineState state, Instant now) {
    impl_->resume(std::move(state), now);
}
bool Engine::hold(const Override& order, Instant now) {
    return impl_->hold(order, now);
}
std::size_t Engine::release(const TargetFilter& targets, std::string_view by, Instant now) {
    return impl_->release(targets, by, now);
}
std::size_t Engine::trip(const TargetFilter& targets, Instant now) {
    return impl_->trip(targets, now);
}
void Engine::probe(const TargetFilter& targets, Instant now) {
    impl_->probe(targets, now);
}
void Engine::shed(const Shedding& order, Instant now) {
    impl_->shed(order, now);
}
bool Engine::pause(const Pause& order, Instant now) {
    return impl_->pause(order, now);
}
std::optional<Refusal> Engine::count_request(std::string_view client, Instant now) {
    return impl_->count_request(client, now);
}
std::vector<BookExchange> Engine::exchanges(Instant now) {
    return impl_->exchanges(now);
}
void Engine::answered(const BookAnswer& answer, Instant now) {
    impl_->answered(answer, now);
}
void Engine::unanswered(std::string_view quota, Instant now) {
    impl_->unanswered(quota, now);
}
void Engine::leave(Instant now) {
    impl_->leave(now);
}
bool Engine::left() const {
    return impl_->left();
}
std::optional<Instant> Engine::exchange_due() const {
    return impl_->exchange_due();
}
std::optional<PastRefusal> Engine::refused(std::string_view client, std::string_view invocation,
                                           Instant now) const {
    return impl_->refused(client, invocation, now);
}
void Engine::remember(std::string_view client, std::string_view invocation, const PastRefusal& past,
                      Instant now) {
    impl_->remember(client, invocation, past, now);
}
std::vector<std::string> Engine::take_notices() {
    return impl_->take_notices();
}

}  // namespace weir
