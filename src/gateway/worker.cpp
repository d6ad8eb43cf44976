#include "gateway/worker.h"

#include "gateway/exchange.h"

namespace weir::gateway {
namespace {

constexpr std::size_t kMaxUndeclared = 64;

net::PoolSettings pool_settings(const Config& config) {
    net::PoolSettings s;
    s.connect_timeout = config.timeouts.connect;
    s.idle = config.pool.idle;
    s.keepalive = config.pool.keepalive;
    return s;
}

}  // namespace

Worker::Worker(net::Loop& l, Shared& s, std::shared_ptr<const Snapshot> first, std::uint64_t seed)
    : loop(l),
      shared(s),
      snapshot(std::move(first)),
      requests(s.conversation_seed),
      random_(seed) {}

Worker::~Worker() = default;

Region* Worker::region(std::string_view name) {
    if (!snapshot->regions.empty()) {
        const auto found = snapshot->regions.find(name);
        return found == snapshot->regions.end() ? nullptr : found->second;
    }
    if (const auto found = undeclared_.find(name); found != undeclared_.end()) {
        return found->second;
    }
    if (!looks_like_region(name) || undeclared_.size() >= kMaxUndeclared) {
        return nullptr;
    }
    const auto made = shared.regions->get(std::string(name), {}, snapshot->config.credentials);
    if (!made) {
        return nullptr;
    }
    undeclared_.emplace(name, *made);
    return *made;
}

void Worker::take(std::shared_ptr<const Snapshot> next) {
    snapshot = std::move(next);
    const auto settings = pool_settings(snapshot->config);
    for (auto& [region, services] : pools_) {
        for (auto& pool : services) {
            if (pool != nullptr) {
                pool->renew(settings);
            }
        }
    }
}

net::Pool& Worker::pool(Region& region, Service service) {
    auto& pool = pools_[&region][static_cast<std::size_t>(service)];
    if (pool == nullptr) {
        pool = std::make_unique<net::Pool>(loop, region.endpoint(service),
                                           pool_settings(snapshot->config), &region.counts);
    }
    return *pool;
}

void Worker::complain(const Region& region, const std::string& why) {
    constexpr Duration kPause = std::chrono::seconds(10);
    const auto now = std::chrono::steady_clock::now();
    const auto [last, first] = complained_.try_emplace(&region, now);
    if ((first || now - last->second >= kPause) && shared.log) {
        last->second = now;
        shared.log(LogLevel::warn, why);
    }
}

CallId Worker::enter(Exchange& exchange) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    slots_[slot].exchange = &exchange;
    return CallId{loop.index(), slot, ++slots_[slot].generation};
}

void Worker::leave(CallId id) {
    slots_[id.slot].exchange = nullptr;
    free_.push_back(id.slot);
}

Exchange* Worker::find(CallId id) {
    if (id.slot >= slots_.size() || slots_[id.slot].generation != id.generation) {
        return nullptr;
    }
    return slots_[id.slot].exchange;
}

void Worker::end_all() {
    for (const auto& slot : slots_) {
        if (slot.exchange != nullptr) {
            slot.exchange->drain_end();
        }
    }
}

void Worker::settle_soon(CallId id) {
    if (unsettled_.empty()) {
        loop.post([this] {
            for (const CallId one : unsettled_) {
                if (Exchange* exchange = find(one)) {
                    exchange->settle_whole();
                }
            }
            unsettled_.clear();
        });
    }
    unsettled_.push_back(id);
}

void Texts::clear() {
    constexpr std::size_t kKept = 4096;
    for (std::string* text :
         {&body, &upstream_head, &head_bytes, &fields, &answer_body, &request_id,
          &upstream_request_id, &target_region, &target_model, &access_line}) {
        if (text->capacity() > kKept) {
            std::string().swap(*text);
        }
        text->clear();
    }
    head.clear();
}

std::unique_ptr<Texts> Worker::take_texts() {
    if (texts_.empty()) {
        return std::make_unique<Texts>();
    }
    auto texts = std::move(texts_.back());
    texts_.pop_back();
    return texts;
}

void Worker::give_back(std::unique_ptr<Texts> texts) {
    constexpr std::size_t kSpare = 64;
    if (texts_.size() < kSpare) {
        texts->clear();
        texts_.push_back(std::move(texts));
    }
}

void Worker::new_request_id(std::string& id) {
    constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
    std::array<char, 26> text;
    for (std::size_t i = 0; i < text.size();) {
        auto bits = random_();
        for (int k = 0; k < 12 && i < text.size(); ++k, bits >>= 5U) {
            text[i++] = kAlphabet[bits & 31U];
        }
    }
    id.assign(text.data(), text.size());
}

}  // namespace weir::gateway
