// What happens next, on virtual time.
#pragma once

#include <weir/time.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weir::plan {

/// A gateway's timer fires a little after the time it was set to, never before.
inline constexpr Duration kTimerLate = std::chrono::microseconds(1);

/// Something that happens to the call in `slot`; `kind` is the owner's own enumeration.
struct Event {
    Duration at{};
    std::uint64_t order = 0;
    std::uint32_t slot = 0;
    std::uint32_t kind = 0;
};

/// A binary heap of events. Those of one instant come in the order in which they were added, so
/// that a run depends on nothing but its input.
class EventQueue {
public:
    bool empty() const { return heap_.empty(); }
    Duration next() const { return heap_.front().at; }

    void add(Duration at, std::uint32_t slot, std::uint32_t kind) {
        heap_.push_back({at, order_++, slot, kind});
        std::ranges::push_heap(heap_, Later{});
    }
    Event take() {
        std::ranges::pop_heap(heap_, Later{});
        const Event event = heap_.back();
        heap_.pop_back();
        return event;
    }

private:
    struct Later {
        bool operator()(const Event& a, const Event& b) const {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    std::vector<Event> heap_;
    std::uint64_t order_ = 0;
};

}  // namespace weir::plan
