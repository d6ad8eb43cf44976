#include "shared/store.h"

#include "codec/sigv4.h"
#include "shared/clock.h"
#include "shared/health.h"
#include "shared/nodes.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>

namespace weir::shared {

namespace {

constexpr unsigned kMostSends = 6;  // of one call: NOSCRIPT and redirects

/// By which servers know a script.
std::string sha1_hex(std::string_view text) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    ::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha1(), nullptr);
    return codec::to_hex(std::span<const std::uint8_t>(digest).first(size));
}

}  // namespace

struct Store::Impl {
    struct Pending {
        Call call;
        Answered answered;
        Instant made;
        Node* at = nullptr;
        unsigned sends = 0;
        bool whole_script = false;
        bool asking = false;
    };
    struct Early {
        Answered answered;
        StoreFailure failure;
    };
    using Id = std::uint64_t;

    Impl(net::Loop& on, std::string text)
        : loop(on),
          script(std::move(text)),
          sha(sha1_hex(script)),
          patience(on.wheel(), [](void* self) { static_cast<Impl*>(self)->look_soon(); }, this) {}

    net::Loop& loop;
    std::string script;
    std::string sha;
    Counters counters;
    std::unique_ptr<Nodes> nodes;
    std::weak_ptr<Impl> self;
    Id next = 1;
    std::map<Id, Pending> calls;  // the oldest first
    std::vector<Early> early;     // to be told soon
    net::Timer patience;          // of the oldest call
    bool stopped = false;

    void count(const StoreFailure& failure) {
        counters.failed[static_cast<std::size_t>(failure.error)].fetch_add(
            1, std::memory_order_relaxed);
    }

    void fail_soon(Answered answered, StoreFailure failure) {
        early.push_back({std::move(answered), std::move(failure)});
        if (early.size() == 1) {
            loop.post([weak = self] {
                if (const auto store = weak.lock()) {
                    store->tell_early();
                }
            });
        }
    }

    void tell_early() {
        for (Early& one : std::exchange(early, {})) {
            count(one.failure);
            one.answered(std::unexpected(std::move(one.failure)));
        }
    }

    StoreFailure down(const Node* node) const {
        StoreFailure failure;
        failure.error = StoreError::down;
        failure.text = node != nullptr ? std::string_view(node->why().text) : nodes->why();
        return failure;
    }

    void call(Call call, Answered answered) {
        if (stopped) {
            fail_soon(std::move(answered), {StoreError::stopped, "stopped", false});
            return;
        }
        Node* node = nodes->of(call.key);
        if (node == nullptr || !node->up()) {
            fail_soon(std::move(answered), down(node));
            return;
        }
        const Instant now = clock_now();
        if (calls.empty()) {
            patience.set(now + kPatience);
        }
        const Id id = next++;
        Pending& pending =
            calls.emplace(id, Pending{std::move(call), std::move(answered), now}).first->second;
        send(id, pending, *node);
    }

    void send(Id id, Pending& pending, Node& node) {
        pending.at = &node;
        ++pending.sends;
        if (pending.asking) {
            const std::array<std::string_view, 1> asking{"ASKING"};
            node.send(asking, pending.made, [](const auto&) {});
        }
        std::vector<std::string_view> words{"EVALSHA", sha, "1", pending.call.key};
        if (pending.whole_script) {
            node.sends_script = true;
            words[0] = "EVAL";
            words[1] = script;
        }
        words.insert(words.end(), pending.call.args.begin(), pending.call.args.end());
        node.send(words, pending.made, [this, id, &node, whole = pending.whole_script](auto reply) {
            if (whole) {
                node.sends_script = false;
            }
            replied(id, node, std::move(reply));
        });
    }

    void replied(Id id, Node& node, std::expected<Reply, StoreFailure> reply) {
        const auto found = calls.find(id);
        if (found == calls.end()) {
            return;  // its time was up
        }
        Pending& pending = found->second;
        if (!reply || reply->kind != Reply::Kind::error) {
            finish(found, std::move(reply));
            return;
        }
        const std::string& error = reply->text;
        const bool again = pending.sends < kMostSends && node.up();
        if (error.starts_with("NOSCRIPT") && again) {
            // One of those that met it brings the text; the others are run behind it.
            pending.whole_script = !node.sends_script;
            send(id, pending, node);
            return;
        }
        const auto redirect = redirect_of(error, node.place());
        if (redirect && pending.sends < kMostSends) {
            Node* to = nodes->follow(*redirect);
            if (to != nullptr && to->up()) {
                pending.asking = redirect->ask;
                pending.whole_script = false;
                send(id, pending, *to);
                return;
            }
        }
        finish(found, std::unexpected(failure_of(error)));
    }

    void finish(std::map<Id, Pending>::iterator which, std::expected<Reply, StoreFailure> result) {
        const Pending done = std::move(which->second);
        calls.erase(which);
        if (result) {
            const Duration took = clock_now() - done.made;
            counters.answered.fetch_add(1, std::memory_order_relaxed);
            counters.latency_us.fetch_add(
                static_cast<std::uint64_t>(
                    std::chrono::duration_cast<std::chrono::microseconds>(took).count()),
                std::memory_order_relaxed);
            const auto bucket = std::ranges::lower_bound(Counters::kBuckets, took);
            if (bucket != Counters::kBuckets.end()) {
                counters.latency[static_cast<std::size_t>(bucket - Counters::kBuckets.begin())]
                    .fetch_add(1, std::memory_order_relaxed);
            }
        } else {
            count(result.error());
        }
        done.answered(std::move(result));
    }

    /// Replies that have come meanwhile go first: a loop that was held up itself has not lost them.
    void look_soon() {
        loop.post([weak = self] {
            if (const auto store = weak.lock(); store != nullptr && !store->stopped) {
                store->end_late();
            }
        });
    }

    void end_late() {
        const Instant now = clock_now();
        while (!stopped && !calls.empty() && calls.begin()->second.made + kPatience <= now) {
            const auto oldest = calls.begin();
            StoreFailure late{StoreError::timeout, "no answer within 50 ms", false};
            oldest->second.at->failed(late);
            late.may_have_run = true;
            finish(oldest, std::unexpected(std::move(late)));
        }
        if (!calls.empty()) {
            patience.set(calls.begin()->second.made + kPatience);
        }
    }

    void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        patience.clear();
        nodes->stop();
        counters.up.store(false, std::memory_order_relaxed);
        while (!calls.empty()) {
            StoreFailure ended{StoreError::stopped, "stopped", true};
            finish(calls.begin(), std::unexpected(std::move(ended)));
        }
        tell_early();
    }
};

Store::Store(net::Loop& loop, const SharedConfig& config, std::string script, LogSink log,
             net::Resolver* resolver)
    : impl_(std::make_shared<Impl>(loop, std::move(script))) {
    impl_->self = impl_;
    impl_->nodes = make_nodes(config, {loop, impl_->counters, std::move(log),
                                       resolver != nullptr ? *resolver : net::Resolver::shared()});
}

Store::~Store() {
    stop();
}

void Store::call(Call call, Answered answered) {
    impl_->call(std::move(call), std::move(answered));
}

bool Store::up() const {
    return !impl_->stopped && impl_->nodes->up();
}

bool Store::up(std::string_view key) const {
    const Node* node = impl_->stopped ? nullptr : impl_->nodes->of(key);
    return node != nullptr && node->up();
}

std::string_view Store::why() const {
    return impl_->stopped ? "stopped" : impl_->nodes->why();
}

const Counters& Store::counters() const {
    return impl_->counters;
}

void Store::stop() {
    const auto kept = impl_;  // an answer may destroy the store
    kept->stop();
}

}  // namespace weir::shared
