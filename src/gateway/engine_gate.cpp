#include "gateway/engine_gate.h"

#include "gateway/clock.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace weir::gateway {
namespace {

/// One lock hold hands on at most this many batches of 64; the timer brings the rest at once.
constexpr int kBatches = 4;

Decision with_standing(Decision decision, Engine& engine, CallId id, Instant now,
                       Standing* standing) {
    if (standing != nullptr && std::holds_alternative<Wait>(decision)) {
        *standing = engine.standing(id, now).value_or(Standing());
    }
    return decision;
}

}  // namespace

EngineGate::EngineGate(Config config, std::uint64_t seed, EngineState before,
                       std::vector<net::Loop*> loops, Deliver deliver)
    : loops_(std::move(loops)),
      deliver_(std::move(deliver)),
      engine_(std::move(config), seed, gateway::now()),
      timer_(
          loops_.front()->wheel(), [](void* self) { static_cast<EngineGate*>(self)->on_timer(); },
          this) {
    engine_.resume(std::move(before), gateway::now());
}

void EngineGate::advance(Instant now, std::vector<Wake>& woken) {
    for (int batch = 0; batch < kBatches; ++batch) {
        const auto before = woken.size();
        engine_.advance(now, woken);
        if (woken.size() - before < 64) {
            return;
        }
    }
}

template <class Ask>
auto EngineGate::ask(bool frees_room, Ask ask) {
    using Answer = std::invoke_result_t<Ask, Engine&, Instant>;
    std::vector<Wake> woken;
    std::unique_lock lock(mutex_);
    const auto now = gateway::now();
    const auto finish = [&] {
        if (frees_room) {
            advance(now, woken);
        }
        const auto next = next_due();
        const bool earlier = next && *next < armed_;
        if (earlier) {
            armed_ = *next;
        }
        lock.unlock();
        if (earlier) {
            arm(*next);
        }
        post(woken);
    };
    if constexpr (std::is_void_v<Answer>) {
        ask(engine_, now);
        finish();
    } else {
        Answer answer = ask(engine_, now);
        finish();
        return answer;
    }
}

void EngineGate::post(std::vector<Wake>& woken) {
    for (auto& wake : woken) {
        loops_[wake.id.worker]->post([this, wake = std::move(wake)] { deliver_(wake); });
    }
}

void EngineGate::arm(Instant when) {
    loops_.front()->post([this, when] {
        if (when <= gateway::now()) {
            on_timer();
        } else if (!timer_.armed() || when < timer_deadline_) {
            timer_deadline_ = when;
            timer_.set(when);
        }
    });
}

void EngineGate::on_timer() {
    std::vector<Wake> woken;
    std::unique_lock lock(mutex_);
    advance(gateway::now(), woken);
    std::vector<BookExchange> exchanges;
    if (send_) {
        exchanges = engine_.exchanges(gateway::now());
    }
    const std::vector<std::string> notices = engine_.take_notices();
    const auto next = next_due();
    armed_ = next.value_or(Instant::max());
    lock.unlock();
    if (next) {
        timer_deadline_ = *next;
        timer_.set(*next);
    }
    post(woken);
    if (log_) {
        for (const std::string& notice : notices) {
            log_(LogLevel::warn, notice);
        }
    }
    if (!exchanges.empty()) {
        send_(std::move(exchanges));
    }
}

/// When the engine or what it has to tell others is due next.
std::optional<Instant> EngineGate::next_due() const {
    const auto wake = engine_.next_wake();
    const auto exchange = send_ ? engine_.exchange_due() : std::nullopt;
    return wake && exchange ? std::min(*wake, *exchange) : (wake ? wake : exchange);
}

void EngineGate::answered(const BookAnswer& answer) {
    ask(true, [&](Engine& e, Instant now) { e.answered(answer, now); });
}

void EngineGate::unanswered(std::string_view quota) {
    ask(true, [&](Engine& e, Instant now) { e.unanswered(quota, now); });
}

void EngineGate::leave() {
    ask(false, [](Engine& e, Instant now) { e.leave(now); });
}

bool EngineGate::left() {
    const std::scoped_lock lock(mutex_);
    return engine_.left();
}

std::optional<PastRefusal> EngineGate::refused(std::string_view client,
                                               std::string_view invocation) {
    const std::scoped_lock lock(mutex_);
    return engine_.refused(client, invocation, gateway::now());
}

void EngineGate::remember(std::string_view client, std::string_view invocation,
                          const PastRefusal& past) {
    const std::scoped_lock lock(mutex_);
    engine_.remember(client, invocation, past, gateway::now());
}

Decision EngineGate::offer(const Call& call, Standing* standing) {
    return ask(false, [&](Engine& e, Instant now) {
        return with_standing(e.offer(call, now), e, call.id, now, standing);
    });
}

void EngineGate::sent(CallId id) {
    ask(false, [&](Engine& e, Instant now) { e.sent(id, now); });
}

void EngineGate::began(CallId id) {
    ask(true, [&](Engine& e, Instant now) { e.began(id, now); });
}

Decision EngineGate::report(CallId id, const Failure& failure, std::string_view name,
                            Standing* standing) {
    return ask(true, [&](Engine& e, Instant now) {
        return with_standing(e.report(id, failure, now, name), e, id, now, standing);
    });
}

std::vector<std::string> EngineGate::notices() {
    return ask(false, [](Engine& e, Instant) { return e.take_notices(); });
}

void EngineGate::complete(CallId id, const Usage& usage) {
    ask(true, [&](Engine& e, Instant now) {
        e.began(id, now);
        e.settle(id, usage, now);
    });
}

void EngineGate::cancel(CallId id, const std::optional<Usage>& so_far) {
    ask(true, [&](Engine& e, Instant now) { e.cancel(id, so_far, now); });
}

std::optional<Refusal> EngineGate::count_request(std::string_view client) {
    return ask(false, [&](Engine& e, Instant now) { return e.count_request(client, now); });
}

void EngineGate::reconfigure(Config config) {
    ask(true, [&](Engine& e, Instant now) { e.reconfigure(std::move(config), now); });
}

EngineState EngineGate::state() {
    const std::scoped_lock lock(mutex_);
    return engine_.state(gateway::now());
}

bool EngineGate::hold(const Override& order) {
    return ask(true, [&](Engine& e, Instant now) { return e.hold(order, now); });
}

std::size_t EngineGate::release(const TargetFilter& targets, std::string_view by) {
    return ask(true, [&](Engine& e, Instant now) { return e.release(targets, by, now); });
}

std::size_t EngineGate::trip(const TargetFilter& targets) {
    return ask(true, [&](Engine& e, Instant now) { return e.trip(targets, now); });
}

void EngineGate::probe(const TargetFilter& targets) {
    ask(true, [&](Engine& e, Instant now) { e.probe(targets, now); });
}

void EngineGate::shed(const Shedding& order) {
    ask(true, [&](Engine& e, Instant now) { e.shed(order, now); });
}

bool EngineGate::pause(const Pause& order) {
    return ask(true, [&](Engine& e, Instant now) { return e.pause(order, now); });
}

Status EngineGate::status() {
    return ask(true, [](Engine& e, Instant now) { return e.status(now); });
}

}  // namespace weir::gateway
