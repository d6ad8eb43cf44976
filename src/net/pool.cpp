#include "net/dial.h"
#include "net/upstream.h"
#include "net/upstream_impl.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace weir::net {

namespace {

// An idle connection used again within this time is taken at the loop's word.
constexpr Duration kTrusted = std::chrono::milliseconds(100);

}  // namespace

struct Pool::Impl {
    Impl(Loop& on, Endpoint to, const PoolSettings& with, PoolCounts* counted, Resolver& names)
        : loop(on),
          endpoint(std::move(to)),
          settings(with),
          counts(counted),
          resolver(names),
          reaper(on.wheel(), [](void* self) { static_cast<Impl*>(self)->reap(); }, this) {}

    Loop& loop;
    Endpoint endpoint;
    PoolSettings settings;
    PoolCounts* counts;
    Resolver& resolver;
    std::shared_ptr<TlsContext> tls;  // made with the first connection that needs it
    std::vector<std::unique_ptr<UpstreamConnection>> idle;  // the newest last
    Timer reaper;
    std::minstd_rand random{std::random_device{}()};

    void reap() {
        const Instant now = coarse_now();
        std::erase_if(idle, [&](const auto& one) {
            return one->impl_->idle_since + settings.idle <= now ||
                   !one->impl_->stream->idle_and_healthy();
        });
        plan();
    }

    void plan() {
        if (idle.empty()) {
            reaper.clear();
        } else {
            reaper.set(idle.front()->impl_->idle_since + settings.idle);
        }
    }

    /// Up to a tenth earlier, so that connections made together do not all end together.
    Instant retirement(Instant now) {
        const double part = std::uniform_real_distribution<double>(0.9, 1.0)(random);
        return now + from_seconds(to_seconds(settings.retire) * part);
    }

    /// Whoever dials keeps the context: a reload may put another in its place meanwhile.
    NetResult<std::shared_ptr<TlsContext>> trust() {
        if (endpoint.tls && tls == nullptr) {
            auto made = TlsContext::client(endpoint.ca);
            if (!made) {
                NetFailure failed;
                failed.error = NetError::tls;
                return std::unexpected(failed);
            }
            tls = std::move(*made);
        }
        return tls;
    }

    /// The peer closed it, or said something unasked, while it was idle: it must not linger half
    /// closed until its time is up.
    void drop_dead() {
        std::erase_if(idle,
                      [](const auto& one) { return !one->impl_->stream->idle_and_healthy(); });
        plan();
    }
};

Pool::Pool(Loop& loop, Endpoint endpoint, PoolSettings settings, PoolCounts* counts,
           Resolver* resolver)
    : impl_(std::make_unique<Impl>(loop, std::move(endpoint), settings, counts,
                                   resolver != nullptr ? *resolver : Resolver::shared())) {}

Pool::~Pool() = default;

void Upstreams::Interrupt::raise() {
    raised = true;
    if (connecting != nullptr) {
        connecting->interrupt();
    }
}

std::unique_ptr<Upstream> Pool::take_idle() {
    Impl& pool = *impl_;
    while (!pool.idle.empty()) {
        auto last = std::move(pool.idle.back());
        pool.idle.pop_back();
        if (pool.idle.empty()) {
            pool.plan();
        }
        UpstreamConnection::Impl& kept = *last->impl_;
        kept.stream->unwatch();
        // The watch drops one that its peer has closed or spoken on. A look costs a system call, so
        // it is taken only for one long idle; write() takes one in any case.
        const Instant now = coarse_now();
        const bool fresh_enough = now - kept.idle_since < kTrusted && !kept.stream->interrupted();
        if (now < kept.retire_at && (fresh_enough || kept.stream->idle_and_healthy())) {
            kept.begin_exchange();
            kept.reused = true;
            if (pool.counts != nullptr) {
                pool.counts->idle.fetch_sub(1, std::memory_order_relaxed);
                pool.counts->active.fetch_add(1, std::memory_order_relaxed);
            }
            kept.idle = false;
            return last;
        }
    }
    return nullptr;
}

Task<NetResult<std::unique_ptr<Upstream>>> Pool::acquire(bool fresh, Interrupt& interrupt) {
    auto kept = fresh ? nullptr : take_idle();
    if (kept != nullptr) {
        co_return std::move(kept);
    }
    co_return co_await connect(interrupt);
}

Task<NetResult<std::unique_ptr<Upstream>>> Pool::connect(Interrupt& interrupt) {
    Impl& pool = *impl_;
    const auto tls = pool.trust();
    if (!tls) {
        co_return std::unexpected(tls.error());
    }
    auto stream = co_await dial(pool.loop, pool.endpoint, pool.settings, tls->get(), pool.resolver,
                                interrupt);
    if (!stream) {
        co_return std::unexpected(stream.error());
    }
    auto made = std::make_unique<UpstreamConnection::Impl>();
    made->stream = std::move(*stream);
    made->counts = pool.counts;
    made->max_head = pool.settings.max_head;
    made->retire_at = pool.retirement(coarse_now());
    made->begin_exchange();
    if (pool.counts != nullptr) {
        pool.counts->active.fetch_add(1, std::memory_order_relaxed);
    }
    co_return std::make_unique<UpstreamConnection>(std::move(made));
}

void Pool::release(std::unique_ptr<Upstream> given_back, bool reusable) {
    if (given_back == nullptr) {
        return;
    }
    std::unique_ptr<UpstreamConnection> connection(
        static_cast<UpstreamConnection*>(given_back.release()));
    Impl& pool = *impl_;
    UpstreamConnection::Impl& given = *connection->impl_;
    const Instant now = coarse_now();
    given.stream->clear_deadline();
    if (!reusable || !given.finished() || given.stream->interrupted() || now >= given.retire_at) {
        return;
    }
    given.buffer.drop();
    given.stream->rearm();
    given.idle_since = now;
    given.idle = true;
    if (pool.counts != nullptr) {
        pool.counts->active.fetch_sub(1, std::memory_order_relaxed);
        pool.counts->idle.fetch_add(1, std::memory_order_relaxed);
    }
    constexpr bool kBytesToo = true;
    given.stream->watch([](void* self) { static_cast<Pool::Impl*>(self)->drop_dead(); },
                        impl_.get(), kBytesToo);
    pool.idle.push_back(std::move(connection));
    if (pool.idle.size() == 1) {
        pool.plan();
    }
}

const Endpoint& Pool::endpoint() const {
    return impl_->endpoint;
}

void Pool::renew(const PoolSettings& settings) {
    impl_->settings = settings;
    if (impl_->tls != nullptr && !impl_->tls->trust_is_current()) {
        impl_->tls.reset();
        close_idle();
    }
    impl_->plan();
}

void Pool::close_idle() {
    impl_->idle.clear();
    impl_->plan();
}

}  // namespace weir::net
