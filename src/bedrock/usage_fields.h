// Reading token counts out of JSON, whatever a model family calls them.
#pragma once

#include <weir/types.h>

#include <simdjson.h>

#include <string>
#include <string_view>

namespace weir::bedrock {

/// No answer used more; what claims to is cut to this, so that sums cannot overflow.
inline constexpr std::uint64_t kMaxUsage = 1'000'000'000'000;

/// Takes in the counts of `json` (an answer, or a stream's chunk): its `usage`, its
/// amazon-bedrock-invocationMetrics, or the families' own members at the top; also those of a
/// `message` inside. Counts that are there replace what `usage` had, larger wins. True if it found
/// any.
bool read_usage(simdjson::ondemand::parser& parser, std::string& json, Usage& usage);

}  // namespace weir::bedrock
