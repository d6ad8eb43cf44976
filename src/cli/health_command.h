// `weir health`: is the gateway on this machine ready? For the health checks of containers.
#pragma once

#include "cli/config_file.h"

#include <weir/config.h>
#include <weir/result.h>

#include <iosfwd>
#include <string>

namespace weir::cli {

struct HealthOptions {
    std::string config;  // weir.yaml; empty: built-in settings
    std::string url;     // of the gateway, instead of what is configured
    std::string timeout = "2s";
};

/// Where to ask: the admin port, or where there is none the first listener. An address that means
/// every interface is asked at loopback.
Result<std::string> health_url(const Config& config);

/// 0 ready; 1 not ready, or nobody answers; 2 wrong use.
int run_health(const HealthOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err);

}  // namespace weir::cli
