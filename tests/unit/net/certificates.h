// An authority and a certificate of its making, in files of their own.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace weir::net::test {

class Certificates {
public:
    /// For `name`, valid from two days ago until `days` from now.
    Certificates(const std::string& name, long days) {
        std::string pattern = std::filesystem::temp_directory_path() / "weir-tls-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        EVP_PKEY* root_key = EVP_EC_gen("P-256");
        EVP_PKEY* leaf_key = EVP_EC_gen("P-256");
        X509* root = make("weir test authority", root_key, nullptr, root_key, 30, "CA:TRUE", "");
        X509* leaf = make(name, leaf_key, root, root_key, days, "CA:FALSE", "DNS:" + name);
        write(authority(), [&](FILE* file) { PEM_write_X509(file, root); });
        write(certificate(), [&](FILE* file) { PEM_write_X509(file, leaf); });
        write(key(), [&](FILE* file) {
            PEM_write_PrivateKey(file, leaf_key, nullptr, nullptr, 0, nullptr, nullptr);
        });
        X509_free(root);
        X509_free(leaf);
        EVP_PKEY_free(root_key);
        EVP_PKEY_free(leaf_key);
    }
    ~Certificates() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Certificates(const Certificates&) = delete;
    Certificates& operator=(const Certificates&) = delete;

    std::string authority() const { return folder_ + "/ca.pem"; }
    std::string certificate() const { return folder_ + "/server.pem"; }
    std::string key() const { return folder_ + "/server.key"; }

private:
    static void extend(X509* certificate, X509* issuer, int which, const std::string& value) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
        X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
        X509_add_ext(certificate, made, -1);
        X509_EXTENSION_free(made);
    }

    static X509* make(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* signer,
                      long days, const std::string& constraints, const std::string& names) {
        static long serial = 1;
        X509* made = X509_new();
        X509_set_version(made, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(made), -2L * 86400);
        X509_gmtime_adj(X509_getm_notAfter(made), days * 86400);
        X509_set_pubkey(made, key);
        X509_NAME* subject = X509_get_subject_name(made);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        X509_set_issuer_name(made, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
        extend(made, issuer != nullptr ? issuer : made, NID_basic_constraints, constraints);
        if (!names.empty()) {
            extend(made, issuer, NID_subject_alt_name, names);
        }
        X509_sign(made, signer, EVP_sha256());
        return made;
    }

    template <class Put>
    static void write(const std::string& path, Put put) {
        FILE* file = std::fopen(path.c_str(), "w");
        if (file == nullptr) {
            throw std::system_error(errno, std::generic_category(), path);
        }
        put(file);
        std::fclose(file);
    }

    std::string folder_;
};

}  // namespace weir::net::test
