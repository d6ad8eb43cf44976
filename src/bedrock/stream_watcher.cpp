#include "bedrock/answer.h"
#include "bedrock/request.h"
#include "bedrock/usage_fields.h"

#include <simdjson.h>

#include <array>
#include <cctype>

namespace weir::bedrock {
namespace {

using Kind = StreamWatcher::Kind;
namespace od = simdjson::ondemand;

constexpr std::array<std::int8_t, 256> kSixBits = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}();

void decode_base64(std::string_view text, std::string& out) {
    out.clear();
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        const auto six = kSixBits[static_cast<unsigned char>(c)];
        if (six < 0) {
            break;  // padding, or not base64 at all
        }
        bits = bits << 6U | static_cast<std::uint32_t>(six);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out.push_back(static_cast<char>(bits >> static_cast<unsigned>(have)));
        }
    }
}

/// The value of the first plain string member `key` in raw JSON; a look, not a parse.
std::string_view peek(std::string_view json, std::string_view key) {
    const auto at = json.find(key);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto open = json.find_first_not_of(" \t:", at + key.size());
    if (open == std::string_view::npos || json[open] != '"') {
        return {};
    }
    const auto close = json.find('"', open + 1);
    return close == std::string_view::npos ? std::string_view()
                                           : json.substr(open + 1, close - open - 1);
}

/// throttlingException becomes ThrottlingException, as the same error is called elsewhere.
std::string exception_name(std::string_view type) {
    std::string name(bare_error_type(type));
    if (!name.empty()) {
        name.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(name.front())));
    }
    return name;
}

}  // namespace

struct StreamWatcher::Impl {
    explicit Impl(Operation o) : operation(o) {}

    Kind converse(const codec::EventMessage& message);
    Kind invoke(const codec::EventMessage& message);
    Kind fail(std::string_view type, std::string_view text);

    Operation operation;
    od::parser parser;
    std::string scratch;
    Usage usage;
    double content_tokens = 0;
    bool output_known = false;
    bool ended = false;
    Failure failure;
};

StreamWatcher::StreamWatcher(Operation operation) : impl_(std::make_unique<Impl>(operation)) {}
StreamWatcher::~StreamWatcher() = default;
StreamWatcher::StreamWatcher(StreamWatcher&&) noexcept = default;
StreamWatcher& StreamWatcher::operator=(StreamWatcher&&) noexcept = default;

Kind StreamWatcher::Impl::fail(std::string_view type, std::string_view text) {
    failure = {};
    failure.error_type = exception_name(type);
    failure.message = text;
    // A throttle inside a stream speaks of the service's load, not of this account's quota.
    failure.cls = classify(0, failure.error_type, failure.message);
    if (failure.cls == FailureClass::quota_requests || failure.cls == FailureClass::quota_tokens) {
        failure.cls = FailureClass::capacity;
    }
    return Kind::failure;
}

Kind StreamWatcher::Impl::converse(const codec::EventMessage& message) {
    const auto type = message.event_type();
    if (type == "contentBlockDelta") {
        content_tokens +=
            estimate_tokens(message.payload) * 0.6;  // the event's own JSON is not output
        return Kind::content;
    }
    if (type == "messageStop") {
        ended = true;
        return Kind::end;
    }
    if (type == "metadata") {
        scratch.assign(message.payload);
        output_known |= read_usage(parser, scratch, usage);
        return Kind::metadata;
    }
    if (type == "contentBlockStart" &&
        message.payload.find("\"toolUse\"") != std::string_view::npos) {
        return Kind::content;
    }
    return Kind::preamble;
}

Kind StreamWatcher::Impl::invoke(const codec::EventMessage& message) {
    if (message.event_type() != "chunk") {
        return Kind::preamble;
    }
    decode_base64(peek(message.payload, "\"bytes\""), scratch);
    const auto type = peek(scratch, "\"type\"");
    const bool metrics = scratch.find("\"amazon-bedrock-invocationMetrics\"") != std::string::npos;
    if (type == "content_block_delta" && !metrics) {
        content_tokens += estimate_tokens(scratch) * 0.6;
        return Kind::content;
    }
    if (type == "message_start" || type == "message_delta" || metrics) {
        const bool found = read_usage(parser, scratch, usage);
        output_known |= found && type != "message_start";
        if (type == "message_start") {
            return Kind::preamble;
        }
        if (metrics) {
            ended = true;
            return Kind::end;
        }
        return Kind::metadata;
    }
    if (type == "message_stop") {
        ended = true;
        return Kind::end;
    }
    if (type == "ping" || type == "content_block_stop") {
        return Kind::preamble;
    }
    if (type == "content_block_start") {
        return scratch.find("\"tool_use\"") != std::string::npos ? Kind::content : Kind::preamble;
    }
    if (type == "error") {
        const auto inner = scratch.find("\"error\"", scratch.find("\"type\"") + 14);
        const auto rest = std::string_view(scratch).substr(inner == std::string::npos ? 0 : inner);
        return fail(peek(rest, "\"type\""), peek(rest, "\"message\""));
    }
    content_tokens += estimate_tokens(scratch) * 0.6;
    return Kind::content;  // another family's chunk
}

Kind StreamWatcher::on_event(const codec::EventMessage& message) {
    auto& my = *impl_;
    const auto kind = message.message_type();
    if (kind == "exception") {
        my.scratch.assign(message.payload);
        my.scratch.reserve(my.scratch.size() + simdjson::SIMDJSON_PADDING);
        od::document document;
        std::string_view text;
        if (!my.parser.iterate(my.scratch).get(document)) {
            if (document.find_field_unordered("message").get_string().get(text)) {
                text = peek(my.scratch, "\"Message\"");
            }
        }
        return my.fail(message.exception_type(), text);
    }
    if (kind == "error") {
        return my.fail(message.text(":error-code"), message.text(":error-message"));
    }
    return my.operation == Operation::converse_stream ? my.converse(message) : my.invoke(message);
}

Usage StreamWatcher::usage() const {
    Usage usage = impl_->usage;
    if (!impl_->output_known) {
        usage.known = false;
        usage.output = std::max(usage.output, static_cast<std::uint64_t>(impl_->content_tokens));
    }
    return usage;
}

bool StreamWatcher::ended() const {
    return impl_->ended;
}

const Failure& StreamWatcher::failure() const {
    return impl_->failure;
}

}  // namespace weir::bedrock
