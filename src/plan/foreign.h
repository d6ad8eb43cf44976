// Another program on the same quota, which weir knows nothing of.
#pragma once

#include "plan/event_queue.h"
#include "plan/random.h"
#include "plan/window.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace weir::plan {

/// How large the other program's calls are: as those of the trace.
struct ForeignSizes {
    double mean_input = 1000;
    double mean_output = 200;
    std::uint64_t max_tokens = 4096;
};

struct ForeignReport {
    std::uint64_t calls = 0;
    std::uint64_t served = 0;
    std::uint64_t refusals = 0;
    std::uint64_t settled = 0;  ///< tokens
    std::uint64_t asked = 0;    ///< tokens that all its calls would have settled
};

/// Calls in bursts (calm at half the mean rate, bursts at two and a half times it), retried as the
/// AWS article's loop retries. Its arrivals and sizes depend on the seed alone.
class Foreign {
public:
    /// What it asks of the pool that it shares.
    struct Pool {
        std::function<bool(std::int64_t reserve, Duration now, Window::Charge& charge)> ask;
        std::function<void(const Window::Charge& charge, std::int64_t actual, Duration now)> settle;
    };

    /// `tokens_per_minute`: the mean of what its calls would settle.
    Foreign(double tokens_per_minute, std::uint32_t burndown, const ForeignSizes& sizes,
            Duration first_token, double tokens_per_second, Duration until, std::uint64_t seed);

    /// Everything it does up to and including `now`.
    void run(Duration now, const Pool& pool);

    const ForeignReport& report() const { return report_; }

private:
    struct Call {
        std::int64_t input = 0;
        std::int64_t output = 0;
        int attempt = 0;
        Window::Charge charge;
    };

    void arrive(Duration now);
    void schedule_arrival(Duration after);

    std::uint32_t burndown_;
    ForeignSizes sizes_;
    Duration first_token_;
    double tokens_per_second_;
    Duration until_;
    Random arrivals_;
    Random retries_;
    double calls_per_second_;
    bool burst_ = false;
    double phase_ends_ = 0;
    EventQueue events_;
    std::vector<Call> calls_;
    std::vector<std::uint32_t> free_;
    ForeignReport report_;
};

}  // namespace weir::plan
