// GET /explain/ID and GET /requests: one worker after the other looks for requests, each on its own
// thread, so that keeping requests needs no lock.
#pragma once

#include "gateway/admin.h"
#include "gateway/worker.h"
#include "observe/life_ring.h"
#include "observe/recent.h"

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::gateway {

struct Inquiry {
    std::string id;
    std::shared_ptr<const Snapshot> snapshot;
    std::int64_t started_unix_ms = 0;  // of the gateway
    observe::Kept kept;                // by those who have looked
    std::function<void(ExplainAnswer)> done;
};

/// Goes on with the worker `next`. `workers` outlive their loops' threads.
void explain(const std::vector<std::unique_ptr<Worker>>& workers, std::size_t next,
             std::unique_ptr<Inquiry> inquiry);

struct Survey {
    observe::RecentRequests requests;
    std::function<void(std::string)> done;  // takes the JSON
};

/// Goes on with the worker `next`. `workers` outlive their loops' threads.
void list_requests(const std::vector<std::unique_ptr<Worker>>& workers, std::size_t next,
                   std::unique_ptr<Survey> survey);

/// The query of GET /requests.
Result<observe::RecentQuery> recent_query(std::string_view target);

/// Regions where the model might be asked for as well: declared, and no target of its route.
std::vector<std::string> other_regions(const Config& config, std::string_view model,
                                       std::string_view home_region);

}  // namespace weir::gateway
