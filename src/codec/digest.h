// A keyed sum whose key has been absorbed beforehand. For the codec's own files.
#pragma once

#include "codec/sigv4.h"

#include <memory>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace weir::codec {

struct DigestContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestContextDeleter>;

/// HMAC-SHA-256 under one key. Both padded key blocks are hashed once, here; a sum then starts from
/// copies of the two states, which is half the hashing and no fetch.
class HmacKey {
public:
    explicit HmacKey(std::string_view key);
    Digest sum(std::string_view bytes) const;

private:
    DigestContext inner_;
    DigestContext outer_;
};

}  // namespace weir::codec
