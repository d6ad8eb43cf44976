// Keys of a session that `aws login` began.
#pragma once

#include "aws/source.h"

#include <atomic>
#include <string>

namespace weir::aws {

/// `session`: the profile's login_session. Renews its keys where they near their end, and writes
/// them back.
Fetched login_keys(const std::string& name, const std::string& session, const std::string& region,
                   const Environment& environment, const std::atomic<bool>& stop);

}  // namespace weir::aws
