// A key on the curve P-256 that signs as JSON Web Signatures have it (ES256).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::codec {

/// Of the URL alphabet, without padding.
std::string base64url(std::string_view bytes);

/// Lower-case hex.
std::string sha1_hex(std::string_view text);
std::string sha256_hex(std::string_view text);

/// Random bytes; empty: there are none.
std::string random_bytes(std::size_t size);

class ProofKey {
public:
    /// nullopt: not a private key on P-256.
    static std::optional<ProofKey> read(const std::string& pem);

    /// Of the public key, 32 bytes each; empty: it could not be used.
    std::string x() const;
    std::string y() const;
    /// 64 bytes; empty: it could not be used.
    std::string sign(std::string_view text) const;

private:
    struct Key;
    std::shared_ptr<const Key> key_;
};

}  // namespace weir::codec
