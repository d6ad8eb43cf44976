// A keyed sum whose key has been absorbed beforehand. For the codec's own files.
#pragma once

#include "codec/sigv4.h"

#include <string_view>

namespace weir::codec {

/// The sum's bytes, as a key or as what is summed next.
inline std::string_view as_text(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// HMAC-SHA-256 under one key. Both padded key blocks are hashed once, here; a sum then starts from
/// copies of the two states, which is half the hashing.
class HmacKey {
public:
    explicit HmacKey(std::string_view key);
    ~HmacKey();
    HmacKey(const HmacKey&) = default;
    HmacKey& operator=(const HmacKey&) = default;
    Digest sum(std::string_view bytes) const;
    /// The key for texts that begin with `prefix`: its sums take the rest.
    HmacKey after(std::string_view prefix) const;

private:
    Sha256 inner_;
    Sha256 outer_;
};

}  // namespace weir::codec
