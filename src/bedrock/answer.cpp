#include "bedrock/answer.h"

#include "bedrock/error_body.h"
#include "bedrock/failure_parts.h"
#include "bedrock/service_tier.h"
#include "bedrock/usage_json.h"

#include <algorithm>

namespace weir::bedrock {

namespace {

std::optional<std::uint64_t> header_count(const codec::Head& head, std::string_view name) {
    const auto* const value = head.find(name);
    return value == nullptr ? std::nullopt : token_count(*value);
}

/// InvokeModel states its usage in headers, for most families; no other operation has them. A model
/// that says no text may state its input alone.
std::optional<Usage> from_headers(const codec::Head& head, bool says_text) {
    const auto input = header_count(head, "x-amzn-bedrock-input-token-count");
    const auto output = header_count(head, "x-amzn-bedrock-output-token-count");
    if (!input || (says_text && !output)) {
        return std::nullopt;
    }
    Usage usage;
    usage.input = *input;
    usage.output = output.value_or(0);
    usage.cache_read =
        header_count(head, "x-amzn-bedrock-cache-read-input-token-count").value_or(0);
    usage.cache_write =
        header_count(head, "x-amzn-bedrock-cache-write-input-token-count").value_or(0);
    usage.known = true;
    return usage;
}

Usage from_body(ondemand::parser& parser, std::string& body) {
    ondemand::document document;
    ondemand::object object;
    UsageParts parts;
    if (parser.iterate(padded(body)).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS || !parts.answer(object)) {
        return {};
    }
    return parts.usage();
}

}  // namespace

struct AnswerReader::Impl {
    ondemand::parser parser;
};

AnswerReader::AnswerReader() : impl_(std::make_unique<Impl>()) {}
AnswerReader::~AnswerReader() = default;
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;

Usage AnswerReader::usage(Operation /*operation*/, const codec::Head& head, std::string& body,
                          bool says_text) {
    const auto said_by_body = [&] {
        if (body.size() > kKeptParserBytes) {
            ondemand::parser once;
            return from_body(once, body);
        }
        return from_body(impl_->parser, body);
    };
    auto usage = from_headers(head, says_text);
    if (!usage) {
        usage = said_by_body();
    } else if (usage->cache_write > 0) {  // no header tells for how long
        usage->cache_write_1h = std::min(said_by_body().cache_write_1h, usage->cache_write);
    }
    if (usage->tier == Tier::unset) {
        usage->tier = served_tier(head);
    }
    return *usage;
}

bool AnswerReader::is_page(const codec::Head& head, std::string_view body) {
    const auto at = body.find_first_not_of(" \t\r\n");
    return head.find("x-amzn-errortype") == nullptr && at != std::string_view::npos &&
           body[at] == '<';
}

Failure AnswerReader::failure(const codec::Head& head, std::string& body, std::int64_t unix_now) {
    Failure failure;
    failure.stage = Stage::sent;
    failure.status = head.status;
    failure.retry_after = retry_after(head, unix_now);

    ErrorBody said;
    if (body.size() <= kKeptParserBytes) {
        said = read_error_body(impl_->parser, body).value_or(ErrorBody());
    }
    if (const auto* const type = head.find("x-amzn-errortype")) {
        failure.error_type = bare_error_type(*type);
    }
    if (failure.error_type.empty()) {
        failure.error_type = std::move(said.type);
    }
    failure.message = std::move(said.message);
    failure.cls = classify(head.status, failure.error_type, failure.message);
    if (is_page(head, body)) {
        failure.message = "weir: the endpoint answered HTTP " + std::to_string(head.status) +
                          " with a web page, which is not an answer of Bedrock";
        if (head.status >= 500) {
            failure.cls = FailureClass::server;
        }
    }
    if (failure.error_type.empty()) {
        failure.error_type = default_error_type(head.status);
    }
    return failure;
}

}  // namespace weir::bedrock
