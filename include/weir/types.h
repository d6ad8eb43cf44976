// The values that the engine and its driver exchange.
#pragma once

#include <weir/input_counts.h>
#include <weir/time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace weir {

enum class Priority : std::uint8_t { interactive, standard, batch };
constexpr std::size_t kPriorities = 3;
std::string_view to_string(Priority priority);

/// The driver's name for a call in flight. The engine never interprets it; a driver that reuses
/// slots raises the generation, so that a late event of an ended call cannot reach its successor.
struct CallId {
    std::uint32_t worker = 0;
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;

    bool operator==(const CallId&) const = default;
};

/// The kind of answer that a call requests; lengths are learned separately for each.
enum class OutputKind : std::uint8_t {
    plain,
    structured,  ///< tools, or a schema for the answer
    thinking,
};
constexpr std::size_t kOutputKinds = 3;

/// The two endpoints of a Region's models. Their quotas are separate.
/// `mantle` (bedrock-mantle) has OpenAI's and Anthropic's APIs only, without guardrails and
/// inference profiles; it meters input and output tokens, and no requests.
enum class Endpoint : std::uint8_t { runtime, mantle };
std::string_view to_string(Endpoint endpoint);

/// Bedrock's service tiers; `unset`: the tier of the call itself. `reserved` has its own quotas,
/// the others share one.
enum class Tier : std::uint8_t { unset, standard, priority, flex, reserved };
/// As the service writes it, `default` for standard; empty: unset.
std::string_view to_string(Tier tier);

/// The start of an OpenAI path: a model answers on one of the two.
enum class ApiPath : std::uint8_t { as_asked, v1, openai_v1 };

/// The endpoints that have a call's API and may serve it.
enum class Reach : std::uint8_t { runtime, mantle, both };

/// One inference call, as the engine needs to know it. Views must live until offer() returns.
struct Call {
    CallId id;
    std::string_view client;  ///< configured or self-given name; empty: none
    Priority priority = Priority::standard;
    std::string_view model;  ///< as asked, aliases resolved; decides the route and the quota's key
    std::string_view home_region;   ///< the Region of the caller's signature
    std::string_view home_account;  ///< of what it leans on; empty: that of `credentials`
    bool converse = true;           ///< false: the body is written in a model family's own language
    bool stream = false;
    Reach reach = Reach::runtime;
    bool region_bound = false;   ///< an s3Location, say: may not leave home_region
    std::string_view guardrail;  ///< id or ARN; leaves home_region only for a target that maps it
    std::string_view profile;    ///< the ARN that was asked for as a model, likewise
    std::uint64_t input_estimate = 0;  ///< tokens, before the correction the engine has learned
    /// The parts of the estimate; all zero: the engine corrects input_estimate as a whole.
    InputCounts input_counts{};
    /// Places where an earlier request of the same conversation may have ended, earliest first; the
    /// last is this request's own end. Input up to a place that the service has counted is not
    /// estimated again. Empty: no earlier request.
    std::span<const InputMark> conversation;
    std::optional<std::uint64_t>
        max_output;  ///< the caller's max_tokens; unset: the model's maximum
    OutputKind output_kind = OutputKind::plain;
    std::uint64_t thinking_budget = 0;  ///< tokens of thinking asked for; max_tokens includes them
    std::uint64_t bytes = 0;            ///< memory held while the call waits
    Instant arrival{};
    std::optional<Duration> deadline;  ///< replaces queue.deadline; from arrival
    std::string_view invocation;  ///< amz-sdk-invocation-id, the same over an SDK's own retries
};

/// The usage that the service reported for a call. Negative numbers are clamped to zero before.
struct Usage {
    std::uint64_t input = 0;  ///< excludes cached tokens
    std::uint64_t output = 0;
    std::uint64_t cache_read = 0;
    std::uint64_t cache_write = 0;
    bool known = false;  ///< false: the answer carried no usage; the engine keeps its reservation
    std::uint64_t cache_write_1h = 0;  ///< of cache_write: kept for an hour, which costs more
    /// That served the call, which may be another than was asked for: what is beyond a reservation
    /// overflows. Unset: the answer names none.
    Tier tier = Tier::unset;

    bool operator==(const Usage&) const = default;
};

/// Classes of failure: see docs/how-weir-decides.md, "Classes of errors".
enum class FailureClass : std::uint8_t {
    quota_requests,  ///< 429 by rate
    quota_tokens,    ///< 429 by tokens
    daily,           ///< the day's tokens are used up
    capacity,        ///< 503, or in-stream before content
    overloaded,  ///< 529, 429 "overloaded", ModelNotReady: capacity that counts half in the breaker
    server,      ///< 500, 424, 502, 504, HTML from something between
    network,     ///< nothing reached the service: free to repeat
    timeout,     ///< it may have been served and paid
    reset,       ///< connection lost after the request was sent, before a status line
    slow_model,  ///< 408 ModelTimeoutException
    credentials,  ///< 403 ExpiredToken or a signature error
    broken,       ///< failed after content reached the client
    truncated,    ///< a whole answer, still held back, that stopped at a right-sized max_tokens
    caller,       ///< other 4xx
};
std::string_view to_string(FailureClass cls);

enum class Stage : std::uint8_t { not_sent, sent, begun };

/// How an attempt failed. `status`, `error_type` and `message` are kept so that a final answer can
/// repeat them.
struct Failure {
    FailureClass cls = FailureClass::network;
    Stage stage = Stage::not_sent;
    std::optional<Duration> retry_after;  ///< the server's Retry-After, if any
    std::optional<Usage> seen;            ///< usage observed before the failure
    int status = 0;                       ///< HTTP status; 0: none came
    std::string error_type;               ///< exact exception name
    std::string message;
    /// No evidence about the target: a kept connection that had closed, a deadline of the caller's
    /// own. The breaker does not count it; a call that was not sent is sent again without a pause.
    bool blameless = false;
};

constexpr std::string_view kDefaultAccount = "default";

/// An account as Target names it: "default" is the one without a name.
constexpr std::string_view plain_account(std::string_view account) {
    return account == kDefaultAccount ? std::string_view() : account;
}
/// An account as labels and logs name it.
constexpr std::string_view account_label(std::string_view account) {
    return account.empty() ? kDefaultAccount : account;
}

/// A target of calls. Stable address and content while any grant refers to it.
struct Target {
    std::string region;
    std::string model;  ///< as it goes on the wire
    Endpoint endpoint = Endpoint::runtime;
    Tier tier = Tier::unset;
    std::string account = {};  ///< of `accounts`; empty: that of `credentials`

    auto operator<=>(const Target&) const = default;
};

/// Why a grant is for its target.
enum class Choice : std::uint8_t {
    as_it_came,    ///< nobody chose: weir does not limit this call
    first,         ///< the first of its route
    drawn,         ///< one of several equals, by weight and load
    prompt_cache,  ///< it holds the prompt cache of the call's conversation
    spilled,       ///< the targets before it could not take the call in time
    again,         ///< where the last attempt failed
    elsewhere,     ///< not where the last attempt failed
};
std::string_view to_string(Choice choice);

/// What keeps a call from a target.
enum class Hindrance : std::uint8_t {
    none,
    line,          ///< calls that are before it
    quota,         ///< the limit has no room
    throttled,     ///< the service has refused calls, and the next is sent after a pause
    other_weirs,   ///< the store of a shared quota has granted no room yet
    client_limit,  ///< a limit of its client's own
    in_flight,     ///< as many calls under way as may be
    connections,   ///< pool.max_connections
    held,          ///< an operator, or an alarm, has it closed or drained
    breaker,       ///< open, or its probes are under way
    day,           ///< the day's tokens are gone
    unfit,         ///< it refuses such calls of this client with 403 or 404
    failed,        ///< the call has failed there, for good or until a pause is over
};
std::string_view to_string(Hindrance hindrance);

/// How a grant came about, for those who ask later. Nothing depends on it.
struct Reasons {
    Choice choice = Choice::as_it_came;
    Hindrance first_hindered = Hindrance::none;  ///< what kept a spilled call from the first target
    std::uint64_t input_known = 0;     ///< tokens of input that the service has counted before
    std::uint64_t input_expected = 0;  ///< with what was learned applied
    std::uint64_t input_held = 0;      ///< with the margin
    std::uint64_t output = 0;          ///< max_tokens, as it is sent and held
    std::uint64_t output_held = 0;     ///< quota tokens held for it
};

/// Permission to send one attempt now. Ends exactly once: settle, report or cancel.
struct Grant {
    const Target* target = nullptr;
    std::uint32_t attempt = 0;                ///< 1 for the call's first send
    std::uint64_t reservation = 0;            ///< quota tokens held
    std::optional<std::uint64_t> max_output;  ///< set: rewrite max_tokens to this, which is lower
    bool right_sized = false;  ///< lower by right-sizing, not by a limit: see truncated
    bool substituted = false;  ///< target->model differs from what the caller asked
    bool degraded = false;     ///< another model than asked, not just the same one elsewhere
    bool fallback = false;     ///< the target is not among the route's first choices
    /// Quota tokens that a token of output costs there; 0: output has a quota of its own.
    std::uint32_t output_burndown = 0;
    ApiPath path = ApiPath::as_asked;
    Instant deadline = Instant::max();  ///< the call's: no attempt is granted after it
    bool elsewhere = false;  ///< without an answer in time the call may still go to another target
    /// Set: replaces the call's own guardrail. These two live as long as the engine.
    std::string_view guardrail;
    std::string_view profile;  ///< set: replaces the ARN that the call names

    Reasons why;
};

enum class RefusalReason : std::uint8_t {
    quota,         ///< its turn would come past the deadline
    client_limit,  ///< the same for the client's own limit
    queue_full,
    deadline,            ///< waited, and the deadline or queue.max_wait came
    daily_quota,         ///< the day's tokens are used up on every target
    never_fits,          ///< larger than the limit itself
    unavailable,         ///< every target's breaker is open past the deadline
    attempts_exhausted,  ///< answer with `upstream`, as it came
    upstream_error,      ///< not retryable: answer with `upstream`, as it came
    no_target,           ///< residency, family or Region-bound parts exclude every target
    closed,              ///< an operator has closed every target
    shed,                ///< an operator has this class of calls refused
    paused,              ///< an operator has this client's calls refused
    budget,              ///< its client's money for the day or the month is spent
};
std::string_view to_string(RefusalReason reason);

/// `input_tokens` and `output_tokens` belong to quotas that count the two separately.
enum class LimitKind : std::uint8_t {
    none,
    requests,
    tokens,
    daily_tokens,
    input_tokens,
    output_tokens,
    in_flight  ///< calls in flight at once
};
std::string_view to_string(LimitKind kind);

/// Final. Carries the figures of its message: the limit, its model and Region, its use, and when
/// there is room.
struct Refusal {
    RefusalReason reason = RefusalReason::quota;
    Duration retry_after{};  ///< 0: unknown or pointless
    std::string region;
    std::string model;
    LimitKind limit_kind = LimitKind::none;
    std::uint64_t limit = 0;
    std::uint64_t used = 0;
    std::uint64_t cost = 0;  ///< what this call would have held
    bool repeated = false;   ///< remembered from an earlier request of the same SDK invocation
    std::optional<Failure> upstream;  ///< the last upstream error, where the reason speaks of one
};

/// The call is in the queue (or waits for a backoff); advance() returns its decision.
struct Wait {};

/// Why a call waits, at the first target that it might use; for those who ask later. Nothing
/// depends on it.
struct Standing {
    Hindrance cause = Hindrance::none;
    std::string region;
    std::string model;
    LimitKind limit_kind = LimitKind::none;  ///< with its figures as in Refusal
    std::uint64_t limit = 0;
    std::uint64_t used = 0;
    std::uint64_t cost = 0;
    std::uint64_t calls_before = 0;   ///< expected to go first
    std::uint64_t tokens_before = 0;  ///< what those are expected to settle at
    std::uint64_t held_before = 0;    ///< about what those hold until then
    std::optional<Duration> turn;     ///< until its own is expected; unset: only an event can tell
    std::uint32_t targets = 0;        ///< of its route
};

using Decision = std::variant<Grant, Wait, Refusal>;

struct Wake {
    CallId id;
    Decision decision;  ///< Grant or Refusal, never Wait
};

enum class LogLevel : std::uint8_t { debug, info, warn, error };
/// The library logs through this; it may be called from any thread the driver calls the library on.
using LogSink = std::function<void(LogLevel, std::string_view)>;

}  // namespace weir
