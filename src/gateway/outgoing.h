// What one attempt sends: the head, signed, and the body, as this place is to have them.
#pragma once

#include "aws/credentials.h"
#include "codec/sigv4.h"
#include "gateway/request.h"
#include "gateway/snapshot.h"

#include <weir/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::gateway {

struct Outgoing {
    std::string head;  // request line and fields, the empty line included
    std::string_view body;
    std::size_t unknown_fields = 0;  // x-weir-* that weir does not know

    std::string changed;  // what `body` is a view of where it is not the request's own
};

/// Where it goes and what it is signed with.
struct Destination {
    const Region& region;
    Service service = Service::runtime;
    const aws::Credentials* keys = nullptr;  // null: there are none
    codec::Signer& signer;                   // of that service
};

/// Fills `out`. False: there are no credentials to sign with. `instance`: weir's own name in Via.
/// `unix_seconds`: wall time, the signature's date. `trace`: fields in the place of the client's,
/// see TraceFields.
bool compose(Outgoing& out, const Request& request, const Grant& grant, const Destination& to,
             std::string_view instance, std::int64_t unix_seconds,
             std::span<const codec::Field> trace = {});

}  // namespace weir::gateway
