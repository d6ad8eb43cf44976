#include "plan/scenario.h"

#include <algorithm>

namespace weir::plan {

Latency latency_of(const ServiceSetup& service, const TraceCall& call, std::uint64_t output) {
    if (call.whole <= Duration::zero()) {
        return {service.first_token,
                service.first_token +
                    from_seconds(static_cast<double>(output) / service.tokens_per_second)};
    }
    const Duration first =
        call.first > Duration::zero() ? call.first : std::min(call.whole, service.first_token);
    if (output >= call.output) {
        return {first, call.whole};
    }
    const double share = static_cast<double>(output) / static_cast<double>(call.output);
    return {first, first + from_seconds(to_seconds(call.whole - first) * share)};
}

}  // namespace weir::plan
