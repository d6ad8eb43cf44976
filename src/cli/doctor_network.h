// The way to a Region's endpoint: name, proxy, TLS, and what time it is there.
#pragma once

#include "cli/doctor_checks.h"

namespace weir::cli {

struct NetworkFindings {
    Finding clock;
    Finding proxy;
    Finding dns;
    Finding tls;
    bool reached = false;
};

/// `url`: of bedrock-runtime.
NetworkFindings examine_network(const std::string& url, const RegionConfig& region,
                                const std::atomic<bool>& stop);

}  // namespace weir::cli
