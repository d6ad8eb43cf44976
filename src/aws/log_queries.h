// Queries of CloudWatch Logs Insights over weir's access log and over Bedrock's invocation log.
#pragma once

#include <span>
#include <string_view>

namespace weir::aws {

struct LogQuery {
    std::string_view name;
    std::string_view about;
    std::string_view text;
};

/// Over weir's access log, except those whose name begins with `bedrock-`.
std::span<const LogQuery> log_queries();

}  // namespace weir::aws
