// The simulator's own port: what truly happened, and what shall go wrong.
#pragma once

#include "net/server.h"
#include "simulator/ledger.h"

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

/// A fault object or a list of them. `relative: true` in one counts its times from now on;
/// `elapsed`: seconds since start. All of them are good, or none is taken.
Result<std::vector<Fault>> read_faults(std::string_view body, double elapsed);

std::string truth_json(const std::vector<Ledger*>& ledgers);
/// Per Region each call that was accepted or refused, in the order of their times.
std::string history_json(const std::vector<Ledger*>& ledgers);
std::string faults_json(const std::vector<Fault>& faults);

/// GET /truth, /history, /faults, /healthz; POST and DELETE /faults.
net::Task<void> serve_admin(net::Downstream& down, const std::vector<Ledger*>& ledgers);

}  // namespace weir::simulator
