#include "gateway/calls.h"

namespace weir::gateway {

CallId Calls::enter(CallUnderWay& call) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    slots_[slot].call = &call;
    return CallId{worker_, slot, ++slots_[slot].generation};
}

void Calls::leave(CallId id) {
    slots_[id.slot].call = nullptr;
    free_.push_back(id.slot);
}

CallUnderWay* Calls::find(CallId id) const {
    if (id.slot >= slots_.size() || slots_[id.slot].generation != id.generation) {
        return nullptr;
    }
    return slots_[id.slot].call;
}

}  // namespace weir::gateway
