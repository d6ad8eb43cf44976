#include "codec/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <limits>

namespace weir::codec {

namespace {

constexpr int kFewestBits = 2048;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// No passphrase is ever asked for.
int no_passphrase(char*, int, int, void*) {
    return 0;
}

}  // namespace

struct Certificate::Parts {
    X509Ptr certificate;
    Key key;
};

std::optional<Certificate> Certificate::read(std::string_view pem) {
    if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        return std::nullopt;
    }
    auto parts = std::make_shared<Parts>();
    const Bio text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (text != nullptr) {
        parts->certificate.reset(PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr));
    }
    if (parts->certificate != nullptr) {
        parts->key.reset(X509_get_pubkey(parts->certificate.get()));
    }
    ERR_clear_error();
    if (parts->key == nullptr || EVP_PKEY_get_base_id(parts->key.get()) != EVP_PKEY_RSA ||
        EVP_PKEY_get_bits(parts->key.get()) < kFewestBits) {
        return std::nullopt;
    }
    Certificate read;
    read.parts_ = std::move(parts);
    return read;
}

bool Certificate::valid_at(std::int64_t unix_seconds) const {
    auto time = static_cast<std::time_t>(unix_seconds);
    // -1: before the time, or the same second; 1: after it; 0: it cannot be read.
    return X509_cmp_time(X509_get0_notBefore(parts_->certificate.get()), &time) < 0 &&
           X509_cmp_time(X509_get0_notAfter(parts_->certificate.get()), &time) > 0;
}

bool Certificate::verifies(std::string_view text, std::string_view signature,
                           SignatureHash hash) const {
    const Context context(EVP_MD_CTX_new());
    const EVP_MD* digest = hash == SignatureHash::sha1 ? EVP_sha1() : EVP_sha256();
    const bool verified =
        context != nullptr &&
        EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, parts_->key.get()) == 1 &&
        EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text),
                         text.size()) == 1;
    ERR_clear_error();
    return verified;
}

}  // namespace weir::codec
