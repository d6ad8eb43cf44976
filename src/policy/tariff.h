// The cost of a target's calls, and the quota that they use.
#pragma once

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::policy {

/// The model behind `model`: its alias, else itself.
std::string_view without_alias(const Config& config, std::string_view model);

/// Quota tokens of an answer whose tokens of output count so many each; 0: they do not count.
constexpr std::uint64_t quota_tokens(const Usage& usage, std::uint32_t output_burndown) {
    return usage.input + usage.cache_write + usage.output * output_burndown;
}

/// How the calls of one target are charged.
struct Tariff {
    std::string model;                   ///< what the target's model stands for
    const QuotaConfig* quota = nullptr;  ///< of the configuration; null: it is learned
    /// Input and output have quotas of their own, and neither a burndown: bedrock-mantle, the
    /// reserved tier.
    bool apart = false;
    std::uint32_t burndown = 1;  ///< 1 to 1000
    bool reserve_burndown = false;

    /// Quota tokens that this cost; of input alone where output is apart.
    std::uint64_t cost(const Usage& usage) const;
};

/// `quota` points into `config`.
Tariff tariff_of(const Config& config, const Target& target);

}  // namespace weir::policy
