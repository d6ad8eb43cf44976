#include "net/tls.h"

#include "net/openssl.h"
#include "net/socket.h"

#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <cerrno>

namespace weir::net {

namespace {

bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/// Most bytes that one step takes from the socket. OpenSSL goes on by itself for as long as records
/// come that bring no content (KeyUpdate, empty ones).
constexpr std::size_t kMostTaken = 32UL << 10;

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

constexpr int kVerifyBase = 1 << 28;  // X.509 results, told apart from OpenSSL's reasons

class TlsCategory : public std::error_category {
public:
    const char* name() const noexcept override { return "tls"; }
    std::string message(int value) const override {
        if (value >= kVerifyBase) {
            return X509_verify_cert_error_string(value - kVerifyBase);
        }
        const char* reason = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, value));
        return reason != nullptr ? reason : "TLS error " + std::to_string(value);
    }
};

}  // namespace

const std::error_category& tls_category() {
    static const TlsCategory category;
    return category;
}

TlsState::~TlsState() {
    SSL_free(ssl_);
}

int TlsState::receive(BIO* bio, char* into, int size) {
    auto* self = static_cast<TlsState*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->taken_ >= kMostTaken) {
        self->drained_ = false;
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t n = 0;
    do {
        n = net::receive(self->descriptor_, {into, static_cast<std::size_t>(size)});
    } while (n < 0 && errno == EINTR);
    self->drained_ = n < size;
    if (n > 0) {
        self->taken_ += static_cast<std::size_t>(n);
    } else if (n < 0 && would_block()) {
        BIO_set_retry_read(bio);
    }
    return static_cast<int>(n);
}

int TlsState::send(BIO* bio, const char* from, int size) {
    const auto* self = static_cast<const TlsState*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    ssize_t n = 0;
    do {
        n = transmit(self->descriptor_, {from, static_cast<std::size_t>(size)});
    } while (n < 0 && errno == EINTR);
    if (n < 0 && would_block()) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(n);
}

/// OpenSSL's own socket BIO writes without MSG_NOSIGNAL; a library must not raise SIGPIPE in the
/// program it lives in.
BIO_METHOD* TlsState::socket_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir socket");
        BIO_meth_set_read(made, receive);
        BIO_meth_set_write(made, send);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

void TlsState::attach(int descriptor) {
    descriptor_ = descriptor;
    BIO* bio = or_no_memory(BIO_new(socket_method()));
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
}

IoStep TlsState::result(int returned, std::size_t bytes) {
    if (returned > 0) {
        return {.kind = IoStep::Kind::done, .bytes = bytes};
    }
    const int system = errno;
    IoStep step{.kind = IoStep::Kind::failed};
    switch (SSL_get_error(ssl_, returned)) {
        case SSL_ERROR_WANT_READ:
            step.kind = IoStep::Kind::want_read;
            break;
        case SSL_ERROR_WANT_WRITE:
            step.kind = IoStep::Kind::want_write;
            break;
        case SSL_ERROR_ZERO_RETURN:
            step.failure.error = NetError::closed;
            break;
        case SSL_ERROR_SYSCALL:
            step.failure.error = NetError::reset;
            step.failure.code = std::error_code(system, std::system_category());
            break;
        default:
            step.failure.error = NetError::tls;
            if (const long verified = SSL_get_verify_result(ssl_); verified != X509_V_OK) {
                step.failure.code =
                    std::error_code(kVerifyBase + static_cast<int>(verified), tls_category());
            } else {
                step.failure.code =
                    std::error_code(ERR_GET_REASON(ERR_peek_last_error()), tls_category());
            }
    }
    ERR_clear_error();
    return step;
}

IoStep TlsState::handshake() {
    ERR_clear_error();
    begin_step();
    const IoStep step = result(SSL_do_handshake(ssl_), 0);
    ERR_clear_error();
    return step;
}

// SSL_get_error looks at the thread's queue of errors. It is empty here: handshake(), whatever
// fails and whatever makes a context or a connection leave it so, and emptying it before each call
// would cost as much as the call does.

IoStep TlsState::read(std::span<char> into) {
    std::size_t n = 0;
    begin_step();
    const int returned = SSL_read_ex(ssl_, into.data(), into.size(), &n);
    return result(returned, n);
}

IoStep TlsState::write(std::string_view bytes) {
    std::size_t n = 0;
    begin_step();
    const int returned = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n);
    return result(returned, n);
}

IoStep TlsState::peek() {
    char byte = 0;
    std::size_t n = 0;
    begin_step();
    const int returned = SSL_peek_ex(ssl_, &byte, 1, &n);
    return result(returned, n);
}

bool TlsState::pending() const {
    return SSL_has_pending(ssl_) == 1;
}

void TlsState::close_notify() {
    if (SSL_is_init_finished(ssl_) == 1) {
        ERR_clear_error();
        SSL_shutdown(ssl_);
        ERR_clear_error();
    }
}

bool TlsState::session_reused() const {
    return SSL_session_reused(ssl_) == 1;
}

std::string_view TlsState::alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

}  // namespace weir::net
