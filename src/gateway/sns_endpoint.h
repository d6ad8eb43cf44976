// POST /sns of the admin port: what SNS delivers to an HTTPS subscription.
#pragma once

#include "gateway/alarm_actions.h"
#include "net/server.h"

#include <memory>

namespace weir::gateway {

/// The signature is what lets a message in: no key is asked for, and any Host is good. Null: no
/// alarm may act.
net::Task<void> answer_sns(net::Downstream& downstream, std::shared_ptr<AlarmActions> actions);

}  // namespace weir::gateway
