#include "gateway/engine_gate.h"

#include <type_traits>
#include <utility>

namespace weir::gateway {
namespace {

/// One lock hold hands on at most this many batches of 64; the timer brings the rest at once.
constexpr int kBatches = 4;

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

EngineGate::EngineGate(Config config, std::uint64_t seed, std::vector<net::Loop*> loops,
                       Deliver deliver)
    : loops_(std::move(loops)),
      deliver_(std::move(deliver)),
      engine_(std::move(config), seed, clock_now()),
      timer_(
          loops_.front()->wheel(), [](void* self) { static_cast<EngineGate*>(self)->on_timer(); },
          this) {}

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
    const auto now = clock_now();
    const auto finish = [&] {
        if (frees_room) {
            advance(now, woken);
        }
        const auto next = engine_.next_wake();
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
        if (!timer_.armed() || when < timer_deadline_) {
            timer_deadline_ = when;
            timer_.set(when);
        }
    });
}

void EngineGate::on_timer() {
    std::vector<Wake> woken;
    std::unique_lock lock(mutex_);
    advance(clock_now(), woken);
    const auto next = engine_.next_wake();
    armed_ = next.value_or(Instant::max());
    lock.unlock();
    if (next) {
        timer_deadline_ = *next;
        timer_.set(*next);
    }
    post(woken);
}

Decision EngineGate::offer(const Call& call) {
    return ask(false, [&](Engine& e, Instant now) { return e.offer(call, now); });
}

void EngineGate::sent(CallId id) {
    ask(false, [&](Engine& e, Instant now) { e.sent(id, now); });
}

void EngineGate::began(CallId id) {
    ask(true, [&](Engine& e, Instant now) { e.began(id, now); });
}

Decision EngineGate::report(CallId id, const Failure& failure, std::string_view name) {
    return ask(true, [&](Engine& e, Instant now) { return e.report(id, failure, now, name); });
}

std::vector<std::string> EngineGate::notices() {
    return ask(false, [](Engine& e, Instant) { return e.take_notices(); });
}

void EngineGate::settle(CallId id, const Usage& usage) {
    ask(true, [&](Engine& e, Instant now) { e.settle(id, usage, now); });
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

Status EngineGate::status() {
    return ask(true, [](Engine& e, Instant now) { return e.status(now); });
}

}  // namespace weir::gateway
