// Constants that what a meter allows and what it learns have in common.
#pragma once

namespace weir::policy {

// In the meter's files:
// "c", "clk", "b60", "b10": the conversation trace of docs/how-weir-decides.md at load 1.0 on a
// sliding window, a clock minute, buckets of 60 and 10 s; "moon": a public trace of long inputs,
// sliding. Means of seeds 21-24; per cent of tokens served, and refusals a success. Foreign use
// "f": the conversation trace at 0.8 with 0.3 from others, seeds 21-28.

// The weight of the shapes that must allow a call. 0.7 to 0.9: the same. 0.95: b60 88.5 instead of
// 96.2; 0.99: b10 88.5 instead of 94.9, because nobody ever finds out what more there is.
inline constexpr double kEnough = 0.9;
// Probes are this part of a window apart, doubling up to two windows: 2 s and 120 s of a minute.
// First 6 s: b60 92.0 instead of 96.2; 1 s: no better. Last 1, 2, 5, 10 windows: the same tokens,
// b10 0.003, 0.001, 0.001, 0.001; two, because a shape that foreign use has led to must be left
// again.
inline constexpr int kFirstProbe = 30;
// What others are thought to use is forgotten with a time constant of this many windows; a refusal
// raises it to what explains it plus kLeastForeign of the limit. Chosen together, f by tokens and
// refusals on a sliding window | a clock minute | a bucket of 60 s. 0.5 and 0.055: 75.5, 0.045 |
// 89.3, 0.021 | 88.2, 0.037; 0.5 and 0.045: 75.8, 0.053 | 89.3, 0.025 | 88.2, 0.044; 0.75 and
// 0.045: 75.0, 0.036 | 87.6, 0.019 | 88.2, 0.033; 0.35 and 0.06: 75.8, 0.059 | 89.9, 0.026 | 88.2,
// 0.047.
inline constexpr double kForeignMemory = 0.5;

}  // namespace weir::policy
