// The records of all calls, by id.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/state.h"

namespace weir::policy {

struct IdHash {
    std::size_t operator()(const CallId& id) const {
        std::uint64_t h = id.generation * 0x9e3779b97f4a7c15ULL;
        h ^= (std::uint64_t{id.worker} << 32U | id.slot) * 0xbf58476d1ce4e5b9ULL;
        return h ^ (h >> 29U);
    }
};

/// A record has one address from add() to forget(). Records that are over are kept for the calls to
/// come, up to a bound: add() may return one with the values of an earlier call.
class CallBook {
public:
    /// Null: there is none.
    CallRecord* find(CallId id) {
        if (recent_ == nullptr || recent_->id != id) {
            const auto at = calls_.find(id);
            recent_ = at == calls_.end() ? nullptr : at->second.get();
        }
        return recent_;
    }

    /// No call of this id may be there.
    CallRecord* add(CallId id) {
        std::unique_ptr<CallRecord> record;
        if (spare_.empty()) {
            record = std::make_unique<CallRecord>();
        } else {
            record = std::move(spare_.back());
            spare_.pop_back();
        }
        record->id = id;
        return calls_.emplace(id, std::move(record)).first->second.get();
    }

    void forget(CallRecord* call) {
        recent_ = nullptr;
        const auto at = calls_.find(call->id);
        if (spare_.size() < kMostSpare) {
            spare_.push_back(std::move(at->second));
        }
        calls_.erase(at);
    }

    /// The driver is about to ask for it.
    void expect(CallRecord* call) { recent_ = call; }

    std::vector<CallRecord*> all() const {
        std::vector<CallRecord*> calls;
        calls.reserve(calls_.size());
        for (const auto& [id, call] : calls_) {
            calls.push_back(call.get());
        }
        return calls;
    }

private:
    static constexpr std::size_t kMostSpare = 1024;

    std::unordered_map<CallId, std::unique_ptr<CallRecord>, IdHash> calls_;
    CallRecord* recent_ = nullptr;  // looked up or granted last, and mostly asked for next
    std::vector<std::unique_ptr<CallRecord>> spare_;
};

}  // namespace weir::policy
