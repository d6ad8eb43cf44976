#include "gateway/gateway_impl.h"
#include "gateway/inquiry.h"

#include <utility>

namespace weir::gateway {

/// For the admin port, once the gateway has started.
decltype(AdminParts::explain) Gateway::Impl::explainer(std::int64_t started_unix_ms) {
    return [this, started_unix_ms](std::string id, std::function<void(ExplainAnswer)> done) {
        auto inquiry = std::make_unique<Inquiry>();
        inquiry->id = std::move(id);
        inquiry->snapshot = in_force.snapshot();
        inquiry->started_unix_ms = started_unix_ms;
        inquiry->done = std::move(done);
        explain(workers, 0, std::move(inquiry));
    };
}

}  // namespace weir::gateway
