#include "shared/node.h"

#include "net/dial.h"
#include "net/signal.h"
#include "net/tls.h"
#include "shared/clock.h"
#include "shared/connection.h"
#include "shared/health.h"
#include "shared/state_log.h"

#include <array>
#include <chrono>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace weir::shared {

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(1);
constexpr Duration kIdle = std::chrono::seconds(1);  // then a PING
constexpr std::size_t kReadBlock = 16UL << 10;

std::string words_of(const net::NetFailure& failed) {
    switch (failed.error) {
        case net::NetError::closed:
            return "closed by the server";
        case net::NetError::dns:
            return "the name has no address";
        case net::NetError::timeout:
            return "timed out";
        default:
            return failed.code ? failed.code.message() : std::string(to_string(failed.error));
    }
}

}  // namespace

struct Node::Impl {
    Impl(net::Loop& on, NodeSettings with, Counters& counted, LogSink log_to, net::Resolver& names,
         std::function<void()> on_change)
        : loop(on),
          settings(std::move(with)),
          counters(counted),
          log(std::move(log_to)),
          resolver(names),
          changed(std::move(on_change)),
          health(clock_now(), std::random_device()()),
          wake(on),
          pause(
              on.wheel(), [](void* self) { static_cast<Impl*>(self)->wake.notify(); }, this),
          tick(on.wheel(), [](void* self) { static_cast<Impl*>(self)->on_tick(); }, this) {}

    net::Loop& loop;
    NodeSettings settings;
    Counters& counters;
    LogSink log;
    net::Resolver& resolver;
    std::function<void()> changed;
    Health health;
    net::Signal wake;
    net::Timer pause;  // before the next attempt to connect
    net::Timer tick;   // while connected: PINGs and their end
    net::Upstreams::Interrupt dialing;
    std::unique_ptr<net::TlsContext> tls;
    std::shared_ptr<Connection> connection;
    Instant last_read{};
    std::optional<Instant> ping_sent;  // waits for its answer, still in time
    unsigned pings_out = 0;            // without any answer, late ones included
    bool stopped = false;
    bool failed_before = false;
    std::size_t first_address = 0;  // to begin with: a name may stand for the replicas as well
    StateLog state_log;

    // --- what is known of the server

    template <class Change>
    void judge(Instant now, Change change) {
        const bool before = health.up();
        change();
        if (const auto line = state_log.next(health, now)) {
            log(line->level, "shared store " + to_string(settings.place) + " " + line->text);
        }
        plan();
        if (before != health.up() && changed) {
            changed();
        }
    }
    void answered(Instant now, bool script) {
        judge(now, [&] { health.answered(now, script); });
    }
    void failed(Instant now, StoreFailure why) {
        judge(now, [&] { health.failed(now, std::move(why)); });
    }
    void probe_failed(Instant now, StoreFailure why) {
        judge(now, [&] { health.probe_failed(now, std::move(why)); });
    }

    // --- PINGs

    void plan() {
        if (connection == nullptr || connection->closing) {
            tick.clear();
        } else if (ping_sent) {
            tick.set(*ping_sent + kPatience);
        } else {
            tick.set(health.up() ? last_read + kIdle : health.next_probe());
        }
    }

    void on_tick() {
        const Instant now = clock_now();
        if (ping_sent && now >= *ping_sent + kPatience) {
            ping_sent.reset();
            StoreFailure late{StoreError::timeout, "no answer to PING within 50 ms", false};
            const bool half_open = pings_out >= 2;
            if (health.up()) {
                failed(now, late);
            } else {
                probe_failed(now, late);
            }
            if (half_open) {
                late.may_have_run = true;
                connection->end(std::move(late));
            }
        } else if (!ping_sent && now >= (health.up() ? last_read + kIdle : health.next_probe())) {
            ping(now);
        }
        plan();
    }

    void ping(Instant now) {
        ping_sent = now;
        ++pings_out;
        const std::array<std::string_view, 1> words{"PING"};
        put(words, now, false, [this, now](std::expected<Reply, StoreFailure> reply) {
            if (!reply) {
                return;
            }
            pings_out = 0;
            const Instant then = clock_now();
            if (reply->kind == Reply::Kind::error) {
                ping_sent.reset();
                refused_probe(then, failure_of(reply->text));
            } else if (ping_sent == now) {
                ping_sent.reset();
                answered(then, false);
            }
        });
        plan();
    }

    void refused_probe(Instant now, StoreFailure why) {
        why.may_have_run = false;
        probe_failed(now, why);
        if (needs_new_connection(why.error)) {
            connection->end(std::move(why));
        }
    }

    // --- the connection

    void put(std::span<const std::string_view> words, Instant made, bool call, Answered then) {
        append_command(connection->out, words);
        connection->expected.push_back({made, call, std::move(then)});
        connection->to_write.notify();
        counters.commands.fetch_add(1, std::memory_order_relaxed);
    }

    void put_setup(std::span<const std::string_view> words, std::string_view what) {
        put(words, clock_now(), false,
            [this, what = std::string(what)](std::expected<Reply, StoreFailure> reply) {
                if (!reply || reply->kind != Reply::Kind::error) {
                    return;
                }
                StoreFailure why = failure_of(reply->text);
                if (why.error == StoreError::script || why.error == StoreError::permission) {
                    why.error = StoreError::auth;
                }
                // A server that does not know the command repeats its words: not the password.
                const auto echo = why.text.find(", with args");
                why.text = what + " refused: " + why.text.substr(0, echo);
                const Instant now = clock_now();
                probe_failed(now, why);
                connection->end(std::move(why));
            });
    }

    void begin(std::unique_ptr<net::Stream> stream) {
        connection = std::make_shared<Connection>(loop, std::move(stream));
        counters.connections.fetch_add(1, std::memory_order_relaxed);
        last_read = clock_now();
        ping_sent.reset();
        pings_out = 0;
        loop.spawn(write(loop, connection, counters));
        if (!settings.password.empty()) {
            std::vector<std::string_view> words{"AUTH", settings.user, settings.password};
            if (settings.user.empty()) {
                words.erase(words.begin() + 1);
            }
            put_setup(words, "AUTH");
        }
        if (settings.database != 0) {
            const std::string number = std::to_string(settings.database);
            const std::array<std::string_view, 2> words{"SELECT", number};
            put_setup(words, "SELECT " + number);
        }
        ping(clock_now());
    }

    void take(Reply reply) {
        if (connection->expected.empty()) {
            StoreFailure why{StoreError::protocol, "a reply that nobody asked for", true};
            if (reply.kind == Reply::Kind::error) {
                why = failure_of(reply.text);
            }
            connection->end(std::move(why));
            return;
        }
        Expected first = std::move(connection->expected.front());
        connection->expected.pop_front();
        if (first.call) {
            const Instant now = clock_now();
            const bool error = reply.kind == Reply::Kind::error;
            StoreFailure why = error ? failure_of(reply.text) : StoreFailure();
            if (error && concerns_server(why.error)) {
                failed(now, why);
                if (needs_new_connection(why.error)) {
                    connection->end(std::move(why));
                }
            } else if (now - first.made <= kPatience) {
                answered(now, !error);
            }
        }
        first.answered(std::move(reply));
    }

    net::Task<void> read(std::shared_ptr<Connection> from) {
        std::vector<char> block(kReadBlock);
        while (!from->closing) {
            const auto got = co_await from->stream->read_some(block);
            if (!got) {
                from->end(broken(got.error()));
                co_return;
            }
            last_read = clock_now();
            from->reader.feed(std::string_view(block.data(), *got));
            while (!from->closing) {
                auto next = from->reader.next();
                if (!next) {
                    from->end(garbled(next.error()));
                    co_return;
                }
                if (!*next) {
                    break;
                }
                take(std::move(**next));
            }
        }
    }

    static StoreFailure broken(const net::NetFailure& how) {
        return {StoreError::connection, "the connection broke: " + words_of(how), true};
    }
    static StoreFailure garbled(const std::string& how) {
        return {StoreError::protocol, "no reply of a Valkey or Redis: " + printable(how), true};
    }

    /// What was under way on it fails; it is made anew at the next probe.
    void ended() {
        const auto old = std::exchange(connection, nullptr);
        tick.clear();
        ping_sent.reset();
        if (stopped) {
            return;
        }
        if (old->why.error == StoreError::read_only || old->why.error == StoreError::master_down) {
            ++first_address;
        }
        const Instant now = clock_now();
        StoreFailure why = old->why;
        why.may_have_run = false;
        if (health.up()) {
            failed(now, std::move(why));
        } else if (health.next_probe() <= now) {
            probe_failed(now, std::move(why));
        }
        old->why.may_have_run = true;
        for (const Expected& one : std::exchange(old->expected, {})) {
            if (stopped) {
                return;
            }
            one.answered(std::unexpected(old->why));
        }
    }

    net::Task<net::NetResult<std::unique_ptr<net::Stream>>> dial() {
        net::Endpoint endpoint;
        endpoint.tls = settings.tls;
        endpoint.host = settings.place.host;
        endpoint.port = settings.place.port;
        endpoint.tls_name = settings.tls_name;
        net::PoolSettings how;
        how.connect_timeout = kConnectTimeout;
        if (failed_before) {
            resolver.expire(endpoint.host);  // after a failover the name has another address
        }
        co_return co_await net::dial(loop, endpoint, how, tls.get(), resolver, dialing,
                                     first_address);
    }

    /// Empty: it is there, or is not needed.
    std::string make_tls() {
        if (!settings.tls || (tls != nullptr && tls->trust_is_current())) {
            return {};
        }
        auto made = net::TlsContext::client(settings.ca, net::TlsContext::Protocol::none);
        if (!made) {
            return made.error().message;
        }
        tls = std::move(*made);
        return {};
    }

    net::Task<void> until_probe() {
        while (!stopped && clock_now() < health.next_probe()) {
            pause.set(health.next_probe());
            co_await wake.wait();
        }
    }

    static net::Task<void> run(std::shared_ptr<Impl> self) {
        while (!self->stopped) {
            co_await self->until_probe();
            if (self->stopped) {
                break;
            }
            std::string why = self->make_tls();
            if (why.empty()) {
                auto stream = co_await self->dial();
                if (self->stopped) {
                    break;
                }
                if (stream) {
                    self->begin(std::move(*stream));
                    co_await self->read(self->connection);
                    self->ended();
                    self->failed_before = true;
                    continue;
                }
                why = words_of(stream.error());
            }
            self->failed_before = true;
            self->no_connection(why);
        }
    }

    void no_connection(const std::string& why) {
        StoreFailure failure;
        failure.error = StoreError::connection;
        failure.text = "no connection: " + printable(why);
        probe_failed(clock_now(), std::move(failure));
    }
};

Node::Node(net::Loop& loop, NodeSettings settings, Counters& counters, LogSink log,
           net::Resolver& resolver, std::function<void()> changed)
    : impl_(std::make_shared<Impl>(loop, std::move(settings), counters, std::move(log), resolver,
                                   std::move(changed))) {
    loop.spawn(Impl::run(impl_));
}

Node::~Node() {
    stop();
}

const Place& Node::place() const {
    return impl_->settings.place;
}

bool Node::up() const {
    return impl_->health.up();
}

const StoreFailure& Node::why() const {
    return impl_->health.why();
}

void Node::send(std::span<const std::string_view> words, Instant made, Answered answered) {
    impl_->put(words, made, true, std::move(answered));
}

void Node::failed(StoreFailure why) {
    impl_->failed(clock_now(), std::move(why));
}

void Node::stop() {
    Impl& node = *impl_;
    if (node.stopped) {
        return;
    }
    node.stopped = true;
    node.changed = nullptr;
    node.tick.clear();
    node.pause.clear();
    node.dialing.raise();
    node.wake.notify();
    if (node.connection != nullptr) {
        node.connection->expected.clear();
        node.connection->end({StoreError::stopped, "stopped", false});
    }
}

std::string to_string(const Place& place) {
    const bool v6 = place.host.find(':') != std::string::npos;
    return (v6 ? "[" + place.host + "]" : place.host) + ":" + std::to_string(place.port);
}

}  // namespace weir::shared
