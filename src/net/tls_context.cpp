// What TLS connections are made with: certificates, and the trust that all contexts of a process
// share.
#include "net/openssl.h"
#include "net/tls.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

namespace weir::net {

namespace {

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "unknown reason";
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

Result<std::unique_ptr<TlsContext>> TlsContext::client(const std::string& ca, Protocol protocol) {
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
    if (protocol == Protocol::http11) {
        static constexpr unsigned char kHttp11[] = "\x08http/1.1";
        SSL_CTX_set_alpn_protos(made->context_, kHttp11, sizeof kHttp11 - 1);
    }
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
