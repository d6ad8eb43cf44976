// What many tests take as given: the models that clients ask for, and the time.
#pragma once

#include <weir/time.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace weir {

inline const std::string kSonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
inline const std::string kHaiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
inline const std::string kOpus = "us.anthropic.claude-opus-4-7";
inline const std::string kPlainOpus = "anthropic.claude-opus-4-7";

inline constexpr std::int64_t kNow = 1'796'040'000;  // 2026-11-30 12:00 UTC
inline constexpr Instant kStart = Instant{} + std::chrono::seconds(1000);

}  // namespace weir
