// One request to the stand-in, from its first byte to its last.
#pragma once

#include "net/server.h"
#include "simulator/catalogue.h"
#include "simulator/ledger.h"
#include "simulator/pause.h"
#include "simulator/verify.h"

namespace weir::simulator {

/// What an exchange works with; all of it outlives every exchange.
struct Desk {
    Ledger& ledger;
    Catalogue& catalogue;
    Verifier* verifier;  ///< nullptr: signatures are not verified
    Pauses& pauses;
};

/// Reads the request, answers it as Bedrock would, and keeps the books whatever happens.
net::Task<void> serve(net::Downstream& down, Desk desk);

}  // namespace weir::simulator
