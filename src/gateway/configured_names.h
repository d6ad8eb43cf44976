// Names that a configuration brings: of models and clients for metrics, of files to be trusted.
#pragma once

#include "observe/ledger_days.h"

#include <weir/config.h>

#include <string>
#include <vector>

namespace weir::gateway {

/// Models and clients that always have a label of their own in the metrics.
std::vector<std::string> model_labels(const Config& config);
std::vector<std::string> client_labels(const Config& config);

/// What the ledger of costs keeps.
observe::LedgerLimits ledger_limits(const Config& config);

/// Whose certificates upstream connections trust: what each Region's `ca` says; empty: the default.
std::vector<std::string> trusted_files(const Config& config);

/// "a, b, c", for messages.
std::string listed(const std::vector<std::string>& names);

}  // namespace weir::gateway
