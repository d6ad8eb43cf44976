// SHA-256 and HMAC on OpenSSL's digest. Its plain functions, which OpenSSL 3 calls deprecated: what
// they do is the same code, and the contexts of its EVP interface cost as much as the four blocks
// of a signature do.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "codec/digest.h"

#include "codec/lanes.h"

#include <openssl/crypto.h>

#include <array>
#include <cstring>

namespace weir::codec {

Sha256::Sha256() {
    SHA256_Init(&state_);
}

void Sha256::update(std::string_view bytes) {
    SHA256_Update(&state_, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
    Digest digest;
    SHA256_Final(digest.data(), &state_);
    SHA256_Init(&state_);
    return digest;
}

Digest sha256(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

HmacKey::HmacKey(std::string_view key) {
    constexpr std::size_t kBlock = 64;
    Digest hashed;
    if (key.size() > kBlock) {
        hashed = codec::sha256(key);
        key = as_text(hashed);
    }
    const auto absorb = [&](Sha256& hash, char pad) {
        std::array<char, kBlock> block;
        block.fill(pad);
        for (std::size_t i = 0; i < key.size(); ++i)
            block[i] = static_cast<char>(key[i] ^ pad);
        hash.update({block.data(), block.size()});
        OPENSSL_cleanse(block.data(), block.size());
    };
    absorb(inner_, 0x36);
    absorb(outer_, 0x5C);
    OPENSSL_cleanse(hashed.data(), hashed.size());
}

HmacKey::~HmacKey() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
}

Digest HmacKey::sum(std::string_view bytes) const {
    Sha256 inner = inner_;
    inner.update(bytes);
    Sha256 outer = outer_;
    outer.update(as_text(inner.finish()));
    return outer.finish();
}

HmacKey HmacKey::after(std::string_view prefix) const {
    HmacKey begun = *this;
    begun.inner_.update(prefix);
    return begun;
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
    return HmacKey(key).sum(bytes);
}

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
    const auto digits = [](Lanes halves) {
        return halves + '0' + (true_lanes(halves > 9) & ('a' - '0' - 10));
    };
    const auto pairs = [digits](Lanes some) {
        const Lanes high = digits(some >> 4);
        const Lanes low = digits(some & 0xF);
        return std::array<Lanes, 2>{__builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19,
                                                            4, 20, 5, 21, 6, 22, 7, 23),
                                    __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27,
                                                            12, 28, 13, 29, 14, 30, 15, 31)};
    };
    const std::size_t start = out.size();
    out.resize(start + 2 * bytes.size());
    char* to = out.data() + start;
    for (; bytes.size() >= kLanes; bytes = bytes.subspan(kLanes), to += 2 * kLanes) {
        Lanes some;
        std::memcpy(&some, bytes.data(), kLanes);
        const auto text = pairs(some);
        std::memcpy(to, text.data(), sizeof text);
    }
    if (!bytes.empty()) {
        Lanes some{};
        std::memcpy(&some, bytes.data(), bytes.size());
        const auto text = pairs(some);
        std::memcpy(to, text.data(), 2 * bytes.size());
    }
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    std::string out;
    append_hex(out, bytes);
    return out;
}

}  // namespace weir::codec
