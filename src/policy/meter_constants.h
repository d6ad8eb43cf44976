// Constants that meter.cpp and meter_answers.cpp share. Values that were tried: docs/tuning.md.
#pragma once

#include <cstdint>

namespace weir::policy {

// The weight of the shapes that must allow a call.
inline constexpr double kEnough = 0.9;
// Probes are this part of a window apart at first, doubling up to two windows: 2 s and 120 s of a
// minute.
inline constexpr int kFirstProbe = 30;
inline constexpr int kLastProbe = 2;
// Calls that go beyond the log at once.
inline constexpr std::uint32_t kMostBeyond = 1U << 20;
// The estimate of foreign use decays with a time constant of this many windows. A refusal raises it
// to what explains the refusal, plus kLeastForeign of the limit.
inline constexpr double kForeignMemory = 0.5;

}  // namespace weir::policy
