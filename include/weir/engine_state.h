// What one engine leaves to the next about the use of quotas: plain values, with ages in place of
// times.
#pragma once

#include <weir/time.h>
#include <weir/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace weir {

/// No prompt, answer, key or client is in it. Its size is bounded by the number of quotas.
struct EngineState {
    static constexpr std::size_t kShapes = 15;  ///< of the service's minute, see WindowShapes

    struct Used {
        Duration age{};
        std::uint64_t amount = 0;
    };
    struct Learned {
        std::optional<std::uint64_t> limit;
        std::array<std::uint64_t, 6> peaks{};  ///< the present ten windows first, then those before
        std::uint64_t largest = 0;
        std::uint64_t disputed = 0;
        std::optional<Duration> refused;  ///< how long ago
    };
    struct Meter {
        LimitKind kind = LimitKind::tokens;
        std::vector<Used> used;
        double foreign = 0;
        /// Sliding, bucket, short bucket, then clocks by when they turn: within `slot_age` before
        /// now, in the twelfth of a window before that, and so on. All zero: nothing is known.
        std::array<double, kShapes> shapes{};
        Duration slot_age{};
        std::array<double, 3> debts{};
        double returned = 0;       ///< by a call when it is settled, in the mean
        std::uint32_t beyond = 1;  ///< calls that may go beyond the log at once
        Duration probe_pause{};    ///< between rounds of probes; zero: as at the beginning
        Duration probe_in{};       ///< until the next one
        Learned learned;
    };
    struct Pool {
        std::vector<Target> targets;  ///< that draw on it
        bool throttled = false;       ///< it refused everybody, or did until a moment ago
        std::vector<Meter> meters;
    };

    Duration window{};
    Duration age{};  ///< since it was taken: comes on top of every other age
    /// Use may have gone on for so long afterwards. Zero: nothing was used that is not in here.
    Duration unrecorded = Duration::max();
    std::vector<Pool> pools;
};

}  // namespace weir
