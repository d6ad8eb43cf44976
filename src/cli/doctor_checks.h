// The ten things that go wrong first, each tried for real.
#pragma once

#include "cli/identities.h"

#include <weir/config.h>

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// unknown: it could not be tried, or was not allowed.
enum class Verdict : std::uint8_t { good, bad, unknown };
std::string_view to_string(Verdict verdict);

struct Finding {
    std::string check;
    Verdict verdict = Verdict::good;
    std::string result;
    std::string remedy = {};  // set where it is bad or unknown
};

/// In a fixed order, one for each check. `models`: that this identity is to call.
std::vector<Finding> examine(const Identity& identity, const std::vector<std::string>& models,
                             const Config& config, const std::atomic<bool>& stop);

}  // namespace weir::cli
