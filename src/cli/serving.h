// What every command that runs a gateway needs: its configuration, its keys.
#pragma once

#include "cli/config_file.h"
#include "gateway/gateway.h"
#include "gateway/process_keys.h"

#include <weir/result.h>

#include <string>

namespace weir::cli {

using gateway::process_variable;

/// Every problem of it, one a line; empty: it is good.
std::string problems(const LoadedConfig& loaded);

void log_warnings(const LoadedConfig& loaded, const LogSink& log);

/// Options with a seed of their own, this log and keys from where the AWS SDKs find them.
gateway::GatewayOptions serving_options(const LogSink& log);

}  // namespace weir::cli
