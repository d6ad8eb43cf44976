#include "gateway/observe_gate.h"

#include "gateway/clock.h"

#include <type_traits>
#include <utility>

namespace weir::gateway {

ObserveGate::ObserveGate(Config config, std::uint64_t seed, net::Loop& loop)
    : loop_(loop),
      shadow_(std::move(config), seed, now()),
      timer_(loop.wheel(), [](void* self) { static_cast<ObserveGate*>(self)->on_timer(); }, this) {}

template <class Do>
auto ObserveGate::locked(Do act) {
    const std::scoped_lock lock(mutex_);
    if constexpr (std::is_void_v<std::invoke_result_t<Do, policy::Shadow&, Instant>>) {
        act(shadow_, now());
        note_due();
    } else {
        auto result = act(shadow_, now());
        note_due();
        return result;
    }
}

/// Under the lock. A shadow that shares nothing needs no timer.
void ObserveGate::note_due() {
    const auto due = send_ ? shadow_.due() : std::nullopt;
    if (due && *due < armed_) {
        armed_ = *due;
        loop_.post([this, when = *due] { timer_.set(when); });
    }
}

void ObserveGate::on_timer() {
    std::unique_lock lock(mutex_);
    std::vector<BookExchange> exchanges = shadow_.exchanges(now());
    armed_ = Instant::max();
    note_due();
    lock.unlock();
    if (!exchanges.empty()) {
        send_(std::move(exchanges));
    }
}

void ObserveGate::offer(const Call& call) {
    locked([&](policy::Shadow& s, Instant at) { s.offer(call, at); });
}

void ObserveGate::ended(CallId id, const policy::Shadow::Outcome& outcome) {
    locked([&](policy::Shadow& s, Instant at) { s.ended(id, outcome, at); });
}

void ObserveGate::reconfigure(Config config) {
    locked([&](policy::Shadow& s, Instant at) { s.reconfigure(std::move(config), at); });
}

std::vector<policy::ObservedRow> ObserveGate::rows() {
    return locked([](policy::Shadow& s, Instant at) { return s.rows(at); });
}

std::vector<policy::ObservedAdvice> ObserveGate::advice() {
    return locked([](policy::Shadow& s, Instant at) { return s.advice(at); });
}

void ObserveGate::answered(const BookAnswer& answer) {
    locked([&](policy::Shadow& s, Instant at) { s.answered(answer, at); });
}

void ObserveGate::unanswered(std::string_view quota) {
    locked([&](policy::Shadow& s, Instant at) { s.unanswered(quota, at); });
}

void ObserveGate::leave() {
    locked([](policy::Shadow& s, Instant at) { s.leave(at); });
}

bool ObserveGate::left() {
    return locked([](policy::Shadow& s, Instant) { return s.left(); });
}

std::vector<SharedStatus> ObserveGate::shared() {
    return locked([](policy::Shadow& s, Instant at) { return s.shared(at); });
}

}  // namespace weir::gateway
