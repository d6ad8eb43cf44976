#include "gateway/response_memory.h"

#include <utility>

namespace weir::gateway {

void ResponseMemory::remember(std::string_view id, Made made) {
    const std::lock_guard lock(mutex_);
    const auto [entry, fresh] = made_.insert_or_assign(std::string(id), std::move(made));
    if (!fresh) {
        return;
    }
    order_.push_back(&entry->first);
    if (order_.size() > kMost) {
        made_.erase(*order_.front());
        order_.pop_front();
    }
}

std::optional<ResponseMemory::Made> ResponseMemory::find(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto found = made_.find(std::string(id));
    return found == made_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace weir::gateway
