// What is settled before anything is sent: who asks, for what, from where; and the body.
#include "gateway/exchange.h"

#include "gateway/header_rules.h"
#include "gateway/memory_reserve.h"
#include "gateway/via.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::gateway {
namespace {

using bedrock::Operation;
using codec::append_field;
using observe::Outcome;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// N of amz-sdk-request's `attempt=N; max=M`.
int sdk_attempt_of(std::string_view value) {
    const auto at = value.find("attempt=");
    if (at == std::string_view::npos) {
        return 0;
    }
    value.remove_prefix(at + 8);
    return parse_number<int>(value.substr(0, value.find_first_not_of("0123456789"))).value_or(0);
}

std::optional<Priority> parse_priority(std::string_view text) {
    for (const auto p : {Priority::interactive, Priority::standard, Priority::batch}) {
        if (codec::equals_ignore_case(text, to_string(p))) {
            return p;
        }
    }
    return std::nullopt;
}

}  // namespace

void Exchange::refuse(int status, std::string_view type, std::string message,
                      std::string_view reason) {
    ErrorAnswer error;
    error.status = status;
    error.type = type;
    error.message = std::move(message);
    error.reason = reason;
    if (status == 503) {
        error.outcome = Outcome::unavailable;
        error.retry_after = std::chrono::seconds(1);
    }
    error_ = std::move(error);
}

bool Exchange::admit() {
    const auto& head = downstream_.head();
    const auto& config = snapshot_->config;
    if (memory_is_short()) {
        refuse(503, "ServiceUnavailableException",
               "weir: out of memory: nothing new is begun until some is free", "memory");
        return false;
    }
    if (auto why = browser_refusal(head, config.listen, config.allowed_hosts); !why.empty()) {
        refuse(403, "AccessDeniedException", std::move(why), "browser");
        return false;
    }
    if (has_been_through(head, worker_.shared.instance)) {
        refuse(508, "LoopDetectedException",
               "weir: this request has been through this weir (" + worker_.shared.instance +
                   ") before: a Region's endpoint leads back here",
               "loop");
        return false;
    }
    const auto prefix = bedrock::split_client_prefix(head.target);
    target_ = prefix.rest;
    identity_ = identify(snapshot_->clients, head, prefix.name, unix_ms() / 1000);
    match_ = bedrock::match(head.method, target_);
    dialect_ = bedrock::dialect_of(target_);
    if (bedrock::lists_models(match_.operation) && head.find("anthropic-version") != nullptr) {
        dialect_ = bedrock::Dialect::anthropic;  // that path is Anthropic's own, too
    }
    stream_ = bedrock::is_stream(match_.operation);
    model_ = snapshot_->model_name(match_.model);
    if (const auto field = ambiguous_field(head); !field.empty()) {
        refuse(400, "ValidationException",
               "weir: the field " + std::string(field.substr(0, 40)) +
                   " is sent twice or named by Connection: send it once");
        return false;
    }
    if (!admit_client()) {
        return false;
    }
    if (match_.operation == Operation::unknown) {
        refuse(404, "UnknownOperationException",
               "weir: no operation of Amazon Bedrock that weir passes on has this method and path");
        return false;
    }
    if (match_.operation == Operation::bidirectional_stream) {
        refuse(501, "NotImplementedException",
               "weir: InvokeModelWithBidirectionalStream is not passed on: it speaks both ways at "
               "once, which takes HTTP/2 to Bedrock, and weir's calls go there over HTTP/1.1. Send "
               "these calls to Bedrock directly");
        return false;
    }
    if (const auto* expect = head.find("expect"); expect != nullptr && !head.expect_continue) {
        refuse(417, "ValidationException",
               "weir: of all Expect values only 100-continue is understood");
        return false;
    }
    if (const auto* encoding = head.find("content-encoding");
        encoding != nullptr && !codec::equals_ignore_case(*encoding, "identity") &&
        !encoding->empty()) {
        refuse(415, "ValidationException",
               "weir: Content-Encoding " + std::string(encoding->substr(0, 40)) +
                   " is not taken: send the body as it is, so that its tokens can be counted");
        return false;
    }
    if (head.framing == codec::Framing::length) {
        error_ = oversize(match_.operation, config.limits.max_body, head.content_length);
        if (error_) {
            return false;
        }
    }
    if (bedrock::is_inference(match_.operation)) {
        take_facts();
    }
    if (!bedrock::lists_models(match_.operation) && !admit_region()) {
        return false;
    }
    return admit_claim() && read_directives();
}

bool Exchange::admit_client() {
    if (identity_.fault) {
        refuse(403, identity_.fault->type, "weir: " + identity_.fault->message, "key");
        return false;
    }
    if (!identity_.admitted) {
        refuse(403, "AccessDeniedException",
               identity_.key_given ? "weir: no client has this key"
                                   : "weir: a client key is needed here: Authorization: Bearer KEY "
                                     "(AWS_BEARER_TOKEN_BEDROCK), "
                                     "x-api-key: KEY, or the signature of a pair that weir knows",
               "key");
        return false;
    }
    return match_.model.empty() || admit_model();
}

bool Exchange::admit_region() {
    const auto& config = snapshot_->config;
    if (const auto* authorization = downstream_.head().find("authorization")) {
        if (const auto signature = codec::parse_authorization(*authorization)) {
            home_region_ = signature->region;
        }
    }
    const bool signed_call = !home_region_.empty();
    if (!signed_call) {
        home_region_ = config.default_region;
        if (home_region_.empty() && config.regions.size() == 1) {
            home_region_ = config.regions.begin()->first;
        }
    }
    if (home_region_.empty()) {
        refuse(400, "ValidationException",
               "weir: this call is unsigned, so it names no Region, and there is no default_region "
               "(AWS_REGION) to "
               "send it to");
        return false;
    }
    if (worker_.region(home_region_) == nullptr) {
        std::string declared;
        for (const auto& [name, region] : config.regions) {
            declared += (declared.empty() ? "" : ", ") + name;
        }
        refuse(400, "ValidationException",
               "weir: Region " + std::string(home_region_.substr(0, 40)) +
                   ", which this call's signature names, is not " +
                   (declared.empty() ? "one" : "declared; declared are " + declared));
        return false;
    }
    return admit_kept_region(home_region_);
}

bool Exchange::read_directives() {
    const auto& head = downstream_.head();
    priority_ = identity_.client != nullptr ? identity_.client->priority : Priority::standard;
    if (const auto* asked = head.find("x-weir-priority")) {
        const auto priority = parse_priority(*asked);
        if (!priority) {
            refuse(400, "ValidationException",
                   "weir: x-weir-priority is interactive, standard or batch");
            return false;
        }
        priority_ = identity_.client != nullptr ? std::max(priority_, *priority) : *priority;
    }
    if (const auto* asked = head.find("x-weir-deadline-ms")) {
        const auto ms = parse_number<std::uint32_t>(*asked);
        if (!ms || *ms == 0 || *ms > 3'600'000) {
            refuse(400, "ValidationException",
                   "weir: x-weir-deadline-ms is a whole number from 1 to 3600000");
            return false;
        }
        deadline_ = std::chrono::milliseconds(*ms);
    }
    invocation_ = text_of(head, "amz-sdk-invocation-id").substr(0, 128);
    sdk_attempt_ = sdk_attempt_of(text_of(head, "amz-sdk-request"));
    return true;
}

/// Reads the body whole, hashing as it comes. False: the exchange is over.
net::Task<bool> Exchange::read_body() {
    const auto& limits = snapshot_->config.limits;
    const auto& head = downstream_.head();
    if (head.framing == codec::Framing::length) {
        body_.reserve(std::min<std::uint64_t>(head.content_length, 256UL << 10) + 64);
    }
    // A caller without a name, or whose signature is still to be checked, is its address.
    const std::string_view peer = downstream_.peer();
    body_bytes_.belong_to(worker_.shared.shares.holder(
        identity_.name.empty() ? peer.substr(0, peer.rfind(':')) : identity_.name, peer));
    codec::Sha256 hash;
    for (;;) {
        const auto piece = co_await downstream_.read_body();
        if (!piece) {
            outcome_ = Outcome::cancelled;
            status_ = 499;
            co_return false;
        }
        if (piece->empty()) {
            break;
        }
        error_ = oversize(match_.operation, limits.max_body, body_.size() + piece->size());
        if (!error_ && !body_bytes_.take(piece->size(), limits.max_buffered)) {
            error_ = buffered_answer();
        }
        if (error_) {
            const ErrorAnswer error = *error_;
            co_await answer(error);
            co_return false;
        }
        hash.update(*piece);
        body_.append(*piece);
    }
    digest_ = hash.finish();
    co_return true;
}

/// The request's head as it goes upstream, signed. False: there are no credentials.
bool Exchange::prepare_head(Region& region, Service service, std::string_view target,
                            std::size_t body_size, const codec::Digest& digest) {
    const auto& head = downstream_.head();
    const auto& endpoint = region.endpoint(service);
    keys_ = region.keys->get();
    const bool callers_own =
        snapshot_->config.credentials.source == CredentialsSource::client_bearer;
    if (keys_ == nullptr && !callers_own) {
        return false;
    }
    std::string prefixed;
    if (!endpoint.path_prefix.empty()) {
        prefixed = endpoint.path_prefix + std::string(target);
        target = prefixed;
    }
    auto& out = upstream_head_;
    out.clear();
    out.reserve(1024);
    codec::append_request_line(out, head.method, target);
    append_field(out, "Host", endpoint.authority);
    if (head.method != "GET" || body_size > 0) {
        append_field(out, "Content-Length", std::to_string(body_size));
    }
    std::vector<std::string_view> unknown;
    append_forwarded_request_fields(out, head, unknown, instead_);
    for (std::size_t i = 0; i < unknown.size() && attempts_ <= 1; ++i) {
        worker_.shared.metrics->count_unknown_header();
    }
    append_via(out, head, downstream_.http_version(), worker_.shared.instance);
    if (callers_own || !keys_->bearer_token.empty()) {
        const auto token = callers_own ? bearer_key(head) : std::string_view(keys_->bearer_token);
        if (!token.empty()) {
            out += "Authorization: Bearer ";
            out += token;
            out += "\r\n";
        }
    } else {
        codec::SigningRequest request;
        request.method = head.method;
        request.target = target;
        std::array<codec::Field, 2> fields{codec::Field{"host", endpoint.authority},
                                           codec::Field{}};
        std::size_t count = 1;
        if (const auto* type = head.find("content-type")) {
            fields[count++] = codec::Field{"content-type", *type};
        }
        request.headers = std::span(fields.data(), count);
        request.body = digest;
        const codec::SigningCredentials credentials{keys_->access_key_id, keys_->secret_access_key,
                                                    keys_->session_token};
        auto& signer = service == Service::mantle ? worker_.mantle_signer : worker_.signer;
        const auto& signature = signer.sign(request, credentials, region.name, unix_ms() / 1000);
        append_field(out, "X-Amz-Date", signature.amz_date);
        if (!keys_->session_token.empty()) {
            append_field(out, "X-Amz-Security-Token", keys_->session_token);
        }
        append_field(out, "Authorization", signature.authorization);
    }
    out += "\r\n";
    return true;
}

}  // namespace weir::gateway
