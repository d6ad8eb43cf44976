// What the service says when it says yes: bodies, headers and stream events.
#pragma once

#include "simulator/quota.h"
#include "simulator/request.h"

#include <weir/time.h>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

/// One answer as it was drawn: how much, how fast, and why it ends.
struct Generation {
    std::string request_id;
    std::string model;
    TokenUse use;
    bool cut = false;  ///< stopped at max_tokens
    Duration ttft{};
    double rate = 1;  ///< tokens a second
    std::string echo;
    std::string tier;  ///< that serves it; empty: none was asked for

    Duration duration() const {
        return ttft + from_seconds(static_cast<double>(use.output) / rate);
    }
};

/// Draws length and pace. `maximum`: the request's or the model's.
Generation draw_generation(const Ask& ask, const ModelSettings& settings, std::uint64_t maximum,
                           Random& random);

/// Text of that many tokens, from token `from` on; the same for the same numbers.
std::string make_text(const Generation& generation, std::uint64_t from, std::uint64_t tokens);

std::string whole_text(const Generation& generation);

/// As Converse and Anthropic's Messages name it.
std::string_view stop_reason(const Generation& generation);

/// JSON as bodies and events carry it; bytes that are no UTF-8 are replaced.
std::string dump(const nlohmann::json& value);

/// `usage` of Anthropic's Messages, as InvokeModel and the Messages API carry it.
nlohmann::json anthropic_usage(const Generation& generation, std::uint64_t output);

/// A random version 4 UUID.
std::string make_uuid(Random& random);

/// The whole body of an unstreamed answer.
std::string answer_body(const Generation& generation, Language language);
/// Field lines of an unstreamed InvokeModel answer: what it counted.
std::string count_fields(const Generation& generation);

/// Encoded events of a stream. The head and tail of a stream hold several messages.
std::string stream_head(const Generation& generation, Language language);
std::string stream_piece(const Generation& generation, Language language, std::string_view text);
std::string stream_tail(const Generation& generation, Language language);
/// `:message-type: exception`.
std::string stream_error(std::string_view name, std::string_view payload);

}  // namespace weir::simulator
