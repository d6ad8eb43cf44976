// What other instances have said to an SDK whose next try comes to this one.
#pragma once

#include "net/loop.h"
#include "shared/refusals.h"

#include <weir/engine.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace weir::gateway {

/// For workers, whose loops the store is not on. Outlives them.
class OtherInstances {
public:
    /// `refusals` is on `loop`.
    OtherInstances(net::Loop& loop, shared::Refusals& refusals)
        : loop_(loop), refusals_(refusals) {}

    void tell(std::string client, std::string invocation, PastRefusal past) {
        loop_.post([this, client = std::move(client), invocation = std::move(invocation),
                    past = std::move(past)] { refusals_.put(client, invocation, past); });
    }

    /// `found` runs on `asker`'s loop, once, after 55 ms at the latest.
    void ask(net::Loop& asker, std::string client, std::string invocation,
             shared::Refusals::Found found) {
        loop_.post([this, &asker, client = std::move(client), invocation = std::move(invocation),
                    found = std::move(found)] {
            refusals_.find(client, invocation, [&asker, found](std::optional<PastRefusal> past) {
                asker.post([found, past = std::move(past)] { found(past); });
            });
        });
    }

private:
    net::Loop& loop_;
    shared::Refusals& refusals_;
};

}  // namespace weir::gateway
