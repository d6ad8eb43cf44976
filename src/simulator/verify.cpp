#include "simulator/verify.h"

#include "codec/sigv4_verify.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace weir::simulator {
namespace {

constexpr std::int64_t kSkew = 5 * 60;

ErrorAnswer bad_signature(std::string_view message) {
    return make_error(403, "InvalidSignatureException", message);
}

/// The fields that `names` ("content-type;host;x-amz-date") lists; nullopt: one is missing.
std::optional<std::vector<codec::Field>> signed_fields(const codec::Head& head,
                                                       std::string_view names) {
    std::vector<codec::Field> fields;
    while (!names.empty()) {
        const auto end = names.find(';');
        const std::string_view name = names.substr(0, end);
        names = end == std::string_view::npos ? std::string_view() : names.substr(end + 1);
        bool found = false;
        for (const codec::Field& field : head.fields) {
            if (codec::equals_ignore_case(field.name, name)) {
                found = true;
                if (!codec::equals_ignore_case(name, "x-amz-date")) {
                    fields.push_back(field);
                }
            }
        }
        if (!found) {
            return std::nullopt;
        }
    }
    return fields;
}

bool lists(std::string_view names, std::string_view wanted) {
    const std::string all = ";" + std::string(names) + ";";
    return all.find(";" + std::string(wanted) + ";") != std::string::npos;
}

}  // namespace

std::string_view access_key(const codec::Head& head) {
    const std::string_view* authorization = head.find("authorization");
    const auto parsed =
        authorization == nullptr ? std::nullopt : codec::parse_authorization(*authorization);
    return parsed ? parsed->access_key_id : std::string_view();
}

Verifier::Verifier(std::string region, std::string service, std::vector<KeyPair> pairs)
    : region_(std::move(region)),
      service_(std::move(service)),
      pairs_(std::move(pairs)),
      signer_(service_) {}

std::optional<ErrorAnswer> Verifier::check(const codec::Head& head, const codec::Digest& body,
                                           std::int64_t unix_seconds) {
    const std::string_view* authorization = head.find("authorization");
    if (authorization == nullptr) {
        return make_error(403, "MissingAuthenticationTokenException",
                          "Missing Authentication Token");
    }
    constexpr std::string_view kBearer = "Bearer ";
    if (authorization->starts_with(kBearer)) {
        if (authorization->substr(kBearer.size()) == pairs_.front().secret_access_key) {
            return std::nullopt;
        }
        return make_error(403, "AccessDeniedException",
                          "Authentication failed: Please make sure your API Key is valid.");
    }
    const auto parsed = codec::parse_authorization(*authorization);
    const std::string_view* date = head.find("x-amz-date");
    constexpr std::int64_t kNone = -1;
    const std::int64_t signed_at = date ? codec::parse_amz_date(*date).value_or(kNone) : kNone;
    if (!parsed || signed_at == kNone || !lists(parsed->signed_headers, "host") ||
        !lists(parsed->signed_headers, "x-amz-date")) {
        return make_error(
            403, "IncompleteSignatureException",
            "Authorization header requires 'Credential' parameter, 'Signature' "
            "parameter, 'SignedHeaders' with host and x-amz-date, and an 'X-Amz-Date' "
            "header.");
    }
    if (const std::string_view* token = head.find("x-amz-security-token");
        token != nullptr && *token == "expired") {
        return fault_error(FaultKind::expired_token, {});
    }
    const auto pair = std::ranges::find(pairs_, parsed->access_key_id, &KeyPair::access_key_id);
    if (pair == pairs_.end()) {
        return make_error(403, "UnrecognizedClientException",
                          "The security token included in the request is invalid.");
    }
    if (std::llabs(signed_at - unix_seconds) > kSkew) {
        return bad_signature(signed_at < unix_seconds
                                 ? "Signature expired: " + std::string(*date) +
                                       " is more than 5 min. earlier than the current time."
                                 : "Signature not yet current: " + std::string(*date) +
                                       " is more than 5 min. later than the current time.");
    }
    if (parsed->region != region_) {
        return bad_signature("Credential should be scoped to a valid region.");
    }
    if (parsed->service != service_) {
        return bad_signature("Credential should be scoped to correct service: '" + service_ + "'.");
    }
    const auto fields = signed_fields(head, parsed->signed_headers);
    if (fields) {
        const codec::SigningRequest request{
            .method = head.method, .target = head.target, .headers = *fields, .body = body};
        const codec::SigningCredentials credentials{.access_key_id = pair->access_key_id,
                                                    .secret_access_key = pair->secret_access_key,
                                                    .session_token = {}};
        const codec::Signature& good = signer_.sign(request, credentials, region_, signed_at);
        if (good.signature == parsed->signature) {
            return std::nullopt;
        }
    }
    return bad_signature(
        "The request signature we calculated does not match the signature you provided. Check your "
        "AWS Secret Access Key and signing method. Consult the service documentation for details.");
}

}  // namespace weir::simulator
