#include "gateway/outgoing.h"

#include "bedrock/body_head.h"
#include "bedrock/body_parts.h"
#include "gateway/header_rules.h"
#include "gateway/via.h"

#include <array>
#include <span>
#include <vector>

namespace weir::gateway {
namespace {

using codec::append_field;

/// Another model than the caller wrote: a fallback's, what a nickname stands for, or the profile
/// that stands for the caller's here. Empty: as it came.
std::string_view other_model(const Request& request, const Grant& grant) {
    if (!grant.profile.empty()) {
        return grant.profile;
    }
    const bool other = grant.substituted || (!request.match.model.starts_with("arn:") &&
                                             request.match.model != grant.target->model);
    return other ? std::string_view(grant.target->model) : std::string_view();
}

/// The path as this attempt sends it; `changed` holds it where it is not the request's own.
std::string_view path_for(const Request& request, const Grant& grant, std::string& changed) {
    if (grant.path != ApiPath::as_asked) {
        changed = bedrock::with_api_path(request.target, grant.path);
        return changed;
    }
    const std::string_view other = other_model(request, grant);
    if (request.match.raw_model.empty() || other.empty()) {
        return request.target;
    }
    changed = bedrock::with_model(request.target, request.match.raw_model, other);
    return changed;
}

/// The body likewise.
std::string_view body_for(const Request& request, const Grant& grant, std::string& changed) {
    const auto operation = request.operation();
    bool as_it_came = true;
    const auto current = [&] {
        return as_it_came ? std::string_view(request.body.text) : std::string_view(changed);
    };
    const auto change = [&](std::string to) {
        changed = std::move(to);
        as_it_came = false;
    };
    if (grant.max_output) {
        change(bedrock::with_max_output(current(), request.facts, operation, request.family,
                                        *grant.max_output));
    }
    if (bedrock::names_model_in_body(operation)) {
        if (const std::string_view other = other_model(request, grant); !other.empty()) {
            change(bedrock::with_body_model(current(), other));
        }
        if (request.add_usage) {
            change(bedrock::with_stated_usage(current()));
        }
    }
    const Tier tier = grant.target->tier;
    if (tier != Tier::unset && bedrock::tier_in_body(operation)) {
        change(bedrock::with_tier(current(), operation, to_string(tier)));
    }
    if (!grant.guardrail.empty() && request.facts.guardrail_size > 0) {
        change(bedrock::with_guardrail(current(), grant.guardrail));
    }
    return current();
}

/// Header fields of the place, and of the trace, that stand for the client's own.
std::vector<codec::Field> fields_instead(const Request& request, const Grant& grant,
                                         std::span<const codec::Field> trace) {
    std::vector<codec::Field> fields(trace.begin(), trace.end());
    if (grant.target->tier != Tier::unset && !bedrock::tier_in_body(request.operation())) {
        fields.push_back({bedrock::kTierField, to_string(grant.target->tier)});
    }
    if (!grant.guardrail.empty() && request.facts.guardrail_size == 0) {
        fields.push_back({bedrock::kGuardrailField, grant.guardrail});
    }
    return fields;
}

void append_bearer(std::string& out, std::string_view token) {
    if (!token.empty()) {
        out += "Authorization: Bearer ";
        out += token;
        out += "\r\n";
    }
}

void append_signature(std::string& out, const codec::Head& head, std::string_view target,
                      const codec::Digest& body, const Destination& to, std::int64_t unix_seconds) {
    std::array<codec::Field, 2> fields{
        codec::Field{"host", to.region.endpoint(to.service).authority}, codec::Field{}};
    std::size_t count = 1;
    if (const auto* type = head.find("content-type")) {
        fields[count++] = codec::Field{"content-type", *type};
    }
    codec::SigningRequest request;
    request.method = head.method;
    request.target = target;
    request.headers = std::span(fields.data(), count);
    request.body = body;
    const codec::SigningCredentials credentials{to.keys->access_key_id, to.keys->secret_access_key,
                                                to.keys->session_token};
    const auto& signature = to.signer.sign(request, credentials, to.region.name, unix_seconds);
    append_field(out, "X-Amz-Date", signature.amz_date);
    if (!to.keys->session_token.empty()) {
        append_field(out, "X-Amz-Security-Token", to.keys->session_token);
    }
    append_field(out, "Authorization", signature.authorization);
}

}  // namespace

bool compose(Outgoing& out, const Request& request, const Grant& grant, const Destination& to,
             std::string_view instance, std::int64_t unix_seconds,
             std::span<const codec::Field> trace) {
    const bool callers_own =
        request.snapshot->config.credentials.source == CredentialsSource::client_bearer;
    if (to.keys == nullptr && !callers_own) {
        return false;
    }
    const auto& head = request.head;
    const auto& endpoint = to.region.endpoint(to.service);
    std::string changed_path;
    std::string_view target = path_for(request, grant, changed_path);
    std::string prefixed;
    if (!endpoint.path_prefix.empty()) {
        prefixed = endpoint.path_prefix + std::string(target);
        target = prefixed;
    }
    out.body = body_for(request, grant, out.changed);

    out.head.clear();
    out.head.reserve(1024);
    codec::append_request_line(out.head, head.method, target);
    append_field(out.head, "Host", endpoint.authority);
    if (head.method != "GET" || !out.body.empty()) {
        append_field(out.head, "Content-Length", std::to_string(out.body.size()));
    }
    std::vector<std::string_view> unknown;
    append_forwarded_request_fields(out.head, head, unknown, fields_instead(request, grant, trace));
    out.unknown_fields = unknown.size();
    append_via(out.head, head, request.http_version, instance);
    if (callers_own) {
        append_bearer(out.head, bearer_key(head));
    } else if (!to.keys->bearer_token.empty()) {
        append_bearer(out.head, to.keys->bearer_token);
    } else {
        const bool own = out.body.data() == request.body.text.data();
        append_signature(out.head, head, target,
                         own ? request.body.digest : codec::sha256(out.body), to, unix_seconds);
    }
    out.head += "\r\n";
    return true;
}

}  // namespace weir::gateway
