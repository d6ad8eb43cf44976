// One new connection to an endpoint: name, address, proxy, TLS.
#pragma once

#include "net/resolver.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/upstream.h"

#include <memory>

namespace weir::net {

/// Addresses are tried in turn from that of number `first`, each with a fair share of the time
/// left. `tls` is null for plain endpoints. The deadline is cleared on the stream that comes back.
Task<NetResult<std::unique_ptr<Stream>>> dial(Loop& loop, const Endpoint& endpoint,
                                              const PoolSettings& settings, TlsContext* tls,
                                              Resolver& resolver, Pool::Interrupt& interrupt,
                                              std::size_t first = 0);

}  // namespace weir::net
