// A certificate whose key has signed something: its validity, and RSA signatures of PKCS #1 v1.5.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::codec {

enum class SignatureHash : std::uint8_t { sha1, sha256 };

/// Of its issuer nothing is checked: where it came from is the reader's business.
class Certificate {
public:
    /// The first certificate of a PEM text; nullopt: there is none with an RSA key of 2048 bits or
    /// more.
    static std::optional<Certificate> read(std::string_view pem);

    /// In seconds since 1970.
    bool valid_at(std::int64_t unix_seconds) const;
    bool verifies(std::string_view text, std::string_view signature, SignatureHash hash) const;

private:
    struct Parts;
    std::shared_ptr<const Parts> parts_;
};

}  // namespace weir::codec
