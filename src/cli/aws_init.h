// The first configuration for an account: Regions, models and limits as AWS tells them. No I/O.
#pragma once

#include "aws/inference_profiles.h"
#include "aws/quota_reader.h"

#include <weir/config.h>

#include <map>
#include <string>
#include <vector>

namespace weir::cli {

/// What one Region of the account has.
struct RegionFound {
    aws::QuotaReading quotas;
    std::vector<aws::InferenceProfile> profiles;
    std::vector<std::string> used;  // ids of models, lately
    std::string problem;            // why it is not asked any further; empty: it is known
};

struct AccountFound {
    std::string account;  // its number; empty: unknown
    std::string home;     // the Region of unsigned calls
    std::map<std::string, RegionFound> regions;
    std::vector<std::string> asked;  // models that are wanted; empty: those in use
    Config settings;                 // whose credentials and endpoints are kept
    std::string date;
};

struct InitTarget {
    std::string region;
    std::optional<std::uint64_t> tokens_per_minute;  // applied; unset: AWS lists none
    std::optional<std::uint64_t> requests_per_minute;
};
struct InitRoute {
    std::string model;
    std::vector<InitTarget> targets;       // home first, then by quota
    std::vector<std::string> not_granted;  // Regions whose applied quota is 0
};

/// A route for each model that is wanted, in use, or failing both, for the few with the largest
/// quota.
std::vector<InitRoute> init_routes(const AccountFound& found);

/// A weir.yaml to review.
std::string init_yaml(const AccountFound& found, const std::vector<InitRoute>& routes);

/// Regions besides `home` to look into: where its geographic profiles run.
std::vector<std::string> neighbours(const std::string& home,
                                    const std::vector<aws::InferenceProfile>& profiles);

}  // namespace weir::cli
