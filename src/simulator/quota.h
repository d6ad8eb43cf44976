// What one model of one Region charges: requests and tokens a minute, tokens a day.
#pragma once

#include "simulator/window.h"

#include <optional>

namespace weir::simulator {

enum class Verdict : std::uint8_t { accepted, requests, tokens, daily };

struct TokenUse {
    std::uint64_t input = 0;  ///< without cached tokens
    std::uint64_t output = 0;
    std::uint64_t cache_read = 0;
    std::uint64_t cache_write = 0;
    std::uint64_t cache_write_1h = 0;  ///< of those: kept for an hour
};

/// As bedrock-mantle and the reserved tier count: input + max_tokens must fit the input quota for a
/// call to begin, of which its input alone is paid. What it writes is paid from the output quota; a
/// call that finds too little there is cut short, not refused.
class SplitQuota {
public:
    struct Ticket {
        std::optional<Window::Charge> input;
        std::optional<Window::Charge> output;
    };

    SplitQuota(const SplitLimits& limits, WindowKind kind, Duration window, Duration phase,
               Instant now);

    /// True: accepted; `ticket` must be settled once.
    bool start(std::uint64_t input, std::uint64_t max_output, Instant now, Ticket& ticket);
    /// The most that may be written now; a started call writes one token at least.
    std::uint64_t output_room(Instant now);
    /// What the call is going to write counts from its beginning.
    void write(std::uint64_t output, Instant now, Ticket& ticket);
    void settle(const Ticket& ticket, const TokenUse& use, Instant now);

private:
    std::optional<Window> input_;
    std::optional<Window> output_;
};

/// Charges a call twice: what it could cost when it starts (its whole input and the output it asked
/// for, unmultiplied), what it did cost when it ends (input, cache writes, output times burndown).
///
/// Invariant: a call that was refused leaves no tokens behind.
class Quota {
public:
    struct Ticket {
        std::optional<Window::Charge> tokens;
        std::optional<Window::Charge> daily;
    };

    /// `phase` shifts the clock minute.
    Quota(const ModelSettings& settings, WindowKind kind, Duration window, Duration phase,
          Instant now);

    /// Accepted: `ticket` must be settled once.
    Verdict start(std::uint64_t input, std::uint64_t max_output, Instant now, Ticket& ticket);
    void settle(const Ticket& ticket, const TokenUse& use, Instant now);

    std::uint64_t cost(const TokenUse& use) const;
    std::uint64_t used_tokens(Instant now) { return tokens_ ? tokens_->used(now) : 0; }
    std::uint64_t used_requests(Instant now) { return requests_ ? requests_->used(now) : 0; }

private:
    std::uint64_t burndown_;
    bool refused_count_;
    std::optional<Window> requests_;
    std::optional<Window> tokens_;
    std::optional<Window> daily_;
};

}  // namespace weir::simulator
