// Lists of pairs as OpenTelemetry's environment variables write them.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::policy {

using OtlpPairs = std::vector<std::pair<std::string, std::string>>;

/// `name=value,name=value`, values percent-encoded: blanks round each part are not theirs. The
/// error names the pair by its number and never shows a value.
Result<OtlpPairs> parse_otlp_pairs(std::string_view text);

/// The same for header fields, whose names and values must be fit for that.
Result<OtlpPairs> parse_otlp_headers(std::string_view text);

}  // namespace weir::policy
