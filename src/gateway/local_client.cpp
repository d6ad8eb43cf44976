#include "gateway/local_client.h"

#include "gateway/exchange.h"

namespace weir::gateway {

net::Task<void> serve_local(Worker& worker, std::shared_ptr<LocalClient> client) {
    {
        Exchange exchange(worker, *client);
        co_await exchange.run();
        client->learn(exchange.record());
    }
    client->over();
}

}  // namespace weir::gateway
