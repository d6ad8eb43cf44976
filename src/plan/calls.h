// The calls on their way, by slot.
#pragma once

#include "plan/result.h"

#include <deque>
#include <vector>

namespace weir::plan {

/// Slots are used again; each use has a generation of its own. A slot's address stays.
class Calls {
public:
    std::uint32_t take() {
        if (free_.empty()) {
            calls_.emplace_back();
            return static_cast<std::uint32_t>(calls_.size() - 1);
        }
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        return slot;
    }
    /// The slot's next call, with nothing of the last one.
    Running& start(std::uint32_t slot, const TraceCall& call) {
        Running& running = calls_[slot];
        running = Running{};
        running.call = call;
        running.ordinal = ordinal_;
        running.generation = ordinal_++;
        return running;
    }
    Running& at(std::uint32_t slot) { return calls_[slot]; }
    void give_back(std::uint32_t slot) { free_.push_back(slot); }
    std::size_t on_their_way() const { return calls_.size() - free_.size(); }

private:
    std::deque<Running> calls_;
    std::vector<std::uint32_t> free_;
    std::uint64_t ordinal_ = 0;
};

/// The next call of a trace, looked at before it is taken.
class Arrivals {
public:
    explicit Arrivals(TraceReader reader) : reader_(std::move(reader)) {}

    /// Reads the next one; an error of the trace is final.
    Result<void> step() {
        const auto more = reader_.next(call_);
        if (!more) {
            return std::unexpected(more.error());
        }
        there_ = *more;
        return {};
    }
    bool there() const { return there_; }
    const TraceCall& call() const { return call_; }

private:
    TraceReader reader_;
    TraceCall call_;
    bool there_ = false;
};

}  // namespace weir::plan
