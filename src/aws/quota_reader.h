// The limits that Service Quotas lists for Bedrock in one Region.
#pragma once

#include "aws/api.h"
#include "aws/quota_names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::aws {

struct QuotaLine {
    QuotaName name;
    std::string full_name;
    std::string code;
    std::optional<std::uint64_t> applied;   // unset: the list of defaults alone has it
    std::optional<std::uint64_t> standard;  // AWS's default
    bool adjustable = false;

    /// What the account may use.
    std::optional<std::uint64_t> value() const { return applied ? applied : standard; }
};

struct QuotaReading {
    std::string region;
    std::vector<QuotaLine> lines;
    std::optional<ApiError> no_defaults;  // why AWS's defaults are not known
};

/// Every quota of one model's inference. Blocks for as long as its pages take. Figures that cannot
/// be a limit are left out; what follows too many pages is, too.
ApiResult<QuotaReading> read_quotas(const ApiClient& api, const std::string& region,
                                    const std::atomic<bool>& stop);

/// The line that limits calls to this id, by kind; null: none. Where several do, the line of the
/// id's own scope, then the lower one.
struct ModelQuotas {
    const QuotaLine* requests_per_minute = nullptr;
    const QuotaLine* tokens_per_minute = nullptr;
    const QuotaLine* tokens_per_day = nullptr;
};
ModelQuotas quotas_of(const QuotaReading& reading, std::string_view model_id);

/// 2: the line is doubled for calls to this id, which is a cross-Region profile's.
std::uint64_t multiple_of(const QuotaLine& line, std::string_view model_id);

/// What the line allows calls to this id.
std::optional<std::uint64_t> limit_of(const QuotaLine* line, std::string_view model_id);

}  // namespace weir::aws
