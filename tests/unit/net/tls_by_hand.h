// TLS whose records a test can cut, hold back and send as it likes.
#pragma once

#include "unit/net/certificates.h"
#include "unit/net/support.h"

#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace weir::net::test {

/// TLS by hand over a Client: what it seals goes out in as many pieces as a test likes.
class ByHand {
public:
    /// `certificates`: it is the server.
    explicit ByHand(Client& client, const Certificates* certificates = nullptr,
                    std::string_view alpn = {})
        : client_(client), context_(SSL_CTX_new(TLS_method())) {
        if (certificates != nullptr) {
            SSL_CTX_use_certificate_chain_file(context_, certificates->certificate().c_str());
            SSL_CTX_use_PrivateKey_file(context_, certificates->key().c_str(), SSL_FILETYPE_PEM);
        }
        ssl_ = SSL_new(context_);
        if (!alpn.empty()) {
            SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                                static_cast<unsigned>(alpn.size()));
        }
        SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        certificates != nullptr ? SSL_set_accept_state(ssl_) : SSL_set_connect_state(ssl_);
        while (SSL_do_handshake(ssl_) != 1 && talk()) {
        }
        client_.send(sealed());
    }
    ~ByHand() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }
    ByHand(const ByHand&) = delete;
    ByHand& operator=(const ByHand&) = delete;

    std::string seal(std::string_view plain) {
        SSL_write(ssl_, plain.data(), static_cast<int>(plain.size()));
        return sealed();
    }
    /// New keys for what we send, and a request for new ones from there: the other side has to
    /// answer.
    std::string update_keys() {
        SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(ssl_);
        return sealed();
    }
    /// What comes next; "" at the end.
    std::string receive() {
        std::string plain(65536, '\0');
        for (;;) {
            const int n = SSL_read(ssl_, plain.data(), static_cast<int>(plain.size()));
            if (n > 0) {
                plain.resize(static_cast<std::size_t>(n));
                return plain;
            }
            if (!talk()) {
                return {};
            }
        }
    }

private:
    std::string sealed() {
        std::string bytes(BIO_ctrl_pending(SSL_get_wbio(ssl_)), '\0');
        BIO_read(SSL_get_wbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    bool talk() {
        client_.send(sealed());
        const std::string more = client_.receive();
        BIO_write(SSL_get_rbio(ssl_), more.data(), static_cast<int>(more.size()));
        return !more.empty();
    }

    Client& client_;
    SSL_CTX* context_;
    SSL* ssl_ = nullptr;
};

/// The first flight of a client's handshake.
inline std::string client_hello() {
    SSL_CTX* const context = SSL_CTX_new(TLS_method());
    SSL* const ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    std::string bytes(BIO_ctrl_pending(SSL_get_wbio(ssl)), '\0');
    BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
    SSL_free(ssl);
    SSL_CTX_free(context);
    return bytes;
}

}  // namespace weir::net::test
