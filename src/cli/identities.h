// Whose keys a configuration signs with: each account in each Region, as the gateway would find
// them.
#pragma once

#include "aws/api.h"
#include "aws/credentials.h"

#include <weir/config.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct Identity {
    std::string account;  // as Target names it
    std::string region;
    RegionConfig settings;  // of that Region
    /// Every source that was looked at, and what came of it; the keys that take on a role first.
    std::vector<aws::SourceReport> tried;
    std::shared_ptr<const aws::Credentials> keys;  // null: none were found
    // As STS has it; empty where it does not know: see why_unknown.
    std::string account_id;
    std::string arn;
    std::string why_unknown;

    /// Signs as this identity. For bedrock and bedrock-runtime, their own endpoint goes along.
    aws::ApiClient client(const AwsConfig& config, const aws::Environment& environment) const;
};

/// The Regions and accounts that `config` names. Blocks until each source has given or failed.
std::vector<Identity> find_identities(const Config& config, const std::atomic<bool>& stop);

/// This process's environment, with the trust that the Region's settings ask for.
aws::Environment environment_for(const RegionConfig& region);

}  // namespace weir::cli
