// Small text helpers of this layer: trimming, whole-file reading, timestamps.
#pragma once

#include "aws/credentials.h"

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::aws {

std::string_view trim(std::string_view text);
std::string lower(std::string_view text);

/// The whole of a file up to `most` bytes; the error names the path and the reason.
Result<std::string> read_file(const std::string& path, std::size_t most = 1 << 20);

/// `2026-01-02T03:04:05Z`, with an optional fraction, `Z` or an offset such as `+00:00`.
std::optional<WallTime> parse_timestamp(std::string_view text);

/// `2026-01-02T03:04:05Z`
std::string timestamp_of(WallTime at);

/// Seconds since 1970, by this machine's clock.
std::int64_t unix_now();

/// True if the text can stand in an HTTP header as a key or token: visible ASCII only, not empty.
bool is_token_text(std::string_view text);

/// The first line of what somebody else said, shortened, safe to print.
std::string excerpt(std::string_view text, std::size_t most = 200);

}  // namespace weir::aws
