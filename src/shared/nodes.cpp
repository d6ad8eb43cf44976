#include "shared/nodes.h"

#include "policy/store_url.h"
#include "shared/cluster.h"

#include <string>
#include <utility>

namespace weir::shared {

namespace {

class OneServer final : public Nodes {
public:
    OneServer(NodeSettings settings, const NodesParts& parts)
        : counters_(parts.counters),
          node_(parts.loop, std::move(settings), parts.counters, parts.log, parts.resolver,
                [this] { counters_.up.store(node_.up(), std::memory_order_relaxed); }) {}

    Node* of(std::string_view /*key*/) override { return &node_; }
    Node* follow(const Redirect& /*redirect*/) override {
        node_.failed({StoreError::redirect,
                      "the server runs in cluster mode; set `cluster: true` under `shared`",
                      false});
        return nullptr;
    }
    bool up() const override { return node_.up(); }
    std::string_view why() const override {
        return node_.up() ? std::string_view() : std::string_view(node_.why().text);
    }
    void stop() override { node_.stop(); }

private:
    Counters& counters_;
    Node node_;
};

}  // namespace

std::unique_ptr<Nodes> make_nodes(const SharedConfig& config, const NodesParts& parts) {
    const policy::StoreUrl url = policy::parse_store_url(config.url).value();
    NodeSettings settings{.place = {.host = url.host, .port = url.port},
                          .tls = url.tls,
                          .tls_name = {},
                          .ca = config.ca,
                          .user = url.user,
                          .password = url.password,
                          .database = url.database};
    if (config.cluster) {
        return std::make_unique<Cluster>(std::move(settings), parts);
    }
    return std::make_unique<OneServer>(std::move(settings), parts);
}

}  // namespace weir::shared
