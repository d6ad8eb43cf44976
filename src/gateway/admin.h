// The admin port: health, metrics, status, reload. No credential, key or prompt is ever shown.
#pragma once

#include "net/server.h"

#include <weir/config.h>
#include <weir/result.h>

#include <functional>
#include <string>

namespace weir::gateway {

/// What the admin port shows and does, as functions, so that it knows nothing of the rest.
struct AdminParts {
    std::function<bool()> ready;
    std::function<std::string()> metrics;
    std::function<std::string()> status;
    std::function<Result<void>()> reload;  // empty: not offered
};

/// Answers one request. `config` decides who may ask: its admin address, key, and what needs no
/// key.
net::Task<void> answer_admin(net::Downstream& downstream, const Config& config,
                             const AdminParts& parts);

/// GET /healthz and /readyz, which both ports answer; false: the path is another.
bool is_health_path(std::string_view target);
net::Task<void> answer_health(net::Downstream& downstream, bool ready);

}  // namespace weir::gateway
