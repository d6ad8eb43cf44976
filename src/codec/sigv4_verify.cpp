#include "codec/sigv4_verify.h"

#include "codec/hex.h"
#include "codec/http1_grammar.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

namespace weir::codec {

namespace {

constexpr std::int64_t kSkew = 5 * 60;
constexpr std::string_view kAuthority = ":authority";

std::unexpected<SignatureFault> fault(std::string_view type, std::string message) {
    return std::unexpected(SignatureFault{type, std::move(message)});
}

std::unexpected<SignatureFault> invalid(std::string message) {
    return fault("InvalidSignatureException", std::move(message));
}

/// Calls `use` with each name of a SignedHeaders list.
template <class Use>
void each_name(std::string_view names, Use use) {
    while (!names.empty()) {
        const std::size_t end = std::min(names.find(';'), names.size());
        use(names.substr(0, end));
        names.remove_prefix(std::min(end + 1, names.size()));
    }
}

bool lists(std::string_view names, std::string_view wanted) {
    bool found = false;
    each_name(names, [&](std::string_view name) { found |= name == wanted; });
    return found;
}

/// The fields that the claim covers, but for x-amz-date, which a Signer writes itself. A name of
/// which the head has no field adds none, and so the signature cannot be the same. Over HTTP/2 the
/// SDK for JavaScript signs :authority, which is the head's Host here.
std::vector<Field> signed_fields(const Head& head, std::string_view names) {
    std::vector<Field> fields;
    each_name(names, [&](std::string_view name) {
        if (name == "x-amz-date")
            return;
        const std::string_view wanted = name == kAuthority ? "host" : name;
        for (const Field& field : head.fields)
            if (equals_ignore_case(field.name, wanted))
                fields.push_back({name, field.value});
    });
    return fields;
}

std::optional<int> number(std::string_view text, std::size_t from, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(from, count)) {
        if (!grammar::is_digit(c))
            return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::optional<Digest> parse_digest(std::string_view hex) {
    Digest digest{};
    if (hex.size() != 2 * digest.size())
        return std::nullopt;
    for (std::size_t i = 0; i < hex.size(); ++i) {
        const char c = hex[i];
        if (!grammar::is_digit(c) && (c < 'a' || c > 'f'))
            return std::nullopt;
        digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] << 4 | hex_value(c));
    }
    return digest;
}

std::optional<std::int64_t> parse_amz_date(std::string_view text) {
    if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z')
        return std::nullopt;
    const auto year = number(text, 0, 4);
    const auto month = number(text, 4, 2);
    const auto day = number(text, 6, 2);
    const auto hour = number(text, 9, 2);
    const auto minute = number(text, 11, 2);
    const auto second = number(text, 13, 2);
    if (!year || !month || !day || !hour || !minute || !second)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    const auto days = std::chrono::sys_days(date).time_since_epoch();
    return std::chrono::seconds(days).count() + *hour * 3600 + *minute * 60 + *second;
}

std::expected<Claim, SignatureFault> read_claim(const Head& head,
                                                std::span<const std::string_view> services,
                                                std::int64_t unix_seconds) {
    constexpr std::string_view kIncomplete = "IncompleteSignatureException";
    const std::string_view* header = head.find("authorization");
    const auto parsed = header != nullptr ? parse_authorization(*header) : std::nullopt;
    if (!parsed)
        return fault(kIncomplete,
                     "Authorization header requires 'Credential' parameter of the form "
                     "KEY/DATE/REGION/SERVICE/aws4_request, 'SignedHeaders' parameter and "
                     "'Signature' parameter, after AWS4-HMAC-SHA256.");
    if (!lists(parsed->signed_headers, "host") && !lists(parsed->signed_headers, kAuthority))
        return fault(kIncomplete,
                     "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    const std::string_view* date = head.find("x-amz-date");
    const auto signed_at = date != nullptr ? parse_amz_date(*date) : std::nullopt;
    if (!signed_at || !lists(parsed->signed_headers, "x-amz-date"))
        return fault(kIncomplete,
                     "Authorization header requires existence of a signed 'X-Amz-Date' header of "
                     "the form YYYYMMDD'T'HHMMSS'Z'.");
    if (date->substr(0, 8) != parsed->date)
        return invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
            "date from HTTP.");
    if (*signed_at < unix_seconds - kSkew)
        return invalid("Signature expired: " + std::string(*date) +
                       " is more than 5 min. earlier than the current time.");
    if (*signed_at > unix_seconds + kSkew)
        return invalid("Signature not yet current: " + std::string(*date) +
                       " is more than 5 min. later than the current time.");
    if (std::ranges::find(services, parsed->service) == services.end())
        return invalid("Credential should be scoped to correct service: '" +
                       std::string(services.front()) + "'.");
    return Claim{*parsed, *signed_at};
}

std::optional<SignatureFault> check_claim(Signer& signer, const Head& head, const Claim& claim,
                                          const SigningCredentials& key, const Digest& body,
                                          const SigningOptions& options) {
    if (const auto* sum = head.find("x-amz-content-sha256"); sum && *sum != to_hex(body))
        return SignatureFault{"InvalidSignatureException",
                              "The value of x-amz-content-sha256 is not the SHA-256 of the body "
                              "that arrived, in lower-case hexadecimal."};
    const auto fields = signed_fields(head, claim.authorization.signed_headers);
    SigningOptions as_received;
    as_received.normalize_path = options.normalize_path;
    const Signature& good =
        signer.sign({.method = head.method, .target = head.target, .headers = fields, .body = body},
                    key, claim.authorization.region, claim.signed_at, as_received);
    const auto ours = parse_authorization(good.authorization);
    if (ours->signed_headers == claim.authorization.signed_headers &&
        same(good.signature, claim.authorization.signature))
        return std::nullopt;
    return SignatureFault{
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your "
        "AWS Secret Access Key and signing method. Consult the service documentation for details."};
}

}  // namespace weir::codec
