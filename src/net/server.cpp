#include "net/server.h"

#include "net/listener.h"
#include "net/server_state.h"

#include <chrono>
#include <utility>

namespace weir::net {

struct Server::Impl {
    std::shared_ptr<ServerState> state = std::make_shared<ServerState>();
    std::vector<std::unique_ptr<Listener>> listeners;
    std::atomic<std::size_t> listening{0};
};

void Downstream::reassure(Duration /*every*/) {}

Server::Server(const std::vector<Loop*>& loops, ServerSettings settings, Handler handler)
    : impl_(std::make_unique<Impl>()) {
    impl_->state->set_limits(settings);
    impl_->state->settings = std::move(settings);
    impl_->state->handler = std::move(handler);
    for (Loop* loop : loops) {
        impl_->state->loops.push_back(std::make_unique<ServerLoop>(*loop));
    }
}

Server::~Server() {
    // Connections left over refer to what the handler uses, which goes after us: they end here.
    impl_->state->closing.store(true);
    for (auto& listener : impl_->listeners) {
        listener->stop();
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    do {
        for (auto& one : impl_->state->loops) {
            close_connections(*one);
            one->loop.poll();
        }
    } while (connections() > 0 && std::chrono::steady_clock::now() < until);
}

Result<void> Server::start() {
    ServerState& state = *impl_->state;
    if (state.settings.tls) {
        auto tls = TlsContext::server(state.settings.tls->certificate, state.settings.tls->key);
        if (!tls) {
            return std::unexpected(tls.error());
        }
        state.set_tls(std::move(*tls));
    }
    for (const auto& address : state.settings.listen) {
        auto listener = std::make_unique<Listener>(impl_->state, state.loops.front()->loop);
        auto opened = listener->open(address);
        if (!opened) {
            impl_->listeners.clear();
            return opened;
        }
        impl_->listeners.push_back(std::move(listener));
    }
    for (auto& listener : impl_->listeners) {
        auto started = listener->start();
        if (!started) {
            impl_->listeners.clear();
            return started;
        }
    }
    impl_->listening.store(impl_->listeners.size());
    return {};
}

std::vector<std::uint16_t> Server::ports() const {
    std::vector<std::uint16_t> ports;
    for (const auto& listener : impl_->listeners) {
        ports.push_back(listener->port());
    }
    return ports;
}

void Server::set_limits(const ServerLimits& limits) {
    impl_->state->set_limits(limits);
}

void Server::set_tls(std::shared_ptr<TlsContext> tls) {
    impl_->state->set_tls(std::move(tls));
}

void Server::drain() {
    ServerState& state = *impl_->state;
    if (state.draining.exchange(true)) {
        return;
    }
    Impl* const impl = impl_.get();
    state.loops.front()->loop.post([impl, keep = impl_->state] {
        if (keep->closing.load()) {
            return;  // the server is going, or gone
        }
        for (auto& listener : impl->listeners) {
            listener->stop();
        }
        impl->listening.store(0);
    });
    for (auto& one : state.loops) {
        ServerLoop* const home = one.get();
        home->loop.post([home, keep = impl_->state] { drain_connections(*home); });
    }
}

bool Server::drained() const {
    return impl_->state->draining.load() && impl_->listening.load() == 0 && connections() == 0;
}

void Server::close_all() {
    for (auto& one : impl_->state->loops) {
        ServerLoop* const home = one.get();
        home->loop.post([home, keep = impl_->state] { close_connections(*home); });
    }
}

std::size_t Server::connections() const {
    std::size_t total = 0;
    for (const auto& one : impl_->state->loops) {
        total += one->connections.load(std::memory_order_relaxed);
    }
    return total;
}

std::size_t Server::active() const {
    std::size_t total = 0;
    for (const auto& one : impl_->state->loops) {
        total += one->active.load(std::memory_order_relaxed);
    }
    return total;
}

}  // namespace weir::net
