// One lock round one shadow engine.
#pragma once

#include "policy/shadow.h"

#include <chrono>
#include <mutex>

namespace weir::gateway {

/// Thread-safe.
class ObserveGate {
public:
    ObserveGate(Config config, std::uint64_t seed) : shadow_(std::move(config), seed, clock()) {}

    void offer(const Call& call) {
        const std::scoped_lock lock(mutex_);
        shadow_.offer(call, clock());
    }
    void ended(CallId id, const policy::Shadow::Outcome& outcome) {
        const std::scoped_lock lock(mutex_);
        shadow_.ended(id, outcome, clock());
    }
    void reconfigure(Config config) {
        const std::scoped_lock lock(mutex_);
        shadow_.reconfigure(std::move(config), clock());
    }
    std::vector<policy::ObservedRow> rows() {
        const std::scoped_lock lock(mutex_);
        return shadow_.rows(clock());
    }

    std::vector<policy::ObservedAdvice> advice() {
        const std::scoped_lock lock(mutex_);
        return shadow_.advice(clock());
    }

private:
    static Instant clock() { return std::chrono::steady_clock::now(); }

    std::mutex mutex_;
    policy::Shadow shadow_;
};

}  // namespace weir::gateway
