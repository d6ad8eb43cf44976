// One request to the stand-in, from its first byte to its last.
#pragma once

#include "net/server.h"
#include "simulator/catalogue.h"
#include "simulator/ledger.h"
#include "simulator/pause.h"
#include "simulator/verify.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace weir::simulator {

/// By access key id: the books of accounts beside the one of `credentials`.
using AccountLedgers = std::map<std::string, std::unique_ptr<Ledger>, std::less<>>;

/// What an exchange works with; all of it outlives every exchange.
struct Desk {
    Ledger* ledger;
    const AccountLedgers& accounts;  ///< take its place for calls with their keys
    Catalogue& catalogue;
    Verifier* verifier;  ///< nullptr: signatures are not verified
    Pauses& pauses;
};

/// Reads the request, answers it as Bedrock would, and keeps the books whatever happens.
net::Task<void> serve(net::Downstream& down, Desk desk);

}  // namespace weir::simulator
