// The OpenAI and Anthropic paths: what their bodies ask, what their answers and streams look like.
#pragma once

#include "simulator/answer.h"
#include "simulator/refusal.h"
#include "simulator/request.h"

#include <optional>
#include <string>
#include <string_view>

namespace weir::simulator {

/// Actions whose body names the model and whose streams are server-sent events.
constexpr bool is_body_api(Action action) {
    return action == Action::chat || action == Action::responses || action == Action::messages;
}
/// Actions on a response that is kept.
constexpr bool is_kept_response(Action action) {
    return action == Action::response_get || action == Action::response_delete;
}
Language language_of(Action action);

struct BodyAsk {
    std::string model;
    bool stream = false;
    bool include_usage = false;
    bool background = false;
    bool store = true;
    std::string previous_response;
};
/// nullopt: no JSON object, or one without a model.
std::optional<BodyAsk> read_body_ask(std::string_view body);

std::string response_id(const Generation& generation);

std::string api_answer(Action action, const Generation& generation);
std::string api_stream_head(Action action, const Generation& generation);
std::string api_stream_piece(Action action, const Generation& generation, std::string_view text);
std::string api_stream_tail(Action action, const Generation& generation, bool include_usage);
/// An error where the next event belongs.
std::string api_stream_error(Action action, FaultKind kind);

/// The same refusal in the words of that path.
ErrorAnswer in_words_of(Action action, ErrorAnswer answer);

}  // namespace weir::simulator
