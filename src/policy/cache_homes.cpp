#include "policy/cache_homes.h"

namespace weir::policy {

namespace {
constexpr Duration kCacheLives = std::chrono::minutes(5);
}

std::optional<std::uint32_t> CacheHomes::find(std::span<const InputMark> conversation,
                                              Instant now) const {
    if (homes_.empty()) {
        return std::nullopt;
    }
    for (std::size_t i = conversation.size(); i-- > 0;) {
        const auto known = homes_.find(conversation[i].hash);
        if (conversation[i].hash != 0 && known != homes_.end() && now < known->second.until) {
            return known->second.target;
        }
    }
    return std::nullopt;
}

void CacheHomes::remember(std::uint64_t conversation, std::uint32_t target, Instant now) {
    if (conversation == 0 || capacity_ == 0) {
        return;
    }
    const Home home{target, now + kCacheLives};
    if (const auto known = homes_.find(conversation); known != homes_.end()) {
        known->second = home;
        return;
    }
    if (order_.size() < capacity_) {
        order_.push_back(conversation);
    } else {
        homes_.erase(order_[next_]);
        order_[next_] = conversation;
        next_ = (next_ + 1) % capacity_;
    }
    homes_.emplace(conversation, home);
}

}  // namespace weir::policy
