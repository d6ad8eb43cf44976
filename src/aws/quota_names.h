// What the names of Service Quotas mean for Bedrock models. Service Quotas has no other key: codes
// differ per model, and new ones appear with each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::aws {

/// Which ids of a model a quota is for.
enum class QuotaScope : std::uint8_t {
    on_demand,     // the bare id
    cross_region,  // geographic inference profiles: us., eu., apac., ...
    global,        // the global. profile
    regional       // the bare id and geographic profiles together
};
enum class QuotaKind : std::uint8_t { requests_per_minute, tokens_per_minute, tokens_per_day };

std::string_view to_string(QuotaScope scope);  // "on-demand", "cross-Region", ...
std::string_view to_string(QuotaKind kind);    // "requests per minute", ...

struct QuotaName {
    QuotaScope scope = QuotaScope::on_demand;
    QuotaKind kind = QuotaKind::tokens_per_minute;
    std::string model;          // as written: "Anthropic Claude Sonnet 4.5 V1"
    bool long_context = false;  // the 1M-context variant: a quota of its own
    bool doubled = false;       // counts twice for cross-Region calls
};

/// nullopt: not a quota of one model's inference by requests or tokens.
std::optional<QuotaName> parse_quota_name(std::string_view name);

/// Does a quota's model name mean this id (without geographic prefix)? All parts must agree:
/// "Claude Sonnet 4" is not claude-sonnet-4-5, "V2" is not -v1:0.
bool names_model(std::string_view quota_model, std::string_view base_id);

/// Is this the quota of calls to `model_id` (with its geographic prefix)? Not for 1M context.
bool covers(const QuotaName& name, std::string_view model_id);

/// The known ids, without geographic prefix, that a quota's model name means.
std::vector<std::string_view> known_models(std::string_view quota_model);

}  // namespace weir::aws
