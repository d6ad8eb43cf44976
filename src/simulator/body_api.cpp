#include "simulator/body_api.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kCreated = 1763942400;

/// One event; `name` empty: OpenAI's chat, whose chunks have none.
std::string sent_event(std::string_view name, const Json& data) {
    std::string out;
    if (!name.empty()) {
        out += "event: " + std::string(name) + "\n";
    }
    return out + "data: " + dump(data) + "\n\n";
}

std::string typed(Json data) {
    const auto name = data.at("type").get<std::string>();
    return sent_event(name, data);
}

std::uint64_t all_input(const Generation& generation) {
    return generation.use.input + generation.use.cache_read + generation.use.cache_write;
}

Json chat_usage(const Generation& generation) {
    return {{"prompt_tokens", all_input(generation)},
            {"completion_tokens", generation.use.output},
            {"total_tokens", all_input(generation) + generation.use.output},
            {"prompt_tokens_details", {{"cached_tokens", generation.use.cache_read}}}};
}

Json chat_frame(const Generation& generation, std::string_view object, Json choices) {
    return {{"id", "chatcmpl-" + generation.request_id},
            {"object", object},
            {"created", kCreated},
            {"model", generation.model},
            {"choices", std::move(choices)}};
}

Json chat_chunk(const Generation& generation, Json delta, const Json& reason) {
    return chat_frame(
        generation, "chat.completion.chunk",
        Json::array({{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", reason}}}));
}

Json responses_usage(const Generation& generation) {
    return {{"input_tokens", all_input(generation)},
            {"input_tokens_details", {{"cached_tokens", generation.use.cache_read}}},
            {"output_tokens", generation.use.output},
            {"output_tokens_details", {{"reasoning_tokens", 0}}},
            {"total_tokens", all_input(generation) + generation.use.output}};
}

Json output_text(std::string text) {
    return {{"type", "output_text"}, {"text", std::move(text)}, {"annotations", Json::array()}};
}

Json output_message(const Generation& generation, std::string_view status, Json content) {
    return {{"id", "msg_" + generation.request_id},
            {"type", "message"},
            {"status", status},
            {"role", "assistant"},
            {"content", std::move(content)}};
}

Json response_object(const Generation& generation, std::string_view status, Json output) {
    Json object{{"id", response_id(generation)},
                {"object", "response"},
                {"created_at", kCreated},
                {"status", status},
                {"error", nullptr},
                {"incomplete_details", nullptr},
                {"instructions", nullptr},
                {"model", generation.model},
                {"output", std::move(output)},
                {"parallel_tool_calls", true},
                {"tool_choice", "auto"},
                {"tools", Json::array()},
                {"usage", nullptr}};
    return object;
}

Json finished_response(const Generation& generation) {
    Json object = response_object(
        generation, generation.cut ? "incomplete" : "completed",
        Json::array({output_message(generation, "completed",
                                    Json::array({output_text(whole_text(generation))}))}));
    if (generation.cut) {
        object["incomplete_details"] = {{"reason", "max_output_tokens"}};
    }
    object["usage"] = responses_usage(generation);
    if (!generation.tier.empty()) {
        object["service_tier"] = generation.tier;
    }
    return object;
}

Json message_frame(const Generation& generation, Json content, std::uint64_t output) {
    return {{"id", "msg_bdrk_" + generation.request_id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", generation.model},
            {"content", std::move(content)},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr},
            {"usage", anthropic_usage(generation, output)}};
}

std::string_view finish_reason(const Generation& generation) {
    return generation.cut ? "length" : "stop";
}

/// Events of a Responses stream are about one item and one part of it.
Json part_event(std::string_view type, const Generation& generation) {
    return {{"type", type},
            {"sequence_number", 0},
            {"item_id", "msg_" + generation.request_id},
            {"output_index", 0},
            {"content_index", 0}};
}

std::string responses_head(const Generation& generation) {
    const Json begun = response_object(generation, "in_progress", Json::array());
    Json part = part_event("response.content_part.added", generation);
    part["part"] = output_text("");
    return typed({{"type", "response.created"}, {"sequence_number", 0}, {"response", begun}}) +
           typed({{"type", "response.in_progress"}, {"sequence_number", 1}, {"response", begun}}) +
           typed({{"type", "response.output_item.added"},
                  {"sequence_number", 2},
                  {"output_index", 0},
                  {"item", output_message(generation, "in_progress", Json::array())}}) +
           typed(std::move(part));
}

std::string responses_tail(const Generation& generation) {
    Json done = part_event("response.output_text.done", generation);
    done["text"] = whole_text(generation);
    done["logprobs"] = Json::array();
    Json part = part_event("response.content_part.done", generation);
    part["part"] = output_text(whole_text(generation));
    const Json whole = finished_response(generation);
    return typed(std::move(done)) + typed(std::move(part)) +
           typed({{"type", "response.output_item.done"},
                  {"sequence_number", 0},
                  {"output_index", 0},
                  {"item", whole["output"][0]}}) +
           typed({{"type", generation.cut ? "response.incomplete" : "response.completed"},
                  {"sequence_number", 0},
                  {"response", whole}});
}

struct Words {
    std::string_view anthropic;
    std::string_view openai;
    const char* code;  ///< nullptr: none
};

Words words_for(int status) {
    switch (status) {
        case 400:
            return {"invalid_request_error", "invalid_request_error", nullptr};
        case 401:
            return {"authentication_error", "authentication_error", "invalid_api_key"};
        case 403:
            return {"permission_error", "permission_error", nullptr};
        case 404:
            return {"not_found_error", "invalid_request_error", nullptr};
        case 429:
            return {"rate_limit_error", "rate_limit_error", "rate_limit_exceeded"};
        case 503:
        case 529:
            return {"overloaded_error", "server_error", "service_unavailable"};
        default:
            return {"api_error", "server_error", nullptr};
    }
}

Json openai_error(const Words& words, std::string_view message) {
    return {{"message", message},
            {"type", words.openai},
            {"param", nullptr},
            {"code", words.code == nullptr ? Json() : Json(words.code)}};
}

}  // namespace

Language language_of(Action action) {
    return action == Action::chat        ? Language::openai
           : action == Action::responses ? Language::responses
                                         : Language::anthropic;
}

std::optional<BodyAsk> read_body_ask(std::string_view body) {
    const Json document = Json::parse(body, nullptr, false);
    if (!document.is_object() || !document.contains("model") || !document["model"].is_string()) {
        return std::nullopt;
    }
    const auto flag = [&](const char* name, bool unless_told) {
        return document.contains(name) && document[name].is_boolean() ? document[name].get<bool>()
                                                                      : unless_told;
    };
    BodyAsk ask;
    ask.model = document["model"].get<std::string>();
    ask.stream = flag("stream", false);
    ask.background = flag("background", false);
    ask.store = flag("store", true);
    if (document.contains("stream_options") && document["stream_options"].is_object()) {
        ask.include_usage = document["stream_options"].value("include_usage", Json(false)) == true;
    }
    if (document.contains("previous_response_id") && document["previous_response_id"].is_string()) {
        ask.previous_response = document["previous_response_id"].get<std::string>();
    }
    return ask;
}

std::string response_id(const Generation& generation) {
    return "resp_" + generation.request_id;
}

std::string api_answer(Action action, const Generation& generation) {
    if (action == Action::responses) {
        return dump(finished_response(generation));
    }
    if (action == Action::messages) {
        Json message = message_frame(
            generation, Json::array({{{"type", "text"}, {"text", whole_text(generation)}}}),
            generation.use.output);
        message["stop_reason"] = stop_reason(generation);
        return dump(message);
    }
    Json body = chat_frame(
        generation, "chat.completion",
        Json::array({{{"index", 0},
                      {"message", {{"role", "assistant"}, {"content", whole_text(generation)}}},
                      {"finish_reason", finish_reason(generation)}}}));
    body["usage"] = chat_usage(generation);
    if (!generation.tier.empty()) {
        body["service_tier"] = generation.tier;
    }
    return dump(body);
}

std::string api_stream_head(Action action, const Generation& generation) {
    if (action == Action::responses) {
        return responses_head(generation);
    }
    if (action == Action::messages) {
        return typed({{"type", "message_start"},
                      {"message", message_frame(generation, Json::array(), 1)}}) +
               typed({{"type", "content_block_start"},
                      {"index", 0},
                      {"content_block", {{"type", "text"}, {"text", ""}}}}) +
               typed({{"type", "ping"}});
    }
    return sent_event({},
                      chat_chunk(generation, {{"role", "assistant"}, {"content", ""}}, nullptr));
}

std::string api_stream_piece(Action action, const Generation& generation, std::string_view text) {
    if (action == Action::responses) {
        Json delta = part_event("response.output_text.delta", generation);
        delta["delta"] = text;
        delta["logprobs"] = Json::array();
        return typed(std::move(delta));
    }
    if (action == Action::messages) {
        return typed({{"type", "content_block_delta"},
                      {"index", 0},
                      {"delta", {{"type", "text_delta"}, {"text", text}}}});
    }
    return sent_event({}, chat_chunk(generation, {{"content", text}}, nullptr));
}

std::string api_stream_tail(Action action, const Generation& generation, bool include_usage) {
    if (action == Action::responses) {
        return responses_tail(generation);
    }
    if (action == Action::messages) {
        return typed({{"type", "content_block_stop"}, {"index", 0}}) +
               typed({{"type", "message_delta"},
                      {"delta",
                       {{"stop_reason", stop_reason(generation)}, {"stop_sequence", nullptr}}},
                      {"usage", {{"output_tokens", generation.use.output}}}}) +
               typed({{"type", "message_stop"}});
    }
    std::string out =
        sent_event({}, chat_chunk(generation, Json::object(), finish_reason(generation)));
    if (include_usage) {
        Json usage = chat_frame(generation, "chat.completion.chunk", Json::array());
        usage["usage"] = chat_usage(generation);
        out += sent_event({}, usage);
    }
    return out + "data: [DONE]\n\n";
}

std::string api_stream_error(Action action, FaultKind kind) {
    const bool busy = kind == FaultKind::first_event;
    const Words words = words_for(busy ? 503 : 500);
    const std::string message = busy ? "Bedrock is unable to process your request."
                                     : "The model stream broke off. Retry your request.";
    if (action == Action::responses) {
        return typed({{"type", "error"},
                      {"sequence_number", 0},
                      {"code", words.code == nullptr ? Json("server_error") : Json(words.code)},
                      {"message", message},
                      {"param", nullptr}});
    }
    if (action == Action::messages) {
        return typed(
            {{"type", "error"}, {"error", {{"type", words.anthropic}, {"message", message}}}});
    }
    return sent_event({}, {{"error", openai_error(words, message)}});
}

ErrorAnswer in_words_of(Action action, ErrorAnswer answer) {
    if (!is_body_api(action) && !is_kept_response(action)) {
        return answer;
    }
    const Json said = Json::parse(answer.body, nullptr, false);
    if (!said.is_object() || !said.contains("message")) {
        return answer;  // a page, or an error in these words already
    }
    const Words words = words_for(answer.status);
    const auto message = said["message"].get<std::string>();
    answer.body = action == Action::messages
                      ? dump({{"type", "error"},
                              {"error", {{"type", words.anthropic}, {"message", message}}}})
                      : dump({{"error", openai_error(words, message)}});
    answer.type.clear();
    return answer;
}

}  // namespace weir::simulator
