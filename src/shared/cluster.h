// Cluster mode: the primaries that have the slots, found out from one of them.
#pragma once

#include "shared/nodes.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::shared {

/// One connection a primary, and one to the server of the URL, which is kept to find the others
/// again. The map is read at the start, after each MOVED, and four times a second while a server
/// that has slots is down, from one server that is up after the other.
class Cluster final : public Nodes {
public:
    Cluster(NodeSettings seed, const NodesParts& parts);

    Node* of(std::string_view key) override;
    Node* follow(const Redirect& redirect) override;
    bool up() const override;
    std::string_view why() const override;
    void stop() override;

private:
    struct Server {
        std::unique_ptr<Node> node;
        bool owns = false;        // slots, by the last map
        Instant without_since{};  // while it owns none
    };

    Node& connect(const Place& place);
    void changed();
    void on_tick();
    void ask();
    void learn(const Reply& reply, const Place& from);
    void take(const SlotMap& map);
    void drop_unused(Instant now);

    NodesParts parts_;
    NodeSettings seed_;
    std::map<Place, Server> servers_;
    std::vector<Node*> owner_ = std::vector<Node*>(kSlots, nullptr);
    unsigned unserved_ = kSlots;  // slots
    bool outdated_ = true;        // the map
    bool stopped_ = false;
    Instant asked_at_{};
    Place asked_;          // the last one
    std::string problem_;  // with the last answer
    mutable std::string why_;
    net::Timer tick_;
};

}  // namespace weir::shared
