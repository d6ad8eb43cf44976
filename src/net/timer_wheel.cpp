#include "net/timer_wheel.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>

namespace weir::net {

namespace {

constexpr std::int64_t kTick = 5'000'000;  // ns
constexpr std::int64_t kSlots = 1024;      // a tick each: one turn is 5.12 s
constexpr std::int64_t kTurns = 64;  // a turn each, 5 min 28 s; whatever is later goes round again
constexpr std::uint32_t kDeferred = kSlots + kTurns;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

std::int64_t tick_before(Instant at) {
    const std::int64_t ns = at.time_since_epoch().count();
    return ns / kTick - (ns % kTick < 0 ? 1 : 0);
}

std::int64_t tick_after(Instant at) {
    const std::int64_t ns = at.time_since_epoch().count();
    return ns / kTick + (ns % kTick > 0 ? 1 : 0);
}

std::uint32_t slot_of(std::int64_t tick) {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(tick) % kSlots);
}

std::int64_t turn_of(std::int64_t tick) {
    return tick >> std::countr_zero(static_cast<std::uint64_t>(kSlots));
}

std::uint32_t slot_of_turn(std::int64_t turn) {
    return static_cast<std::uint32_t>(kSlots + (turn & (kTurns - 1)));
}

}  // namespace

Instant coarse_now() {
    const auto ns = [](const timespec& time) {
        return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
    };
    static const Duration tick = [&] {
        timespec resolution{};
        ::clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
        return Duration(ns(resolution));
    }();
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return Instant(ns(time) + tick);
}

/// A timer sits in the slot of some tick that comes no later than its deadline's; when that tick
/// comes it either fires or moves to a slot nearer its deadline. So a deadline that moves later
/// costs nothing until then. What is more than a turn away sits in the slot of its turn, which is
/// looked at when that begins: thousands of deadlines that are minutes away wake nobody.
struct TimerWheel::Impl final : Watched {
    Impl(Poller& by, TimerWheel& of)
        : poller(by),
          wheel(of),
          clock(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
        if (clock < 0 || poller.add(clock, EPOLLIN, *this) != 0) {
            std::perror("weir: timerfd");
            std::abort();  // deadlines are what keeps everybody's wait bounded
        }
    }
    ~Impl() override {
        poller.remove(clock, *this);
        ::close(clock);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void ready(std::uint32_t /*events*/) override {
        wheel.advance(std::chrono::steady_clock::now());
    }

    Poller& poller;
    TimerWheel& wheel;
    int clock;
    std::array<Timer*, kDeferred + 1> heads{};
    std::array<std::uint64_t, (kSlots + kTurns) / 64>
        occupied{};  // may say so of a slot emptied since
    std::size_t count = 0;
    bool started = false;     // `cursor` means something
    std::int64_t cursor = 0;  // the last tick that has been worked off
    std::int64_t wake = kNever;
    bool advancing = false;

    /// The tick at which this slot is looked at next.
    std::int64_t next_visit(std::uint32_t slot) const {
        if (slot >= kSlots) {
            const std::int64_t turn = turn_of(cursor);
            return (turn + 1 + ((slot - kSlots - turn - 1) & (kTurns - 1))) * kSlots;
        }
        const std::int64_t ahead =
            static_cast<std::int64_t>((slot + kSlots - slot_of(cursor)) % kSlots);
        return cursor + (ahead == 0 ? kSlots : ahead);
    }

    void link(Timer& timer, std::uint32_t slot) {
        timer.slot_ = slot;
        timer.previous_ = nullptr;
        timer.next_ = heads[slot];
        if (timer.next_ != nullptr) {
            timer.next_->previous_ = &timer;
        }
        heads[slot] = &timer;
        if (slot != kDeferred) {
            occupied[slot / 64] |= 1ULL << (slot % 64);
        }
    }

    void unlink(Timer& timer) {
        (timer.previous_ != nullptr ? timer.previous_->next_ : heads[timer.slot_]) = timer.next_;
        if (timer.next_ != nullptr) {
            timer.next_->previous_ = timer.previous_;
        }
        timer.previous_ = timer.next_ = nullptr;
    }

    void place(Timer& timer) {
        std::int64_t tick = tick_after(timer.deadline_);
        if (started && tick <= cursor) {
            tick = cursor + 1;  // overdue: the next tick takes it
        }
        const bool far = started && tick - cursor > kSlots;
        const std::uint32_t slot = far ? slot_of_turn(turn_of(tick)) : slot_of(tick);
        link(timer, slot);
        const std::int64_t visit = far ? next_visit(slot) : tick;
        if (!advancing && visit < wake) {
            sleep_until(visit);
        }
    }

    void sleep_until(std::int64_t tick) {
        wake = tick;
        const std::int64_t at = std::max<std::int64_t>(tick * kTick, 1);  // zero would disarm it
        itimerspec when{};
        when.it_value.tv_sec = at / 1'000'000'000;
        when.it_value.tv_nsec = at % 1'000'000'000;
        ::timerfd_settime(clock, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    void plan() {
        wake = kNever;
        if (count == 0) {
            return;
        }
        std::int64_t next = kNever;
        const std::int64_t from = cursor + 1;
        for (std::int64_t tick = from; tick < from + kSlots;) {
            const std::uint32_t slot = slot_of(tick);
            const std::uint64_t word = occupied[slot / 64] >> (slot % 64);
            if (word != 0) {
                next = tick + std::countr_zero(word);
                break;
            }
            tick += 64 - slot % 64;
        }
        const std::uint64_t turns = occupied[kSlots / 64];
        if (turns != 0) {
            const std::int64_t turn = turn_of(cursor) + 1;
            const auto by = static_cast<int>(turn & (kTurns - 1));
            next = std::min(next, (turn + std::countr_zero(std::rotr(turns, by))) * kSlots);
        }
        if (next != kNever) {
            sleep_until(next);
        }
    }

    void visit(std::uint32_t slot, std::int64_t now_tick) {
        while (Timer* timer = heads[slot]) {
            unlink(*timer);
            if (tick_after(timer->deadline_) > now_tick) {
                link(*timer, kDeferred);
                continue;
            }
            timer->armed_ = false;
            --count;
            timer->fire_(timer->context_);  // may set, clear or destroy any timer
        }
        occupied[slot / 64] &= ~(1ULL << (slot % 64));
        while (Timer* timer = heads[kDeferred]) {
            unlink(*timer);
            place(*timer);
        }
    }
};

TimerWheel::TimerWheel(Poller& poller) : impl_(std::make_unique<Impl>(poller, *this)) {}

TimerWheel::~TimerWheel() = default;

void TimerWheel::advance(Instant now) {
    Impl& wheel = *impl_;
    const std::int64_t now_tick = tick_before(now);
    wheel.advancing = true;
    if (!wheel.started || now_tick - wheel.cursor >= kSlots) {
        const std::int64_t first = now_tick - kSlots;
        wheel.started = true;
        for (std::int64_t tick = first + 1; tick <= now_tick; ++tick) {
            // Everything set meanwhile lands after now, so that each slot is looked at once.
            wheel.cursor = now_tick;
            wheel.visit(slot_of(tick), now_tick);
        }
        for (std::int64_t turn = 0; turn < kTurns; ++turn) {
            wheel.visit(slot_of_turn(turn), now_tick);
        }
    }
    while (wheel.cursor < now_tick) {
        ++wheel.cursor;
        const std::uint32_t slot = slot_of(wheel.cursor);
        if (slot == 0) {
            wheel.visit(slot_of_turn(turn_of(wheel.cursor)), now_tick);
        }
        if ((wheel.occupied[slot / 64] >> (slot % 64) & 1) != 0) {
            wheel.visit(slot, now_tick);
        }
    }
    wheel.advancing = false;
    wheel.plan();
}

void Timer::set(Instant deadline) {
    TimerWheel::Impl& wheel = *wheel_.impl_;
    if (armed_) {
        if (deadline >= deadline_ || (wheel.started && slot_ != kDeferred &&
                                      tick_after(deadline) >= wheel.next_visit(slot_))) {
            deadline_ = deadline;
            return;
        }
        wheel.unlink(*this);
    } else {
        armed_ = true;
        ++wheel.count;
    }
    deadline_ = deadline;
    wheel.place(*this);
}

// The coarse clock lags where the kernel's tick is late, as on a busy virtual machine. Of a second
// that is nothing; a short wait would end early by it.
void Timer::set_after(Duration duration) {
    constexpr Duration kShort = std::chrono::seconds(1);
    set((duration < kShort ? std::chrono::steady_clock::now() : coarse_now()) + duration);
}

void Timer::clear() {
    if (armed_) {
        wheel_.impl_->unlink(*this);
        --wheel_.impl_->count;
        armed_ = false;
    }
}

}  // namespace weir::net
