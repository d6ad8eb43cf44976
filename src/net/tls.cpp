#include "net/tls.h"

#include "net/socket.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

namespace weir::net {

namespace {

bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/// Most bytes that one step takes from the socket. OpenSSL goes on by itself for as long as records
/// come that bring no content (KeyUpdate, empty ones).
constexpr std::size_t kStep = 32UL << 10;

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

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "unknown reason";
}

/// OpenSSL says by null that there was no memory.
template <class T>
T* or_no_memory(T* object) {
    if (object == nullptr) {
        ERR_clear_error();
        throw std::bad_alloc();
    }
    return object;
}

/// The file that a `ca` setting stands for: its own, else AWS_CA_BUNDLE; empty: the system's store.
std::string trust_file(const std::string& ca) {
    if (!ca.empty()) {
        return ca;
    }
    const char* bundle = std::getenv("AWS_CA_BUNDLE");
    return bundle == nullptr ? std::string() : bundle;
}

Result<X509_STORE*> read_trust(const std::string& file) {
    X509_STORE* store = or_no_memory(X509_STORE_new());
    const int loaded = file.empty() ? X509_STORE_set_default_paths(store)
                                    : X509_STORE_load_file(store, file.c_str());
    if (loaded != 1) {
        X509_STORE_free(store);
        return failure("cannot read trusted certificates from '" + file + "': " + openssl_reason());
    }
    return store;
}

/// What tells one state of a file from another.
std::string content_of(const std::string& file) {
    std::ifstream in(file.empty() ? std::string(X509_get_default_cert_file()) : file,
                     std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

/// Trust stores are large and the same for every Region and worker: one of each in the process.
struct TrustStore {
    TrustStore() = default;
    ~TrustStore() { X509_STORE_free(store); }
    TrustStore(const TrustStore&) = delete;
    TrustStore& operator=(const TrustStore&) = delete;

    X509_STORE* store = nullptr;
    std::string content;
    std::atomic<std::uint64_t> version{0};
};

namespace {

struct TrustStores {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<TrustStore>> by_file;

    TrustStore& at(const std::string& file) {
        auto& entry = by_file[file];
        if (entry == nullptr) {
            entry = std::make_shared<TrustStore>();
        }
        return *entry;
    }
};

TrustStores& trust_stores() {
    static auto& stores = *new TrustStores;  // OpenSSL ends before statics
    return stores;
}

/// With the stores' mutex held.
Result<std::shared_ptr<TrustStore>> trust(const std::string& file) {
    TrustStore& entry = trust_stores().at(file);
    if (entry.store == nullptr) {
        auto content = content_of(file);
        auto store = read_trust(file);
        if (!store) {
            return std::unexpected(store.error());
        }
        entry.store = *store;
        entry.content = std::move(content);
    }
    return trust_stores().by_file[file];
}

SSL_CTX* make_context(const SSL_METHOD* method) {
    SSL_CTX* context = or_no_memory(SSL_CTX_new(method));
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // A record comes with one call instead of one for its head and one for its body.
    SSL_CTX_set_read_ahead(context, 1);
    // A peer that closes without close_notify is an end of file; HTTP's framing says if it came
    // too early.
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned in_size, void* /*argument*/) {
    static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";  // ours first
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

bool is_address(const std::string& host) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
           inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

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
    if (self->taken_ >= kStep) {
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

Result<std::unique_ptr<TlsContext>> TlsContext::client(const std::string& ca) {
    std::unique_ptr<TlsContext> made(new TlsContext(make_context(TLS_client_method())));
    {
        const std::scoped_lock lock(trust_stores().mutex);
        auto entry = trust(trust_file(ca));
        if (!entry) {
            return std::unexpected(entry.error());
        }
        SSL_CTX_set1_cert_store(made->context_, (*entry)->store);
        made->trust_ = *entry;
        made->trust_version_ = (*entry)->version.load();
    }
    SSL_CTX_set_verify(made->context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(made->context_,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(made->context_, made.get());
    SSL_CTX_sess_set_new_cb(made->context_, &TlsContext::remember);
    static constexpr unsigned char kHttp11[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(made->context_, kHttp11, sizeof kHttp11 - 1);
    ERR_clear_error();
    return made;
}

Result<std::unique_ptr<TlsContext>> TlsContext::server(const std::string& certificate,
                                                       const std::string& key) {
    std::unique_ptr<TlsContext> made(new TlsContext(make_context(TLS_server_method())));
    SSL_CTX_set_alpn_select_cb(made->context_, choose_protocol, nullptr);
    // RFC 9113 9.2.2: HTTP/2 over TLS 1.2 takes no CBC suites and none without forward secrecy. All
    // clients of today have these; TLS 1.3 has suites of its own.
    if (SSL_CTX_set_cipher_list(made->context_, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        return failure("no modern TLS cipher suites: " + openssl_reason());
    }
    static constexpr unsigned char kId[] = "weir";
    SSL_CTX_set_session_id_context(made->context_, kId, sizeof kId - 1);
    SSL_CTX_set_session_cache_mode(made->context_, SSL_SESS_CACHE_OFF);  // tickets carry it
    if (SSL_CTX_use_certificate_chain_file(made->context_, certificate.c_str()) != 1) {
        return failure("cannot use the certificate '" + certificate + "': " + openssl_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(made->context_, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return failure("cannot use the key '" + key + "': " + openssl_reason());
    }
    ERR_clear_error();
    return made;
}

bool TlsContext::trust_is_current() const {
    return trust_ == nullptr || trust_->version.load() == trust_version_;
}

Result<TrustReload> TrustReload::prepare(const std::vector<std::string>& files) {
    TrustReload made;
    for (const std::string& ca : files) {
        const std::string file = trust_file(ca);
        made.wanted_.insert(file);
        std::string content = content_of(file);
        {
            const std::scoped_lock lock(trust_stores().mutex);
            const auto known = trust_stores().by_file.find(file);
            if (known != trust_stores().by_file.end() && known->second->store != nullptr &&
                known->second->content == content) {
                continue;
            }
        }
        auto store = read_trust(file);
        if (!store) {
            return std::unexpected(store.error());
        }
        made.read_.push_back({file, *store, std::move(content)});
    }
    return made;
}

TrustReload::~TrustReload() {
    for (const Read& one : read_) {
        X509_STORE_free(one.store);
    }
}

void TrustReload::commit() {
    const std::scoped_lock lock(trust_stores().mutex);
    for (Read& one : read_) {
        TrustStore& entry = trust_stores().at(one.file);
        std::swap(entry.store, one.store);  // contexts in use hold references of their own
        entry.content = std::move(one.content);
        entry.version.fetch_add(1);
    }
    std::erase_if(trust_stores().by_file, [&](const auto& entry) {
        return !wanted_.contains(entry.first) && entry.second.use_count() == 1;
    });
}

TlsContext::~TlsContext() {
    SSL_SESSION_free(session_);
    SSL_CTX_set_app_data(context_, nullptr);  // connections may outlive this by a callback
    SSL_CTX_free(context_);
}

int TlsContext::remember(SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (self == nullptr) {
        return 0;
    }
    SSL_SESSION_free(self->session_);
    self->session_ = session;
    return 1;  // the reference is ours now
}

std::unique_ptr<TlsState> TlsContext::connect_to(const std::string& host) {
    auto connection = std::make_unique<TlsState>(or_no_memory(SSL_new(context_)));
    SSL* const ssl = connection->ssl();
    SSL_set_connect_state(ssl);
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
    if (is_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str());
    } else {
        X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size());
        SSL_set_tlsext_host_name(ssl, host.c_str());
    }
    if (session_ != nullptr && SSL_SESSION_is_resumable(session_) == 1) {
        SSL_set_session(ssl, session_);
    }
    ERR_clear_error();
    return connection;
}

std::unique_ptr<TlsState> TlsContext::accept_from() {
    auto connection = std::make_unique<TlsState>(or_no_memory(SSL_new(context_)));
    SSL_set_accept_state(connection->ssl());
    ERR_clear_error();
    return connection;
}

}  // namespace weir::net
