// AWS Signature Version 4:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
#pragma once

#include "codec/http1.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <openssl/sha.h>

namespace weir::codec {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 of a body as it arrives. Copies go on from the same state.
class Sha256 {
public:
    Sha256();
    void update(std::string_view bytes);
    /// Gives the digest and starts afresh.
    Digest finish();

private:
    SHA256_CTX state_;
};

Digest sha256(std::string_view bytes);
Digest hmac_sha256(std::string_view key, std::string_view bytes);
std::string to_hex(std::span<const std::uint8_t> bytes);
void append_hex(std::string& out, std::span<const std::uint8_t> bytes);

struct SigningCredentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;  // empty: none
};

struct SigningRequest {
    std::string_view method;
    std::string_view target;  // path and query exactly as they go on the wire
    std::span<const Field>
        headers;  // those to sign, any order, any case; host among them, x-amz-date not
    Digest body;
};

/// How the path becomes canonical. Bedrock: as sent, each segment encoded once more (so `%3A` is
/// signed as
/// `%253A`), nothing normalised. The published test suite also has normalising cases.
struct SigningOptions {
    bool normalize_path = false;
    bool sign_body_header = false;  // adds and signs x-amz-content-sha256
};

struct Signature {
    std::string authorization;   // value of the Authorization header
    std::string amz_date;        // value of x-amz-date
    std::string content_sha256;  // value of x-amz-content-sha256 if asked for
    // for tests and for verifying
    std::string canonical_request;
    std::string string_to_sign;
    std::string signature;
};

/// Signs requests of one service. Caches the day's key per (secret, date, Region), and what all
/// signatures of one second for one target begin with. Not thread-safe: one a worker.
class Signer {
public:
    explicit Signer(std::string service);
    ~Signer();
    Signer(Signer&&) noexcept;
    Signer& operator=(Signer&&) noexcept;

    /// `unix_seconds` is wall time: the one place where it matters. Valid until the next call.
    const Signature& sign(const SigningRequest& request, const SigningCredentials& credentials,
                          std::string_view region, std::int64_t unix_seconds,
                          const SigningOptions& options = {});

private:
    struct Cache;
    std::unique_ptr<Cache> cache_;
    std::string service_;
};

/// What an Authorization header says: `AWS4-HMAC-SHA256
/// Credential=.../date/region/service/aws4_request, ...`.
struct ParsedAuthorization {
    std::string_view access_key_id;
    std::string_view date;
    std::string_view region;
    std::string_view service;
    std::string_view signed_headers;  // as received, ';' between
    std::string_view signature;
};
std::optional<ParsedAuthorization> parse_authorization(std::string_view value);

}  // namespace weir::codec
