// SHA-256 and HMAC on OpenSSL's digests.
#include "codec/digest.h"

#include <cstdio>
#include <cstdlib>

namespace weir::codec {

namespace {

/// SHA-256 fails only if OpenSSL has no such digest or no memory is left: neither can be served.
void require(bool holds) {
    if (!holds) {
        std::fputs("weir: OpenSSL gave no SHA-256\n", stderr);
        std::abort();
    }
}

/// Fetched once: a fetch a call costs more than hashing a small body.
const EVP_MD* sha256_method() {
    static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    require(method != nullptr);
    return method;
}

DigestContext make_context() {
    DigestContext context(EVP_MD_CTX_new());
    require(context != nullptr);
    return context;
}

void start(EVP_MD_CTX* context) {
    require(EVP_DigestInit_ex2(context, sha256_method(), nullptr) == 1);
}
void add(EVP_MD_CTX* context, std::string_view bytes) {
    require(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
}
Digest end(EVP_MD_CTX* context) {
    Digest digest;
    require(EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
    return digest;
}

/// Each thread's context for sums that are over within one call.
EVP_MD_CTX* scratch() {
    thread_local const DigestContext context = make_context();
    return context.get();
}

std::string_view as_text(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

struct Sha256::Context {
    DigestContext digest = make_context();
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    start(context_->digest.get());
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    add(context_->digest.get(), bytes);
}

Digest Sha256::finish() {
    const Digest digest = end(context_->digest.get());
    start(context_->digest.get());
    return digest;
}

Digest sha256(std::string_view bytes) {
    start(scratch());
    add(scratch(), bytes);
    return end(scratch());
}

HmacKey::HmacKey(std::string_view key) : inner_(make_context()), outer_(make_context()) {
    constexpr std::size_t kBlock = 64;
    Digest hashed;
    if (key.size() > kBlock) {
        hashed = codec::sha256(key);
        key = as_text(hashed);
    }
    const auto absorb = [&](EVP_MD_CTX* context, char pad) {
        std::array<char, kBlock> block;
        block.fill(pad);
        for (std::size_t i = 0; i < key.size(); ++i)
            block[i] = static_cast<char>(key[i] ^ pad);
        start(context);
        add(context, {block.data(), block.size()});
        OPENSSL_cleanse(block.data(), block.size());
    };
    absorb(inner_.get(), 0x36);
    absorb(outer_.get(), 0x5C);
    OPENSSL_cleanse(hashed.data(), hashed.size());
}

Digest HmacKey::sum(std::string_view bytes) const {
    require(EVP_MD_CTX_copy_ex(scratch(), inner_.get()) == 1);
    add(scratch(), bytes);
    const Digest inner = end(scratch());
    require(EVP_MD_CTX_copy_ex(scratch(), outer_.get()) == 1);
    add(scratch(), as_text(inner));
    return end(scratch());
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
    return HmacKey(key).sum(bytes);
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out(2 * bytes.size(), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        out[2 * i] = kDigits[bytes[i] >> 4];
        out[2 * i + 1] = kDigits[bytes[i] & 0xF];
    }
    return out;
}

}  // namespace weir::codec
