// What AWS says of an account's limits and profiles, joined to what the file says. No I/O.
#pragma once

#include "aws/inference_profiles.h"
#include "aws/quota_reader.h"

#include <weir/config.h>
#include <weir/engine.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// Of one account, by Region.
struct QuotaFindings {
    std::map<std::string, aws::QuotaReading> quotas;
    std::map<std::string, std::vector<aws::InferenceProfile>> profiles;
};

/// By account; "": that of `credentials`.
using FindingsByAccount = std::map<std::string, QuotaFindings>;

/// Why a limit that AWS tells is not put in force. The service applies it all the same, if it is
/// true; 429s will tell.
enum class LimitDoubt : std::uint8_t {
    none,
    zero,
    tiny,          // below anything useful, or a hundredth of AWS's default
    contradicted,  // the service has just accepted twice as much in a minute
    overruled      // the file has a figure or a pool of its own
};

/// One limit that AWS applies to a model in use.
struct FoundLimit {
    std::string region;
    std::string model;
    aws::QuotaKind kind;
    std::uint64_t value = 0;
    std::optional<std::uint64_t> standard;
    std::string code;
    LimitDoubt doubt = LimitDoubt::none;
    std::string account = {};
};

struct WithFindings {
    Config config;
    std::vector<FoundLimit> limits;
};

/// `declared` with the limits and aliases that it does not have itself. A figure of the file wins;
/// a quota that several models share is left as it is; a doubtful limit is not taken, because a
/// control plane must not end traffic that the service accepts.
WithFindings with_findings(const Config& declared, const FindingsByAccount& findings,
                           const Status& status);

/// Targets of routes with a residency whose profile runs elsewhere, by what Bedrock says.
std::vector<std::string> residency_doubts(const Config& config, const FindingsByAccount& findings);

/// The Region, model and account of all targets that are configured or have been used, on
/// bedrock-runtime.
struct PlacedModel {
    std::string region;
    std::string model;
    std::string account = {};  // of `accounts`; empty: that of `credentials`
    auto operator<=>(const PlacedModel&) const = default;
};
std::vector<PlacedModel> models_in_use(const Config& config, const Status& status);

}  // namespace weir::gateway
