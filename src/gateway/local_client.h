// A request of this process: it comes over no connection, and takes the path of every other.
#pragma once

#include "gateway/record.h"
#include "net/server.h"

#include <memory>

namespace weir::gateway {

class Worker;

/// The client's end of such a request. On the loop's thread.
class LocalClient : public net::Downstream {
public:
    /// The request has ended, so.
    virtual void learn(const Record& record) = 0;
    /// Nothing of it is held any more: the last that it hears.
    virtual void over() = 0;
};

/// Serves one, on the worker that has `client->loop()`.
net::Task<void> serve_local(Worker& worker, std::shared_ptr<LocalClient> client);

}  // namespace weir::gateway
