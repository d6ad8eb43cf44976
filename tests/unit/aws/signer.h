// A key with its certificate, made for a test, that signs as SNS does.
#pragma once

#include "aws/sns_message.h"
#include "codec/base64.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::aws::test {

class Signer {
public:
    /// Valid between these seconds since 1970.
    Signer(std::int64_t from, std::int64_t to, unsigned bits = 2048)
        : key_(EVP_RSA_gen(bits), EVP_PKEY_free) {
        const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
        ASN1_TIME_set(X509_getm_notBefore(certificate.get()), static_cast<time_t>(from));
        ASN1_TIME_set(X509_getm_notAfter(certificate.get()), static_cast<time_t>(to));
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("sns.amazonaws.com"), -1,
                                   -1, 0);
        X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
        X509_set_pubkey(certificate.get(), key_.get());
        X509_sign(certificate.get(), key_.get(), EVP_sha256());
        const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
        PEM_write_bio_X509(out.get(), certificate.get());
        char* text = nullptr;
        const long size = BIO_get_mem_data(out.get(), &text);
        pem_.assign(text, static_cast<std::size_t>(size));
    }

    const std::string& pem() const { return pem_; }

    std::string sign(std::string_view text, codec::SignatureHash hash) const {
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                              EVP_MD_CTX_free);
        EVP_DigestSignInit(context.get(), nullptr,
                           hash == codec::SignatureHash::sha1 ? EVP_sha1() : EVP_sha256(), nullptr,
                           key_.get());
        std::size_t size = 0;
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size());
        std::string signature(size, '\0');
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       bytes, text.size());
        signature.resize(size);
        return signature;
    }

private:
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
    std::string pem_;
};

}  // namespace weir::aws::test
