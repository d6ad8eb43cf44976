#include "codec/proof_key.h"

#include "codec/base64.h"
#include "codec/hex.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace weir::codec {
namespace {

constexpr int kHalf = 32;  // bytes of a coordinate, and of half a signature

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
    void operator()(BIGNUM* number) const { BN_free(number); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

unsigned char* raw(std::string& bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}
const unsigned char* raw(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string hex_of(std::string_view text, const EVP_MD* kind) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, kind, nullptr);
    std::string out;
    for (unsigned i = 0; i < size; ++i) {
        out += kHexDigits[digest[i] >> 4U];
        out += kHexDigits[digest[i] & 15U];
    }
    return out;
}

std::string coordinate(const EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) {
        return {};
    }
    const Owned<BIGNUM> owned(number);
    std::string bytes(kHalf, '\0');
    return BN_bn2binpad(number, raw(bytes), kHalf) == kHalf ? bytes : std::string();
}

}  // namespace

struct ProofKey::Key {
    Owned<EVP_PKEY> pkey;
};

std::string base64url(std::string_view bytes) {
    std::string text = base64_encoded(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    text.erase(std::min(text.find('='), text.size()));
    return text;
}

std::string sha1_hex(std::string_view text) {
    return hex_of(text, EVP_sha1());
}

std::string sha256_hex(std::string_view text) {
    return hex_of(text, EVP_sha256());
}

std::string random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    return RAND_bytes(raw(bytes), static_cast<int>(size)) == 1 ? bytes : std::string();
}

std::optional<ProofKey> ProofKey::read(const std::string& pem) {
    const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    Owned<EVP_PKEY> pkey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!pkey || EVP_PKEY_get_bits(pkey.get()) != 256 ||
        EVP_PKEY_get_base_id(pkey.get()) != EVP_PKEY_EC) {
        return std::nullopt;
    }
    ProofKey key;
    key.key_ = std::make_shared<const Key>(Key{std::move(pkey)});
    return key;
}

std::string ProofKey::x() const {
    return coordinate(key_->pkey.get(), OSSL_PKEY_PARAM_EC_PUB_X);
}

std::string ProofKey::y() const {
    return coordinate(key_->pkey.get(), OSSL_PKEY_PARAM_EC_PUB_Y);
}

/// Both halves side by side; OpenSSL's own form is DER.
std::string ProofKey::sign(std::string_view text) const {
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    std::size_t size = 0;
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_->pkey.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, raw(text), text.size()) != 1) {
        return {};
    }
    std::string der(size, '\0');
    if (EVP_DigestSign(context.get(), raw(der), &size, raw(text), text.size()) != 1) {
        return {};
    }
    const unsigned char* at = raw(std::string_view(der));
    const Owned<ECDSA_SIG> parsed(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
    constexpr std::size_t kWhole = 2 * kHalf;
    std::string both(kWhole, '\0');
    if (!parsed || BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), raw(both), kHalf) != kHalf ||
        BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), raw(both) + kHalf, kHalf) != kHalf) {
        return {};
    }
    return both;
}

}  // namespace weir::codec
