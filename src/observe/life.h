// What is kept of one request, so that its life can be told afterwards: GET /explain/ID. Never a
// prompt, a key or the text of an error.
#pragma once

#include <weir/types.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::observe {

/// Microseconds since the request arrived; kNever: it has not come to that.
using Moment = std::int64_t;
constexpr Moment kNever = -1;

/// It was in the queue. The figures are those of weir::Standing.
struct WaitStep {
    Moment from = 0;
    Moment to = kNever;
    Hindrance cause = Hindrance::none;
    std::string_view region, model;
    LimitKind limit_kind = LimitKind::none;
    std::uint64_t limit = 0, used = 0, cost = 0;
    std::uint64_t calls_before = 0, tokens_before = 0, held_before = 0;
    Moment turn = kNever;  ///< its turn was expected after so long a wait
    std::uint32_t targets = 0;
};

/// It was sent. The figures are those of weir::Grant.
struct AttemptStep {
    std::uint32_t number = 0;  ///< from 1
    Moment from = 0;
    Moment sent = kNever;  ///< its last byte was written
    Moment head = kNever;  ///< the answer's head came
    Moment to = kNever;
    std::string_view account, region, model, endpoint, tier;
    Reasons why;
    std::uint64_t reservation = 0;
    bool right_sized = false;
    std::string_view result;  ///< `ok`, or a class of failure, or how the request ended
    int status = 0;           ///< the service's
    std::string_view error;   ///< name of its exception
    std::optional<std::uint64_t> quota_tokens;  ///< of its answer; nullopt: it told no usage
};

/// Weir had no more to try. The figures are those of weir::Refusal.
struct RefusalStep {
    Moment at = 0;
    RefusalReason reason = RefusalReason::quota;
    std::string_view region, model;
    LimitKind limit_kind = LimitKind::none;
    std::uint64_t limit = 0, used = 0, cost = 0;
    Moment retry_after = 0;
    bool repeated = false;
};

using Step = std::variant<WaitStep, AttemptStep, RefusalStep>;

struct Life {
    std::int64_t unix_ms = 0;  ///< arrival, wall time
    Moment ended = kNever;
    Moment so_far = kNever;         ///< of one under way: until now
    Moment first_content = kNever;  ///< of a stream
    std::string_view id, upstream_id, sdk_invocation;
    std::string_view client, operation, model, tag, home_region;
    std::string_view outcome, reason, error;
    Priority priority = Priority::standard;
    bool stream = false;
    bool limited = false;  ///< an inference call that the engine decides on
    int sdk_attempt = 0;
    int status = 0;
    std::uint64_t bytes = 0;  ///< of the body
    std::uint64_t input_estimate = 0;
    std::optional<std::uint64_t> max_tokens;
    Moment deadline = kNever;  ///< the caller's own
    Usage usage;
    std::optional<std::uint64_t> cost_nanodollars;  ///< of all of it
    std::uint32_t output_burndown = 0;
    std::uint32_t left_out = 0;  ///< steps that found no room
    std::string_view steps;      ///< packed
};

/// How long a wait of this request took, or has taken so far.
inline Moment waited(const WaitStep& wait, const Life& life) {
    const Moment until = wait.to == kNever ? life.so_far : wait.to;
    return until == kNever ? 0 : std::max<Moment>(until - wait.from, 0);
}

/// Steps, packed one after the other as they happen. What does not fit is counted.
class Trail {
public:
    static constexpr std::size_t kMostBytes = 4000;

    /// `memory`: to pack into; give it back with take().
    void begin(std::string memory) { packed_ = std::move(memory); }
    std::string take() { return std::move(packed_); }

    void add(const Step& step);
    std::string_view packed() const { return packed_; }
    std::uint32_t left_out() const { return left_out_; }

private:
    std::string packed_;
    std::uint32_t left_out_ = 0;
};

/// Strings are cut to 200 bytes, the steps are not.
void pack(std::string& out, const Life& life);
/// Views into `packed`. Nullopt: it is no life.
std::optional<Life> unpack(std::string_view packed);
/// Views into `packed`, up to the first that is none.
std::vector<Step> unpack_steps(std::string_view packed);

}  // namespace weir::observe
