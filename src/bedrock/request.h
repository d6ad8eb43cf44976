// The quota that a request's body needs: input tokens by its bytes, and its maximum of output.
#pragma once

#include "bedrock/operation.h"

#include <weir/input_counts.h>
#include <weir/models.h>
#include <weir/result.h>
#include <weir/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::bedrock {

struct RequestFacts {
    std::uint64_t input_estimate = 0;         // tokens; before the engine's correction
    InputCounts input_counts{};               // the parts of the estimate
    std::optional<std::uint64_t> max_output;  // the caller's own
    OutputKind output_kind = OutputKind::plain;
    std::uint64_t thinking_budget = 0;
    bool region_bound = false;  // an s3Location or the like inside, or a guardrail without a name
    bool guarded = false;       // a guardrail is asked for
    /// That the body asks for; nullopt: one that weir does not know.
    std::optional<Tier> tier = Tier::standard;
    // The guardrail's name in the body, if it is there once and unescaped; else region_bound.
    std::size_t guardrail_at = 0;
    std::size_t guardrail_size = 0;  // 0: nowhere
    // The place of the number of max_output in the body, for replacing only its bytes.
    std::size_t max_output_at = 0;
    std::size_t max_output_size = 0;       // 0: nowhere
    std::uint32_t max_output_members = 0;  // how often the body names it, usably or not
};

/// Reads requests; keeps a parser's memory between calls. One a worker.
class RequestReader {
public:
    /// `seed` prevents callers from making conversations with equal hashes. One per process,
    /// because readers with different seeds do not recognise each other's conversations.
    explicit RequestReader(std::uint64_t seed = 0);
    ~RequestReader();
    RequestReader(RequestReader&&) noexcept;
    RequestReader& operator=(RequestReader&&) noexcept;

    /// `body` may grow its capacity (parser padding), never its content. A body that is not a JSON
    /// object, or has its maximum twice, is an error, with the message of a
    /// ValidationException. An unusual JSON body (unknown family, no messages, strings for
    /// numbers) is no error: it counts by its bytes, and the service decides. Of maximums under
    /// several names the largest counts, because the service may hold that much; a value that
    /// is not a number counts as unset.
    Result<RequestFacts> read(Operation operation, std::string_view model, Family family,
                              std::string& body);

    /// Beginnings of the body read last, as Call::conversation takes them. Until the next read().
    std::span<const InputMark> conversation() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Body with max_output replaced, or added where the request had none; other bytes as they were.
std::string with_max_output(std::string_view body, const RequestFacts& facts, Operation operation,
                            Family family, std::uint64_t max_output);

/// Tokens of a text by its classes and their prior weights.
double estimate_tokens(std::string_view utf8);

}  // namespace weir::bedrock
