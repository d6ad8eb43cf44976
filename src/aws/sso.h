// Keys for an IAM Identity Center (SSO) session, which `aws sso login` began.
#pragma once

#include "aws/profiles.h"
#include "aws/source.h"

#include <atomic>
#include <string>

namespace weir::aws {

/// Renews the session's token where it nears its end, and writes it back.
Fetched sso_keys(const std::string& name, const Profile& profile, const Profiles& profiles,
                 const Environment& environment, const std::atomic<bool>& stop);

}  // namespace weir::aws
