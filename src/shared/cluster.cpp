#include "shared/cluster.h"

#include "net/address.h"
#include "shared/clock.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace weir::shared {

namespace {

constexpr Duration kTick = std::chrono::milliseconds(250);
constexpr Duration kBetweenMaps = std::chrono::milliseconds(100);
constexpr Duration kKept = std::chrono::seconds(5);  // a server without slots

}  // namespace

Cluster::Cluster(NodeSettings seed, const NodesParts& parts)
    : parts_(parts),
      seed_(std::move(seed)),
      tick_(parts.loop.wheel(), [](void* self) { static_cast<Cluster*>(self)->on_tick(); }, this) {
    connect(seed_.place);
}

Node* Cluster::of(std::string_view key) {
    return owner_[slot_of(key)];
}

Node* Cluster::follow(const Redirect& redirect) {
    if (servers_.size() >= SlotMap::kMostPlaces && !servers_.contains(redirect.to)) {
        return nullptr;
    }
    Node& to = connect(redirect.to);
    if (!redirect.ask) {
        Node*& owner = owner_[redirect.slot];
        unserved_ -= owner == nullptr ? 1 : 0;
        owner = &to;
        servers_[redirect.to].owns = true;
        outdated_ = true;
        ask();
    }
    return &to;
}

bool Cluster::up() const {
    return unserved_ == 0 && std::ranges::all_of(servers_, [](const auto& entry) {
               return !entry.second.owns || entry.second.node->up();
           });
}

std::string_view Cluster::why() const {
    why_.clear();
    if (unserved_ == kSlots) {
        const Node& seed = *servers_.at(seed_.place).node;
        why_ = !seed.up()         ? seed.why().text
               : problem_.empty() ? "the cluster's slots are not known yet"
                                  : problem_;
        return why_;
    }
    for (const auto& [place, server] : servers_) {
        if (server.owns && !server.node->up()) {
            why_ = to_string(place) + ": " + server.node->why().text;
            return why_;
        }
    }
    if (unserved_ > 0) {
        why_ = "no server has " + std::to_string(unserved_) + " of the cluster's slots";
    }
    return why_;
}

void Cluster::stop() {
    stopped_ = true;
    tick_.clear();
    for (const auto& [place, server] : servers_) {
        server.node->stop();
    }
}

Node& Cluster::connect(const Place& place) {
    Server& server = servers_[place];
    if (server.node == nullptr) {
        NodeSettings settings = seed_;
        settings.place = place;
        // An address is in few certificates; the name by which the cluster is known is in all.
        if (net::Address::parse(place.host) && !net::Address::parse(seed_.place.host)) {
            settings.tls_name = seed_.place.host;
        }
        server.without_since = clock_now();
        server.node = std::make_unique<Node>(parts_.loop, std::move(settings), parts_.counters,
                                             parts_.log, parts_.resolver, [this] { changed(); });
    }
    return *server.node;
}

void Cluster::changed() {
    parts_.counters.up.store(up(), std::memory_order_relaxed);
    if (!tick_.armed()) {
        tick_.set_after(kTick);
    }
    if (outdated_) {
        ask();
    }
}

void Cluster::on_tick() {
    drop_unused(clock_now());
    if (outdated_ || !up()) {
        ask();
    }
    tick_.set_after(kTick);
}

/// The next server in turn that is up.
void Cluster::ask() {
    const Instant now = clock_now();
    if (now - asked_at_ < kBetweenMaps) {
        return;  // the tick asks
    }
    auto next = servers_.upper_bound(asked_);
    for (std::size_t i = 0; i < servers_.size(); ++i, ++next) {
        if (next == servers_.end()) {
            next = servers_.begin();
        }
        Node& node = *next->second.node;
        if (node.up()) {
            asked_at_ = now;
            asked_ = next->first;
            constexpr std::array<std::string_view, 2> kWords{"CLUSTER", "SLOTS"};
            node.send(kWords, now, [this, from = asked_](const auto& reply) {
                if (reply && !stopped_) {
                    learn(*reply, from);
                }
            });
            return;
        }
    }
}

void Cluster::learn(const Reply& reply, const Place& from) {
    const auto map = SlotMap::from(reply, from, seed_.tls);
    if (!map) {
        problem_ = "no map of the cluster from " + to_string(from) + ": " +
                   (reply.kind == Reply::Kind::error ? printable(reply.text) : "an odd answer");
    } else if (map->places.empty()) {
        problem_ = to_string(from) + " knows of no server that has slots";
    } else {
        problem_.clear();
        take(*map);
    }
    parts_.counters.up.store(up(), std::memory_order_relaxed);
}

void Cluster::take(const SlotMap& map) {
    const Instant now = clock_now();
    std::vector<Node*> nodes;
    for (const Place& place : map.places) {
        nodes.push_back(&connect(place));
    }
    for (auto& [place, server] : servers_) {
        const bool owns = std::ranges::find(nodes, server.node.get()) != nodes.end();
        if (server.owns && !owns) {
            server.without_since = now;
        }
        server.owns = owns;
    }
    unserved_ = 0;
    for (unsigned slot = 0; slot < kSlots; ++slot) {
        const std::uint16_t owner = map.owner[slot];
        owner_[slot] = owner == SlotMap::kNobody ? nullptr : nodes[owner];
        unserved_ += owner == SlotMap::kNobody ? 1 : 0;
    }
    outdated_ = false;
}

/// Calls that such a server was sent have long had their answer.
void Cluster::drop_unused(Instant now) {
    std::erase_if(servers_, [&](const auto& entry) {
        return !entry.second.owns && entry.first != seed_.place &&
               now - entry.second.without_since > kKept;
    });
}

}  // namespace weir::shared
