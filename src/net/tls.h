// TLS by OpenSSL, directly on the socket, without buffers in between.
#pragma once

#include "net/io.h"

#include <weir/result.h>

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::net {

/// One step of a non-blocking operation.
struct IoStep {
    enum class Kind : std::uint8_t { done, want_read, want_write, failed };
    Kind kind = Kind::done;
    std::size_t bytes = 0;
    NetFailure failure{};
};

/// One connection's TLS. Non-blocking; the owner of the socket waits.
class TlsState {
public:
    explicit TlsState(SSL* ssl) : ssl_(ssl) {}
    SSL* ssl() const { return ssl_; }
    ~TlsState();
    TlsState(const TlsState&) = delete;
    TlsState& operator=(const TlsState&) = delete;

    void attach(int descriptor);
    IoStep handshake();
    IoStep read(std::span<char> into);
    IoStep write(std::string_view bytes);
    /// Reads until the state is known: bytes (done), the end (failed, closed) or nothing yet.
    IoStep peek();
    bool pending() const;
    /// The last step read all bytes of the socket. A step that wants to read and has not drained
    /// the socket has yielded: it goes on in the next turn.
    bool drained() const { return drained_; }
    /// The last step read bytes from the socket, which the poller does not report again.
    bool took() const { return taken_ > 0; }
    void close_notify();
    bool session_reused() const;
    /// The protocol agreed on in the handshake (ALPN); empty: none.
    std::string_view alpn() const;

private:
    void begin_step() {
        taken_ = 0;
        drained_ = false;  // bytes inside OpenSSL say nothing about the socket
    }
    IoStep result(int returned, std::size_t bytes);
    static int receive(BIO* bio, char* into, int size);
    static int send(BIO* bio, const char* from, int size);
    static BIO_METHOD* socket_method();

    SSL* ssl_;
    int descriptor_ = -1;
    std::size_t taken_ = 0;  // by this step
    bool drained_ = false;
};

struct TrustStore;

/// Settings shared by many connections. A client's context remembers one session of its peer and
/// offers it again; use one context for one endpoint and one loop.
class TlsContext {
public:
    enum class Protocol : std::uint8_t { http11, none };  // announced by ALPN
    /// `ca`: a PEM file; empty: AWS_CA_BUNDLE, else the system's store.
    static Result<std::unique_ptr<TlsContext>> client(const std::string& ca,
                                                      Protocol protocol = Protocol::http11);
    static Result<std::unique_ptr<TlsContext>> server(const std::string& certificate,
                                                      const std::string& key);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    /// To `host`, whose name or address the certificate must carry.
    std::unique_ptr<TlsState> connect_to(const std::string& host);
    std::unique_ptr<TlsState> accept_from();

    /// A client's: the trusted certificates are those of the file as TrustReload has last
    /// read it.
    bool trust_is_current() const;

private:
    explicit TlsContext(SSL_CTX* context) : context_(context) {}
    static int remember(SSL* ssl, SSL_SESSION* session);

    SSL_CTX* context_;
    SSL_SESSION* session_ = nullptr;
    std::shared_ptr<const TrustStore> trust_;
    std::uint64_t trust_version_ = 0;
};

/// Reads files of trusted certificates again, in two steps: a file that cannot be used is named
/// before anything has changed. Contexts made before keep what they trust; see trust_is_current().
/// Thread-safe; blocks on the disk.
class TrustReload {
public:
    /// `files` as for TlsContext::client(). Files that nobody has used yet are read as well; what
    /// is not among them and not in use is forgotten.
    static Result<TrustReload> prepare(const std::vector<std::string>& files);
    TrustReload(TrustReload&& other) noexcept
        : read_(std::exchange(other.read_, {})), wanted_(std::move(other.wanted_)) {}
    TrustReload(const TrustReload&) = delete;
    TrustReload& operator=(const TrustReload&) = delete;
    TrustReload& operator=(TrustReload&&) = delete;
    ~TrustReload();

    void commit();

private:
    struct Read {
        std::string file;
        X509_STORE* store = nullptr;
        std::string content;
    };
    TrustReload() = default;

    std::vector<Read> read_;
    std::set<std::string> wanted_;
};

/// The category of OpenSSL's and X.509's error numbers, for log lines.
const std::error_category& tls_category();

}  // namespace weir::net
