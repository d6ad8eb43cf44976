#include "gateway/worker.h"

#include "gateway/aws_regions.h"
#include "gateway/clock.h"

#include <algorithm>

namespace weir::gateway {
namespace {

/// Regions that callers may invent: AWS's own by their form, but none that this release knows.
constexpr std::size_t kMaxUnlisted = 16;
/// Regions that are no longer configured are looked for at most this often.
constexpr Duration kSweepPause = std::chrono::seconds(1);

net::PoolSettings pool_settings(const Config& config) {
    net::PoolSettings s;
    s.connect_timeout = config.timeouts.connect;
    s.idle = config.pool.idle;
    s.keepalive = config.pool.keepalive;
    return s;
}

/// An eighth of the half that is kept for trouble; in ten minutes (150 seconds an eighth) half of
/// it.
double most_of_one(std::size_t requests) {
    return std::max(1.0, static_cast<double>(requests) / 16);
}

}  // namespace

Worker::Worker(net::Loop& l, Shared& s, std::shared_ptr<const Snapshot> first, std::uint64_t seed)
    : loop(l),
      shared(s),
      snapshot(std::move(first)),
      requests(s.conversation_seed),
      calls(l.index()),
      lives(s.explain.memory, s.explain.requests),
      eventful_lives(most_of_one(s.explain.requests), most_of_one(s.explain.requests) / 150),
      random_(seed) {}

Worker::~Worker() = default;

Region* Worker::region(std::string_view name) {
    if (!snapshot->regions.empty()) {
        const auto found = snapshot->regions.find(name);
        return found == snapshot->regions.end() ? nullptr : reach(found->second);
    }
    return undeclared(name);
}

/// The caller's signature may not have been verified, so a name is no proof that its Region is
/// there. Regions of AWS's list always have a place; of other names the least recently used goes.
Region* Worker::undeclared(std::string_view name) {
    if (const auto found = undeclared_.find(name); found != undeclared_.end()) {
        found->second.used = ++uses_;
        return reach(found->second.region);
    }
    if (!is_listed_region(name) && (!looks_like_region(name) || !make_room())) {
        return nullptr;
    }
    const auto made = shared.regions->get(std::string(name), {}, KeysWanted::of(snapshot->config));
    if (!made) {
        return nullptr;
    }
    undeclared_.emplace(name, Undeclared{*made, ++uses_});
    return reach(*made);
}

/// From here on the Region stays for as long as the exchange that asked, whatever is reloaded.
Region* Worker::reach(const std::shared_ptr<Region>& region) {
    const auto [reached, first] = reached_.try_emplace(region.get());
    if (first) {
        reached->second.region = region;
    }
    return region.get();
}

/// Room for one more unlisted name. False: all are in use.
bool Worker::make_room() {
    auto oldest = undeclared_.end();
    std::size_t unlisted = 0;
    for (auto one = undeclared_.begin(); one != undeclared_.end(); ++one) {
        if (is_listed_region(one->first)) {
            continue;
        }
        ++unlisted;
        if (!in_use(*one->second.region) &&
            (oldest == undeclared_.end() || one->second.used < oldest->second.used)) {
            oldest = one;
        }
    }
    if (unlisted < kMaxUnlisted) {
        return true;
    }
    if (oldest == undeclared_.end()) {
        return false;
    }
    reached_.erase(oldest->second.region.get());
    undeclared_.erase(oldest);
    shared.regions->forget_regions();
    return true;
}

bool Worker::in_use(const Region& region) const {
    bool found = false;
    calls.for_each([&](const CallUnderWay& call) { found = found || call.may_use(region); });
    return found;
}

void Worker::take(std::shared_ptr<const Snapshot> next) {
    snapshot = std::move(next);
    undeclared_.clear();
    stale_ = true;
    sweep();
    const auto settings = pool_settings(snapshot->config);
    for (auto& [region, reached] : reached_) {
        for (auto& pool : reached.pools) {
            if (pool != nullptr) {
                pool->renew(settings);
            }
        }
    }
}

/// Lets go of Regions that are not configured and that no call can still be using, with their
/// idle connections.
void Worker::sweep() {
    swept_ = gateway::now();
    stale_ = false;
    std::erase_if(reached_, [&](const auto& entry) {
        const Region& region = *entry.second.region;
        const auto declared = snapshot->regions.find(region.name);
        const auto named = undeclared_.find(region.name);
        if ((declared != snapshot->regions.end() && declared->second.get() == &region) ||
            (named != undeclared_.end() && named->second.region.get() == &region)) {
            return false;
        }
        const bool busy = in_use(region);
        stale_ |= busy;
        return !busy;
    });
}

std::shared_ptr<KeySource> Worker::keys(const Region& region, std::string_view account) const {
    if (account.empty()) {
        return region.keys;
    }
    const auto found = snapshot->accounts.find(account);
    return found == snapshot->accounts.end() ? nullptr : found->second;
}

net::Upstreams& Worker::pool(Region& region, Service service) {
    auto& pool = reached_[&region].pools[static_cast<std::size_t>(service)];
    if (pool == nullptr && shared.reach) {
        pool = shared.reach(region, service);
    } else if (pool == nullptr) {
        pool = std::make_unique<net::Pool>(loop, region.endpoint(service),
                                           pool_settings(snapshot->config), &region.counts);
    }
    return *pool;
}

void Worker::complain(const Region& region, const std::string& why) {
    constexpr Duration kPause = std::chrono::seconds(10);
    const auto reached = reached_.find(&region);
    if (reached == reached_.end() || !shared.log) {
        return;
    }
    auto& last = reached->second.complained;
    const Instant now = gateway::now();
    if (!last || now - *last >= kPause) {
        last = now;
        shared.log(LogLevel::warn, why);
    }
}

void Worker::leave(CallId id) {
    calls.leave(id);
    if (stale_ && gateway::now() - swept_ >= kSweepPause) {
        sweep();
    }
}

void Worker::end_all() {
    calls.for_each([](CallUnderWay& call) { call.drain_end(); });
}

std::string Worker::new_request_id() {
    constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
    std::array<char, 26> text;
    for (std::size_t i = 0; i < text.size();) {
        auto bits = random_();
        for (int k = 0; k < 12 && i < text.size(); ++k, bits >>= 5U) {
            text[i++] = kAlphabet[bits & 31U];
        }
    }
    return {text.data(), text.size()};
}

}  // namespace weir::gateway
