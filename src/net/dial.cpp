#include "net/dial.h"

#include "net/buffer.h"
#include "net/failed.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <string>
#include <utility>

namespace weir::net {

namespace {

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

/// What the interrupt points at while a step runs.
class Exposed {
public:
    Exposed(Pool::Interrupt& interrupt, Stream& stream) : interrupt_(interrupt) {
        interrupt_.connecting = &stream;
        if (interrupt_.raised) {
            stream.interrupt();
        }
    }
    ~Exposed() { interrupt_.connecting = nullptr; }
    Exposed(const Exposed&) = delete;
    Exposed& operator=(const Exposed&) = delete;

private:
    Pool::Interrupt& interrupt_;
};

/// Between the resolver's thread and a coroutine that may give up first, or go with its loop.
struct Question {
    std::mutex mutex;
    Loop* loop = nullptr;      // null: nobody waits any more
    Stream* stream = nullptr;  // on the loop's thread only
    Addresses answer;
};

class Asking {
public:
    Asking(Loop& loop, Stream& stream) : question_(std::make_shared<Question>()) {
        question_->loop = &loop;
        question_->stream = &stream;
    }
    ~Asking() {
        const std::scoped_lock lock(question_->mutex);
        question_->loop = nullptr;
        question_->stream = nullptr;
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

    const Addresses& answer() const { return question_->answer; }

    void ask(const std::string& name, Resolver& resolver) {
        resolver.resolve(name, [question = question_](const Addresses& found) {
            const std::scoped_lock lock(question->mutex);
            if (question->loop == nullptr) {
                return;
            }
            question->loop->post([question, found] {
                if (question->stream != nullptr) {
                    question->answer = found;
                    question->stream->wake();
                }
            });
        });
    }

private:
    std::shared_ptr<Question> question_;
};

Task<NetResult<Addresses>> look_up(Loop& loop, const std::string& name, Resolver& resolver,
                                   Pool::Interrupt& interrupt, Instant until) {
    if (const auto numeric = Address::parse(name)) {
        co_return Addresses(1, *numeric);
    }
    // No socket yet; the stream is what a deadline and the interrupt can act on.
    Stream waiting(loop, Socket());
    const Exposed exposed(interrupt, waiting);
    waiting.set_deadline(until - clock_now());
    Asking asking(loop, waiting);
    asking.ask(name, resolver);
    const auto woken = co_await waiting.wait_woken();
    if (!woken && woken.error().error == NetError::interrupted) {
        co_return std::unexpected(woken.error());
    }
    if (!woken || asking.answer().empty()) {
        co_return std::unexpected(failed(NetError::dns));
    }
    co_return Addresses(asking.answer());
}

void keep_alive(const Socket& socket, Duration idle) {
    const int fd = socket.descriptor();
    const int on = 1;
    const int seconds = std::max<int>(1, static_cast<int>(to_seconds(idle)));
    const int interval = std::max(1, seconds / 3);
    const int probes = 3;
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

Task<NetResult<std::unique_ptr<Stream>>> connect_to(Loop& loop, Address peer,
                                                    Pool::Interrupt& interrupt, Duration longest) {
    Socket socket(::socket(peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) {
        co_return std::unexpected(
            failed(NetError::connect, std::error_code(errno, std::system_category())));
    }
    const int fd = socket.descriptor();
    auto stream = std::make_unique<Stream>(loop, std::move(socket));
    const Exposed exposed(interrupt, *stream);
    if (::connect(fd, peer.data(), peer.size()) != 0) {
        if (errno != EINPROGRESS) {
            co_return std::unexpected(
                failed(NetError::connect, std::error_code(errno, std::system_category())));
        }
        stream->set_deadline(longest);
        const auto ready = co_await stream->wait_writable();
        if (!ready) {
            co_return std::unexpected(ready.error());
        }
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            co_return std::unexpected(
                failed(NetError::connect, std::error_code(error, std::system_category())));
        }
        stream->clear_deadline();
    }
    co_return std::move(stream);
}

/// Asks the proxy for a tunnel.
Task<NetResult<void>> tunnel(Stream& stream, const Endpoint& endpoint) {
    const std::string target =
        (endpoint.host.find(':') != std::string::npos ? "[" + endpoint.host + "]" : endpoint.host) +
        ":" + std::to_string(endpoint.port);
    std::string request;
    codec::append_request_line(request, "CONNECT", target);
    codec::append_field(request, "Host", target);
    if (!endpoint.proxy_authorization.empty()) {
        codec::append_field(request, "Proxy-Authorization", endpoint.proxy_authorization);
    }
    request += "\r\n";
    const auto written = co_await stream.write(request);
    if (!written) {
        co_return std::unexpected(written.error());
    }
    ReadBuffer buffer;
    buffer.make_room();
    codec::HeadReader reader(codec::HeadReader::Side::response, ReadBuffer::kBlock);
    codec::Head head;
    for (;;) {
        const auto got = co_await stream.read_some(buffer.room());
        if (!got) {
            co_return std::unexpected(got.error());
        }
        buffer.filled(*got);
        const auto taken = reader.read(buffer.view(), head, true);
        if (!taken) {
            co_return std::unexpected(failed(NetError::protocol));
        }
        if (!*taken) {
            if (buffer.room().empty()) {
                co_return std::unexpected(failed(NetError::too_large));
            }
            continue;
        }
        if (head.status / 100 != 2) {
            co_return std::unexpected(failed(NetError::connect));
        }
        // The server speaks first in no protocol that we tunnel.
        if (**taken != buffer.size()) {
            co_return std::unexpected(failed(NetError::protocol));
        }
        co_return NetResult<void>();
    }
}

/// What comes after TCP: proxy and TLS, under the deadline that the stream has.
Task<NetResult<void>> set_up(Stream& stream, const Endpoint& endpoint, TlsContext* tls) {
    if (!endpoint.proxy_host.empty()) {
        const auto through = co_await tunnel(stream, endpoint);
        if (!through) {
            co_return std::unexpected(through.error());
        }
    }
    if (tls != nullptr) {
        auto state = tls->connect_to(endpoint.tls_name.empty() ? endpoint.host : endpoint.tls_name);
        const auto secured = co_await stream.start_tls(std::move(state));
        if (!secured) {
            co_return std::unexpected(secured.error());
        }
    }
    co_return NetResult<void>();
}

}  // namespace

Task<NetResult<std::unique_ptr<Stream>>> dial(Loop& loop, const Endpoint& endpoint,
                                              const PoolSettings& settings, TlsContext* tls,
                                              Resolver& resolver, Pool::Interrupt& interrupt,
                                              std::size_t first) {
    const Instant until = clock_now() + settings.connect_timeout;
    const bool proxied = !endpoint.proxy_host.empty();
    const auto addresses = co_await look_up(loop, proxied ? endpoint.proxy_host : endpoint.host,
                                            resolver, interrupt, until);
    if (!addresses) {
        co_return std::unexpected(addresses.error());
    }
    const std::uint16_t port = proxied ? endpoint.proxy_port : endpoint.port;
    NetFailure last = failed(NetError::connect);
    for (std::size_t i = 0; i < addresses->size(); ++i) {
        const Duration left = until - clock_now();
        if (left <= Duration::zero()) {
            break;
        }
        // The last one may use all that is left; a silent first address cannot eat it up.
        const Duration share = left / static_cast<std::int64_t>(addresses->size() - i);
        const Address peer = (*addresses)[(first + i) % addresses->size()].with_port(port);
        auto stream = co_await connect_to(loop, peer, interrupt, share);
        if (!stream) {
            last = stream.error();
            if (last.error == NetError::interrupted) {
                co_return std::unexpected(last);
            }
            continue;
        }
        const Exposed exposed(interrupt, **stream);
        (*stream)->set_deadline(until - clock_now());
        const auto ready = co_await set_up(**stream, endpoint, tls);
        if (!ready) {
            co_return std::unexpected(ready.error());
        }
        (*stream)->clear_deadline();
        keep_alive((*stream)->socket(), settings.keepalive);
        co_return std::move(*stream);
    }
    co_return std::unexpected(last);
}

}  // namespace weir::net
