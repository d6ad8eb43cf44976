#include "bedrock/answer.h"
#include "bedrock/error_body.h"
#include "bedrock/failure_parts.h"
#include "bedrock/json_peek.h"
#include "bedrock/text_counter.h"
#include "bedrock/usage_json.h"
#include "codec/base64.h"
#include "codec/clean.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::bedrock {

namespace {

using Kind = StreamWatcher::Kind;

constexpr std::size_t kPeek = 80;        // base64 characters that show the type of a chunk
constexpr std::size_t kWhole = 4'096;    // a chunk up to this is decoded whole where it may matter
constexpr std::size_t kTail = 1'024;     // of a larger one, its end: the metrics stand there
constexpr std::size_t kDeltaFrame = 80;  // JSON round the text of an Anthropic delta

/// The model names a reason for stopping: null until its last chunk.
bool says_why_it_stopped(std::string_view json) {
    static constexpr std::array<std::string_view, 4> kNames = {
        "\"stop_reason\"", "\"finish_reason\"", "\"completionReason\"", "\"stopReason\""};
    return std::ranges::any_of(
        kNames, [json](std::string_view name) { return string_member(json, name).has_value(); });
}

/// ThrottlingException, as answers spell what streams call throttlingException.
std::string shape_name(std::string_view type) {
    std::string name(type);
    if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') {
        name[0] = static_cast<char>(name[0] - 32);
    }
    return name;
}

}  // namespace

struct StreamWatcher::Impl {
    explicit Impl(Operation op) : operation(op) {}

    Kind fail(const codec::EventMessage& message);
    Kind converse(const codec::EventMessage& message);
    Kind chunk(const codec::EventMessage& message);
    Kind anthropic(std::string_view type, std::string_view base64);
    Kind other(std::string_view base64);
    void read_usage(std::string& json);

    Kind content() {
        begun = true;
        return Kind::content;
    }

    Operation operation;
    UsageParts parts;
    double weight = 0;         // tokens of the content so far
    bool final_usage = false;  // parts.output is the model's last word
    bool begun = false;
    bool ended = false;
    Failure failed;
    std::string decoded;  // buffers kept from event to event
    std::string front;
};

void StreamWatcher::Impl::read_usage(std::string& json) {
    ondemand::parser parser;  // once or twice a stream: not worth its memory in between
    ondemand::document document;
    ondemand::object object;
    if (parser.iterate(padded(json)).get(document) == simdjson::SUCCESS &&
        document.get_object().get(object) == simdjson::SUCCESS) {
        parts.answer(object);  // what was read before a break counts
    }
}

Kind StreamWatcher::Impl::fail(const codec::EventMessage& message) {
    failed = Failure();
    failed.stage = begun ? Stage::begun : Stage::sent;
    if (message.message_type() == "error") {
        failed.error_type = shape_name(bare_error_type(message.text(":error-code")));
        failed.message = codec::clean_text(message.text(":error-message"));
    } else {
        failed.error_type = shape_name(bare_error_type(message.exception_type()));
    }
    if (failed.message.empty()) {
        std::string body(message.payload);
        ondemand::parser parser;
        if (auto said = read_error_body(parser, body)) {
            failed.message = std::move(said->message);
            if (failed.error_type.empty()) {
                failed.error_type = shape_name(said->type);
            }
        }
    }
    failed.status = modelled_status(failed.error_type);
    if (failed.error_type.empty()) {
        failed.error_type = default_error_type(failed.status);
    }
    failed.cls = stream_class(failed.status, failed.error_type, failed.message);
    return Kind::failure;
}

Kind StreamWatcher::Impl::converse(const codec::EventMessage& message) {
    const std::string_view type = message.event_type();
    const std::string_view payload = message.payload;
    if (type == "contentBlockDelta") {
        // The event is padded to hide its length ("p"), so only the text itself says how much it
        // is.
        auto text = string_member(payload, "\"text\"");
        if (!text) {
            text = string_member(payload, "\"input\"");
        }
        weight += estimate_json_tokens(text.value_or(std::string_view()));
        return content();
    }
    if (type == "contentBlockStart") {
        const bool tool = payload.find("\"toolUse\"") != std::string_view::npos;
        return tool ? content() : Kind::preamble;
    }
    if (type == "messageStart") {
        return Kind::start;
    }
    if (type == "messageStop") {
        ended = true;
        return Kind::end;
    }
    if (type == "metadata") {
        std::string json(payload);
        read_usage(json);
        final_usage = parts.output.has_value();
        return Kind::metadata;
    }
    return Kind::preamble;
}

Kind StreamWatcher::Impl::anthropic(std::string_view type, std::string_view base64) {
    if (type == "content_block_delta") {
        const std::size_t size = base64.size() / 4 * 3;
        // A quarter of a token a byte; decoding it all would say no more than that.
        weight += size > kDeltaFrame ? static_cast<double>(size - kDeltaFrame) / 4 : 0;
        return content();
    }
    if (type == "ping") {
        return Kind::ping;
    }
    if (type == "content_block_stop") {
        return Kind::preamble;
    }
    decoded.clear();
    codec::append_base64_decoded(decoded, base64);
    if (type == "content_block_start") {
        const bool tool = decoded.find("tool_use\"") != std::string::npos;
        const bool text = !string_member(decoded, "\"text\"").value_or("").empty();
        return tool || text ? content() : Kind::preamble;
    }
    if (type == "message_start") {
        read_usage(decoded);
        parts.output.reset();  // the first token or so, not a sum
        return Kind::start;
    }
    if (type == "message_delta" || type == "message_stop") {
        read_usage(decoded);
        final_usage = parts.output.has_value();
        ended |= type == "message_stop";
        return ended ? Kind::end : Kind::metadata;
    }
    if (type == "error") {
        ondemand::parser parser;
        const auto said = read_error_body(parser, decoded).value_or(ErrorBody());
        failed = Failure();
        failed.stage = begun ? Stage::begun : Stage::sent;
        failed.error_type = said.type.empty() ? "InternalServerException" : said.type;
        failed.message = said.message;
        failed.status = said.type == "overloaded_error" ? 529 : modelled_status(said.type);
        failed.cls = stream_class(failed.status, failed.error_type, failed.message);
        return Kind::failure;
    }
    return Kind::preamble;
}

/// The other families have no types: a chunk is content unless it is Nova's frame or bare metadata.
Kind StreamWatcher::Impl::other(std::string_view base64) {
    decoded.clear();
    if (base64.size() <= kWhole) {
        codec::append_base64_decoded(decoded, base64);
    } else {
        weight += static_cast<double>(base64.size() - kTail) * 3 / 16;
        const std::size_t from = (base64.size() - kTail) / 4 * 4;  // a group's first character
        codec::append_base64_decoded(decoded, base64.substr(from));
        const auto metrics = decoded.rfind("\"amazon-bedrock-invocationMetrics\"");
        if (metrics != std::string::npos) {
            decoded.replace(0, metrics, "{");
        }
    }
    padded(decoded);  // now, so that reading usage does not move what `json` looks at
    const std::string_view json = decoded;
    const bool metrics =
        json.find("\"amazon-bedrock-invocationMetrics\"") != std::string_view::npos;
    const bool stopped = says_why_it_stopped(json);
    const bool states_usage = json.find("\"usage\"") != std::string_view::npos;
    const bool may_state_input = !parts.input && json.find("oken") != std::string_view::npos;
    if (metrics || stopped || states_usage || may_state_input) {
        read_usage(decoded);
    }
    if (metrics || stopped) {
        ended = true;
        final_usage = parts.output.has_value();
    }
    if (json.starts_with("{\"metadata\"")) {
        final_usage = parts.output.has_value();
        return Kind::metadata;
    }
    if (json.starts_with("{\"messageStop\"")) {
        ended = true;
        return Kind::end;
    }
    if (json.starts_with("{\"messageStart\"") || json.starts_with("{\"contentBlockStop\"")) {
        return Kind::preamble;
    }
    if (json.starts_with("{\"contentBlockStart\"")) {
        return json.find("\"toolUse\"") == std::string_view::npos ? Kind::preamble : content();
    }
    static constexpr std::array<std::string_view, 5> kTexts = {
        "\"text\"", "\"generation\"", "\"outputText\"", "\"content\"", "\"input\""};
    for (const std::string_view name : kTexts) {
        if (const auto text = string_member(json, name)) {
            weight += estimate_json_tokens(*text);
            break;
        }
    }
    return content();
}

Kind StreamWatcher::Impl::chunk(const codec::EventMessage& message) {
    const auto base64 = string_member(message.payload, "\"bytes\"");
    if (!base64) {
        return content();  // whatever it is, a reader may see it
    }
    front.clear();
    codec::append_base64_decoded(front, base64->substr(0, kPeek));
    // Only at the front: deeper inside, "type" belongs to a block of content.
    if (front.starts_with("{\"type\":\"") || front.starts_with("{\"type\": \"")) {
        const auto from = front.find('"', 7) + 1;
        const auto end = front.find('"', from);
        if (end != std::string::npos) {
            return anthropic(std::string_view(front).substr(from, end - from), *base64);
        }
    }
    return other(*base64);
}

StreamWatcher::StreamWatcher(Operation operation) : impl_(std::make_unique<Impl>(operation)) {}
StreamWatcher::~StreamWatcher() = default;
StreamWatcher::StreamWatcher(StreamWatcher&&) noexcept = default;
StreamWatcher& StreamWatcher::operator=(StreamWatcher&&) noexcept = default;

StreamWatcher::Kind StreamWatcher::on_event(const codec::EventMessage& message) {
    const std::string_view type = message.message_type();
    if (type == "exception" || type == "error") {
        return impl_->fail(message);
    }
    if (impl_->operation == Operation::converse_stream) {
        return impl_->converse(message);
    }
    return message.event_type() == "chunk" ? impl_->chunk(message) : Kind::preamble;
}

Usage StreamWatcher::usage() const {
    Usage usage = impl_->parts.usage();
    usage.known = usage.known && impl_->final_usage;
    if (!impl_->final_usage) {
        usage.output = std::max(usage.output, static_cast<std::uint64_t>(std::ceil(impl_->weight)));
    }
    return usage;
}

bool StreamWatcher::ended() const {
    return impl_->ended;
}

const Failure& StreamWatcher::failure() const {
    return impl_->failed;
}

}  // namespace weir::bedrock
