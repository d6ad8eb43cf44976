// Roles taken on at STS.
#pragma once

#include "aws/api.h"
#include "aws/source.h"

#include <atomic>
#include <optional>
#include <string>

namespace weir::aws {

struct Role {
    std::string arn;
    std::string session_name = {};  // empty: AWS_ROLE_SESSION_NAME, else one with the time
    std::string external_id = {};
    std::optional<int> seconds = {};  // of a session; unset: the service's own, an hour
    std::string region = {};          // whose STS; empty: AWS_REGION, AWS_DEFAULT_REGION
};

/// AssumeRole, signed with `keys`. `source`: the name of what it gives.
Fetched assume_role(const Role& role, const Credentials& keys, const Environment& environment,
                    const std::string& source, const std::atomic<bool>& stop);

/// AssumeRoleWithWebIdentity: an OIDC token in a file, read anew each time, stands for the keys.
Fetched assume_role_with_token(const Role& role, const std::string& token_file,
                               const Environment& environment, const std::string& source,
                               const std::atomic<bool>& stop);

struct Caller {
    std::string account;
    std::string arn;
};
/// GetCallerIdentity.
ApiResult<Caller> caller_of(const ApiClient& client, const std::string& region,
                            const std::atomic<bool>& stop);

}  // namespace weir::aws
