// The calls under way on one worker, found by slot and generation.
#pragma once

#include <weir/engine.h>
#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

struct Region;

/// A call under way, as others reach it. On its worker's thread.
class CallUnderWay {
public:
    virtual ~CallUnderWay() = default;
    /// The engine's word on a call that waited.
    virtual void deliver(const Decision& decision) = 0;
    /// The drain's time is over: what is still under way ends now, each in its own way.
    virtual void drain_end() = 0;
    /// What other instances refused its invocation, nothing if nothing is known.
    virtual void refused_elsewhere(std::optional<PastRefusal> past) = 0;
    /// The keys it asked for anew are there, or will not be.
    virtual void refreshed() = 0;
    /// What has become of it so far, if that is its id; an empty one is anybody's. Packed:
    /// observe/life.h.
    virtual std::optional<std::string> tell(std::string_view id) const = 0;
    /// Whether it may hold that Region.
    virtual bool may_use(const Region& region) const = 0;
};

/// Never by pointer: word for a call that has ended reaches nobody, because its slot's generation
/// has moved on.
class Calls {
public:
    explicit Calls(std::uint32_t worker) : worker_(worker) {}

    CallId enter(CallUnderWay& call);
    void leave(CallId id);
    /// Null: it has ended.
    CallUnderWay* find(CallId id) const;

    template <class Visit>
    void for_each(Visit visit) const {
        for (const Slot& slot : slots_) {
            if (slot.call != nullptr) {
                visit(*slot.call);
            }
        }
    }

private:
    struct Slot {
        CallUnderWay* call = nullptr;
        std::uint64_t generation = 0;
    };
    std::uint32_t worker_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace weir::gateway
