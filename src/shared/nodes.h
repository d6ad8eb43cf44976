// The servers of the store, and which of them has a key.
#pragma once

#include "shared/node.h"

#include <weir/config.h>

#include <memory>
#include <string_view>

namespace weir::shared {

/// One server, or a cluster's primaries. As thread-bound as Node.
class Nodes {
public:
    virtual ~Nodes() = default;

    /// The server to ask for the key, up or not; null: none is known.
    virtual Node* of(std::string_view key) = 0;
    /// Where a redirect leads, taking note of it; null: to a server that is not connected yet.
    virtual Node* follow(const Redirect& redirect) = 0;
    /// Every server that has keys is up; why(): the reason of one that is not.
    virtual bool up() const = 0;
    virtual std::string_view why() const = 0;
    virtual void stop() = 0;
};

struct NodesParts {
    net::Loop& loop;
    Counters& counters;
    LogSink log;
    net::Resolver& resolver;
};

/// By the configuration, which validate() has found good. The references must outlive stop().
std::unique_ptr<Nodes> make_nodes(const SharedConfig& config, const NodesParts& parts);

}  // namespace weir::shared
