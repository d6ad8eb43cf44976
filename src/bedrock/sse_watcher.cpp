#include "bedrock/sse_watcher.h"

#include "bedrock/error_body.h"
#include "bedrock/failure_parts.h"
#include "bedrock/json_peek.h"
#include "bedrock/text_counter.h"
#include "bedrock/usage_json.h"
#include "codec/clean.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::bedrock {

namespace {

using Kind = StreamKind;

/// A value that is an object, as the service writes it: `"usage":null` is none.
bool has_object(std::string_view json, std::string_view quoted_name) {
    const auto at = member_at(json, quoted_name);
    return at != std::string_view::npos && json[at] == '{';
}

bool non_empty(const std::optional<std::string_view>& text) {
    return text && !text->empty();
}

}  // namespace

bool is_whole_data(std::string_view data) {
    if (data == "[DONE]") {
        return true;
    }
    std::string copy(data);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    std::string_view raw;
    return parser.iterate(padded(copy)).get(document) == simdjson::SUCCESS &&
           document.get_object().get(object) == simdjson::SUCCESS &&
           object.raw_json().get(raw) == simdjson::SUCCESS &&
           document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

struct SseWatcher::Impl {
    Impl(Operation op, bool hides) : operation(op), hides_usage(hides) {}

    Kind chat(std::string_view json);
    Kind responses(std::string_view type, std::string_view json);
    Kind messages(std::string_view type, std::string_view json);
    Kind fail(std::string_view json);
    void fail_as(const ErrorBody& said);
    void read_usage(std::string_view json);

    Kind content() {
        begun = true;
        return Kind::content;
    }

    Operation operation;
    bool hides_usage;
    bool hidden = false;
    UsageParts parts;
    double weight = 0;  // tokens of the content so far
    bool final_usage = false;
    bool begun = false;
    bool ended = false;
    std::string response;
    Failure failed;
    std::string copy;  // a parser's own, with room behind it
};

void SseWatcher::Impl::read_usage(std::string_view json) {
    copy = json;
    ondemand::parser parser;  // once or twice a stream
    ondemand::document document;
    ondemand::object object;
    if (parser.iterate(padded(copy)).get(document) == simdjson::SUCCESS &&
        document.get_object().get(object) == simdjson::SUCCESS) {
        parts.answer(object);
    }
}

Kind SseWatcher::Impl::fail(std::string_view json) {
    copy = json;
    ondemand::parser parser;
    const auto said = read_error_body(parser, copy).value_or(ErrorBody());
    fail_as(said);
    return Kind::failure;
}

void SseWatcher::Impl::fail_as(const ErrorBody& said) {
    failed = Failure();
    failed.stage = begun ? Stage::begun : Stage::sent;
    failed.error_type = said.type.empty() ? "server_error" : said.type;
    failed.message = said.message;
    failed.status = modelled_status(failed.error_type);
    failed.cls = stream_class(failed.status, failed.error_type, failed.message);
}

/// Chunks have no types. The first says the role, one near the end why it stopped, the last, where
/// asked for, the usage.
Kind SseWatcher::Impl::chat(std::string_view json) {
    if (json == "[DONE]") {
        ended = true;
        return Kind::end;
    }
    if (has_object(json, "\"error\"") && json.find("\"choices\"") == std::string_view::npos) {
        return fail(json);
    }
    if (has_object(json, "\"usage\"")) {
        read_usage(json);
        final_usage = parts.output.has_value();
        const auto choices = member_at(json, "\"choices\"");
        const bool bare = choices != std::string_view::npos &&
                          json.substr(choices).starts_with('[') &&
                          json.find_first_not_of(" \t\r\n", choices + 1) == json.find(']', choices);
        if (bare) {
            hidden = hides_usage;
            return Kind::metadata;
        }
    }
    if (non_empty(string_member(json, "\"finish_reason\""))) {
        ended = true;
    }
    static constexpr std::array<std::string_view, 6> kTexts = {
        "\"content\"", "\"reasoning_content\"", "\"reasoning\"",
        "\"refusal\"", "\"arguments\"",         "\"text\""};
    bool says = json.find("\"tool_calls\"") != std::string_view::npos;
    for (const std::string_view name : kTexts) {
        const auto text = string_member(json, name);
        if (non_empty(text)) {
            weight += estimate_json_tokens(*text);
            says = true;
            break;
        }
    }
    if (says) {
        return content();
    }
    return ended ? Kind::end : Kind::preamble;
}

Kind SseWatcher::Impl::responses(std::string_view type, std::string_view json) {
    if (type == "response.created" || type == "response.queued" || type == "response.in_progress") {
        if (response.empty()) {
            const auto at = member_at(json, "\"response\"");
            response = codec::clean_id(
                string_member(json.substr(std::min(at, json.size())), "\"id\"").value_or(""));
        }
        return Kind::preamble;
    }
    if (type == "response.completed" || type == "response.incomplete") {
        read_usage(json);
        final_usage = parts.output.has_value();
        ended = true;
        return Kind::end;
    }
    if (type == "error") {
        return fail(json);
    }
    if (type == "response.failed") {
        const auto at = member_at(json, "\"error\"");
        read_usage(json);
        const std::string_view error = json.substr(std::min(at, json.size()));
        // As it is written, escapes and all: a name has none, and a message is for people.
        fail_as({std::string(bare_error_type(string_member(error, "\"code\"").value_or(""))),
                 codec::clean_text(string_member(error, "\"message\"").value_or(""))});
        return Kind::failure;
    }
    if (type == "response.output_item.added") {
        const bool call = json.find("_call\"") != std::string_view::npos;
        return call ? content() : Kind::preamble;
    }
    if (type == "response.content_part.added" || type == "response.reasoning_summary_part.added") {
        return Kind::preamble;
    }
    if (type.ends_with(".delta")) {
        weight += estimate_json_tokens(string_member(json, "\"delta\"").value_or(""));
    }
    return content();
}

Kind SseWatcher::Impl::messages(std::string_view type, std::string_view json) {
    if (type == "content_block_delta") {
        static constexpr std::array<std::string_view, 3> kTexts = {"\"text\"", "\"partial_json\"",
                                                                   "\"thinking\""};
        for (const std::string_view name : kTexts) {
            const auto text = string_member(json, name);
            if (text) {
                weight += estimate_json_tokens(*text);
                break;
            }
        }
        return content();
    }
    if (type == "content_block_start") {
        const bool tool = json.find("tool_use\"") != std::string_view::npos;
        const bool text = non_empty(string_member(json, "\"text\""));
        return tool || text ? content() : Kind::preamble;
    }
    if (type == "message_start") {
        read_usage(json);
        parts.output.reset();  // the first token or so, not a sum
        return Kind::start;
    }
    if (type == "message_delta") {
        read_usage(json);
        final_usage = parts.output.has_value();
        return Kind::metadata;
    }
    if (type == "message_stop") {
        ended = true;
        return Kind::end;
    }
    if (type == "ping") {
        return Kind::ping;
    }
    return type == "error" ? fail(json) : Kind::preamble;
}

SseWatcher::SseWatcher(Operation operation, bool hides_usage)
    : impl_(std::make_unique<Impl>(operation, hides_usage)) {}
SseWatcher::~SseWatcher() = default;
SseWatcher::SseWatcher(SseWatcher&&) noexcept = default;
SseWatcher& SseWatcher::operator=(SseWatcher&&) noexcept = default;

StreamKind SseWatcher::on_event(const codec::SseEvent& event) {
    impl_->hidden = false;
    if (!event.has_data) {
        return Kind::ping;
    }
    const std::string_view json = event.data;
    if (impl_->operation == Operation::chat_completions) {
        return event.event == "error" ? impl_->fail(json) : impl_->chat(json);
    }
    // Where the event has no name, its data has a type: "type" comes first of its members.
    const std::string_view type =
        event.event.empty() ? string_member(json, "\"type\"").value_or("") : event.event;
    if (impl_->operation == Operation::responses) {
        return json == "[DONE]" ? Kind::end : impl_->responses(type, json);
    }
    return impl_->messages(type, json);
}

bool SseWatcher::hidden() const {
    return impl_->hidden;
}

Usage SseWatcher::usage() const {
    Usage usage = impl_->parts.usage();
    usage.known = usage.known && impl_->final_usage;
    if (!impl_->final_usage) {
        usage.output = std::max(usage.output, static_cast<std::uint64_t>(std::ceil(impl_->weight)));
    }
    return usage;
}

bool SseWatcher::ended() const {
    return impl_->ended;
}

const std::string& SseWatcher::response_id() const {
    return impl_->response;
}

const Failure& SseWatcher::failure() const {
    return impl_->failed;
}

}  // namespace weir::bedrock
