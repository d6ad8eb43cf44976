// One server and the connection to it, which is made again whenever it ends.
#pragma once

#include "net/loop.h"
#include "net/resolver.h"
#include "shared/counters.h"
#include "shared/failure.h"
#include "shared/resp.h"
#include "shared/slots.h"

#include <weir/types.h>

#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weir::shared {

struct NodeSettings {
    Place place;
    bool tls = false;
    std::string tls_name;  // what its certificate must carry; empty: the host
    std::string ca;
    std::string user;
    std::string password;  // empty: no AUTH
    std::uint32_t database = 0;
};

/// Replies come in the order of the commands, so that a late one is dropped and never taken for
/// another's. On its loop's thread, construction and stop() after the loop's end excepted.
class Node {
public:
    using Answered = std::function<void(std::expected<Reply, StoreFailure>)>;

    /// `changed`: it has gone up or down. The references must outlive stop().
    Node(net::Loop& loop, NodeSettings settings, Counters& counters, LogSink log,
         net::Resolver& resolver, std::function<void()> changed);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    const Place& place() const;
    bool up() const;
    const StoreFailure& why() const;  // it is down, or was last

    /// While it is up. All commands of one turn of the loop go out in one write. `made`: when the
    /// caller began to wait, which decides if the reply is in time. `answered` is called once, also
    /// if the connection ends; after stop() it is not.
    void send(std::span<const std::string_view> words, Instant made, Answered answered);
    /// What send() cannot know: the caller's patience is over, or the reply made no sense.
    void failed(StoreFailure why);
    void stop();

    bool sends_script = false;  // an EVAL is under way, after which EVALSHA is known

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

std::string to_string(const Place& place);

}  // namespace weir::shared
