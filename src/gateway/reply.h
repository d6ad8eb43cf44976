// The client's end of one request: what weir itself says there, and what came of it.
#pragma once

#include "gateway/answer.h"
#include "gateway/record.h"
#include "gateway/stop.h"
#include "net/server.h"

#include <string>
#include <string_view>

namespace weir::gateway {

struct Request;

/// Writes what was said into the record.
class Reply {
public:
    Reply(net::Downstream& client, const Request& request, const Stop& stop, Record& record)
        : client_(client), request_(request), stop_(stop), record_(record) {}

    /// In the client's dialect; where its stream has begun, as the end of that.
    net::Task<void> error(ErrorAnswer error);
    /// An error of the service, as it came.
    net::Task<void> as_it_came(const KeptAnswer& kept);
    /// A good answer. `fields`: those that go on to the client.
    net::Task<void> good(int status, std::string fields, std::string_view body);
    /// The client did not take what was sent.
    void not_taken(const net::NetFailure& failure);
    /// The client left, or the drain ended it: nobody is left to be told.
    void nobody_left();
    /// Weir has ended an answer under way.
    void cut(const ErrorAnswer& why);

private:
    net::Task<void> send(int status, std::string_view fields, std::string_view body);
    net::Task<void> end_stream(const ErrorAnswer& error);
    void note(const ErrorAnswer& error);

    net::Downstream& client_;
    const Request& request_;
    const Stop& stop_;
    Record& record_;
};

}  // namespace weir::gateway
