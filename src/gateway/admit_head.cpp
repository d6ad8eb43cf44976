// What a request's head alone can prove. Whoever fails here has cost no memory and no upstream.
#include "gateway/request.h"

#include "gateway/client_scope.h"
#include "gateway/header_rules.h"
#include "gateway/memory_reserve.h"
#include "gateway/via.h"
#include "gateway/worker.h"

#include <weir/arn.h>

#include <algorithm>
#include <charconv>

namespace weir::gateway {
namespace {

using bedrock::Operation;

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

Admitted admit_client(const Request& request) {
    if (request.identity.fault) {
        return refused(403, request.identity.fault->type,
                       "weir: " + request.identity.fault->message, "key");
    }
    if (!request.identity.admitted) {
        return refused(403, "AccessDeniedException",
                       request.identity.key_given
                           ? "weir: no client has this key"
                           : "weir: a client key is needed here: Authorization: Bearer KEY "
                             "(AWS_BEARER_TOKEN_BEDROCK), "
                             "x-api-key: KEY, or the signature of a pair that weir knows",
                       "key");
    }
    return request.match.model.empty() ? Admitted() : admit_model(request);
}

Admitted admit_region(Request& request, Worker& worker) {
    const auto& config = request.snapshot->config;
    if (const auto* authorization = request.head.find("authorization")) {
        if (const auto signature = codec::parse_authorization(*authorization)) {
            request.home_region = signature->region;
        }
    }
    const bool signed_call = !request.home_region.empty();
    if (!signed_call) {
        request.home_region = config.default_region;
        if (request.home_region.empty() && config.regions.size() == 1) {
            request.home_region = config.regions.begin()->first;
        }
    }
    if (request.home_region.empty()) {
        return refused(
            400, "ValidationException",
            "weir: this call is unsigned, so it names no Region, and there is no default_region "
            "(AWS_REGION) to "
            "send it to");
    }
    if (worker.region(request.home_region) == nullptr) {
        std::string declared;
        for (const auto& [name, region] : config.regions) {
            declared += (declared.empty() ? "" : ", ") + name;
        }
        return refused(400, "ValidationException",
                       "weir: Region " + std::string(request.home_region.substr(0, 40)) +
                           ", which this call's signature names, is not " +
                           (declared.empty() ? "one" : "declared; declared are " + declared));
    }
    return admit_named_region(request, request.home_region);
}

/// A head that says its body's digest is judged before the body is read: nobody without a key has
/// weir hold one.
Admitted admit_claim(Request& request, Worker& worker) {
    const auto* sum = request.head.find("x-amz-content-sha256");
    if (request.identity.pair == nullptr || sum == nullptr) {
        return {};
    }
    request.body.claimed = codec::parse_digest(*sum);
    return check_signature(request, worker, request.body.claimed.value_or(codec::Digest()));
}

bool is_tag(std::string_view text) {
    constexpr std::size_t kLongest = 64;
    return !text.empty() && text.size() <= kLongest && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.:/").find(c) != std::string_view::npos;
    });
}

Admitted read_directives(Request& request) {
    const auto& head = request.head;
    request.directives.priority =
        request.identity.client != nullptr ? request.identity.client->priority : Priority::standard;
    if (const auto* asked = head.find("x-weir-priority")) {
        const auto priority = parse_priority(*asked);
        if (!priority) {
            return refused(400, "ValidationException",
                           "weir: x-weir-priority is interactive, standard or batch");
        }
        request.directives.priority = request.identity.client != nullptr
                                          ? std::max(request.directives.priority, *priority)
                                          : *priority;
    }
    if (const auto* asked = head.find("x-weir-deadline-ms")) {
        const auto ms = parse_number<std::uint32_t>(*asked);
        if (!ms || *ms == 0 || *ms > 3'600'000) {
            return refused(400, "ValidationException",
                           "weir: x-weir-deadline-ms is a whole number from 1 to 3600000");
        }
        request.directives.deadline = std::chrono::milliseconds(*ms);
    }
    if (const auto* tag = head.find("x-weir-tag")) {
        if (!is_tag(*tag)) {
            return refused(400, "ValidationException",
                           "weir: x-weir-tag is 1 to 64 letters, digits and -_.:/");
        }
        request.directives.tag = *tag;
    }
    request.directives.invocation = text_of(head, "amz-sdk-invocation-id").substr(0, 128);
    request.directives.sdk_attempt = sdk_attempt_of(text_of(head, "amz-sdk-request"));
    return {};
}

}  // namespace

Admitted admit_head(Request& request, Worker& worker, std::int64_t unix_seconds) {
    const auto& head = request.head;
    const auto& config = request.snapshot->config;
    if (memory_is_short()) {
        return refused(503, "ServiceUnavailableException",
                       "weir: out of memory: nothing new is begun until some is free", "memory");
    }
    if (auto why = browser_refusal(head, config.listen, config.allowed_hosts); !why.empty()) {
        return refused(403, "AccessDeniedException", std::move(why), "browser");
    }
    if (has_been_through(head, worker.shared.instance)) {
        return refused(508, "LoopDetectedException",
                       "weir: this request has been through this weir (" + worker.shared.instance +
                           ") before: a Region's endpoint leads back here",
                       "loop");
    }
    const auto prefix = bedrock::split_client_prefix(head.target);
    request.target = prefix.rest;
    request.identity = identify(request.snapshot->clients, head, prefix.name, unix_seconds);
    request.match = bedrock::match(head.method, request.target);
    request.dialect = bedrock::dialect_of(request.target);
    if (bedrock::lists_models(request.operation()) && head.find("anthropic-version") != nullptr) {
        request.dialect = bedrock::Dialect::anthropic;  // that path is Anthropic's own, too
    }
    request.stream = bedrock::is_stream(request.operation());
    request.model = request.snapshot->model_name(request.match.model);
    if (const auto field = ambiguous_field(head); !field.empty()) {
        return refused(400, "ValidationException",
                       "weir: the field " + std::string(field.substr(0, 40)) +
                           " is sent twice or named by Connection: send it once");
    }
    if (auto admitted = admit_client(request); !admitted) {
        return admitted;
    }
    if (request.operation() == Operation::unknown) {
        return refused(
            404, "UnknownOperationException",
            "weir: no operation of Amazon Bedrock that weir passes on has this method and path");
    }
    if (request.operation() == Operation::bidirectional_stream) {
        return refused(
            501, "NotImplementedException",
            "weir: InvokeModelWithBidirectionalStream is not passed on: it speaks both ways at "
            "once, which takes HTTP/2 to Bedrock, and weir's calls go there over HTTP/1.1. Send "
            "these calls to Bedrock directly");
    }
    if (const auto* expect = head.find("expect"); expect != nullptr && !head.expect_continue) {
        return refused(417, "ValidationException",
                       "weir: of all Expect values only 100-continue is understood");
    }
    if (const auto* encoding = head.find("content-encoding");
        encoding != nullptr && !codec::equals_ignore_case(*encoding, "identity") &&
        !encoding->empty()) {
        return refused(
            415, "ValidationException",
            "weir: Content-Encoding " + std::string(encoding->substr(0, 40)) +
                " is not taken: send the body as it is, so that its tokens can be counted");
    }
    if (head.framing == codec::Framing::length) {
        if (auto error =
                oversize(request.operation(), config.limits.max_body, head.content_length)) {
            return std::unexpected(std::move(*error));
        }
    }
    if (request.is_inference()) {
        take_model_facts(request);
    }
    if (!bedrock::lists_models(request.operation())) {
        if (auto admitted = admit_region(request, worker); !admitted) {
            return admitted;
        }
    }
    if (auto admitted = admit_claim(request, worker); !admitted) {
        return admitted;
    }
    return read_directives(request);
}

Admitted admit_model(const Request& request) {
    const auto* client = request.identity.client;
    if (!may_use_model(request.snapshot->config, client, request.match.model, request.model)) {
        return refused(
            403, "AccessDeniedException",
            "weir: client " + client->name + " may not use model " + std::string(request.model),
            "model");
    }
    return admit_named_region(request, arn_region(request.match.model));
}

Admitted admit_named_region(const Request& request, std::string_view region) {
    const auto* client = request.identity.client;
    if (region.empty() || may_use_region(client, region)) {
        return {};
    }
    return refused(
        403, "AccessDeniedException",
        "weir: client " + client->name + " may not use Region " + std::string(region.substr(0, 40)),
        "region");
}

void take_model_facts(Request& request) {
    const ModelFacts facts = request.snapshot->config.models.facts(request.model);
    request.family = facts.family;
    request.says_text = facts.max_output > 0;
}

Admitted check_signature(Request& request, Worker& worker, const codec::Digest& body) {
    auto& verifier = request.identity.claim.authorization.service == "bedrock-mantle"
                         ? worker.mantle_verifier
                         : worker.verifier;
    auto fault = codec::check_claim(verifier, request.head, request.identity.claim,
                                    request.identity.pair->key, body);
    if (fault) {
        request.identity.client = nullptr;
        return refused(403, fault->type, "weir: " + fault->message, "key");
    }
    request.identity.name = request.identity.client->name;
    return {};
}

}  // namespace weir::gateway
