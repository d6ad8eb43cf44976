// Verifies Signature Version 4: was this request signed with the key it names? The messages are
// AWS's, because SDKs depend on them: they correct their clock when they see "Signature
// expired".
#pragma once

#include "codec/http1.h"
#include "codec/sigv4.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::codec {

/// Why a signature is refused.
struct SignatureFault {
    std::string_view type;  // AWS's exception; its status is 403
    std::string message;
};

/// The signature in a request's head. Views into the head.
struct Claim {
    ParsedAuthorization authorization;
    std::int64_t signed_at = 0;  // seconds since 1970
};

/// 64 lower-case hexadecimal digits, as an x-amz-content-sha256 has them.
std::optional<Digest> parse_digest(std::string_view hex);

/// "20150830T123600Z" as seconds since 1970.
std::optional<std::int64_t> parse_amz_date(std::string_view text);

/// Checks all that can be known before the body and the key: the header is complete, host (or
/// :authority) and x-amz-date are signed, its date is that of the scope and at most five minutes
/// off, it is for one of `services`, of which a fault names the first. The caller checks the
/// Region. `unix_seconds`: wall time.
std::expected<Claim, SignatureFault> read_claim(const Head& head,
                                                std::span<const std::string_view> services,
                                                std::int64_t unix_seconds);

/// Whether the claim's signature is the one that `key` makes of this head and body; nullopt: it is.
/// Compares in constant time. An x-amz-content-sha256 must be the body's: Bedrock hashes what
/// arrives, so UNSIGNED-PAYLOAD is none. `signer` is of the service that the claim names.
std::optional<SignatureFault> check_claim(Signer& signer, const Head& head, const Claim& claim,
                                          const SigningCredentials& key, const Digest& body,
                                          const SigningOptions& options = {});

}  // namespace weir::codec
