// What `mode: observe` concludes: which quota to raise, which max_tokens to lower, with figures.
#pragma once

#include <weir/engine.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::policy {

/// The most that one model's calls came to in any quota window, to a twelfth of a window.
class PeakDemand {
public:
    void call(Instant now, Duration window) { add(now, window, 1, 0); }
    void settled(Instant now, Duration window, std::uint64_t tokens) {
        add(now, window, 0, tokens);
    }

    std::uint64_t requests() const { return peak_requests_; }
    std::uint64_t tokens() const { return peak_tokens_; }

private:
    static constexpr std::size_t kParts = 12;
    struct Part {
        std::int64_t number = -1;
        std::uint64_t requests = 0;
        std::uint64_t tokens = 0;
    };
    void add(Instant now, Duration window, std::uint64_t requests, std::uint64_t tokens);

    std::array<Part, kParts> parts_;
    std::uint64_t peak_requests_ = 0;
    std::uint64_t peak_tokens_ = 0;
};

/// One model's traffic as it was observed.
struct ObservedDemand {
    std::string model;
    std::uint64_t calls = 0;
    std::uint64_t would_wait = 0;
    std::uint64_t would_refuse = 0;
    std::uint64_t throttled = 0;
    std::uint64_t peak_requests = 0;  ///< in any quota window
    std::uint64_t peak_tokens = 0;    ///< settled, likewise
};

struct ObservedAdvice {
    std::string model;
    std::string text;  ///< what to do, with figures
    // Over all Regions of the route; unset: leave it.
    std::optional<std::uint64_t> raise_requests_to;
    std::optional<std::uint64_t> raise_tokens_to;
    std::optional<std::uint64_t> lower_max_tokens_to;
};

/// `status` is that of the engine that watched: its limits, and what it has learned of answers.
ObservedAdvice conclude(const ObservedDemand& demand, const Status& status);

}  // namespace weir::policy
