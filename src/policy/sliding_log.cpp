#include "policy/sliding_log.h"

#include <algorithm>

#include "policy/floor_div.h"

namespace weir::policy {

namespace {

std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
    const std::int64_t r = a % b;
    return r < 0 ? r + b : r;
}

}  // namespace

SlidingLog::SlidingLog(Duration window, Duration slack)
    : window_(std::max(window, Duration(kBuckets))), slack_(slack), width_(window_ / kBuckets) {
    const std::int64_t live = kBuckets + (slack_ + window_ % kBuckets) / width_ + 3;
    capacity_ = (live + kBlock - 1) / kBlock * kBlock;
}

std::int64_t SlidingLog::bucket_of(Instant at) const {
    return floor_div(at.time_since_epoch().count(), width_.count());
}

Instant SlidingLog::expiry_of(std::int64_t bucket) const {
    return Instant(width_ * (bucket + 1)) + window_ + slack_;
}

std::int64_t SlidingLog::slot(std::int64_t bucket) const {
    return floor_mod(bucket, capacity_);
}

void SlidingLog::clear_bucket(std::int64_t bucket) {
    const std::int64_t at = slot(bucket);
    const std::uint64_t amount = buckets_[at];
    buckets_[at] = 0;
    buckets_[capacity_ + at / kBlock] -= amount;
    used_ -= amount;
}

SlidingLog::Place SlidingLog::place_of(Instant at) {
    if (at < place_.start || at - place_.start >= width_) {
        const std::int64_t bucket = bucket_of(at);
        place_ = {Instant(width_ * bucket), bucket, slot(bucket)};
    }
    return place_;
}

void SlidingLog::expire(Instant now) {
    if (now < next_expiry_) {
        return;
    }
    const std::int64_t live = bucket_of(now - window_ - slack_);
    if (buckets_) {
        const std::int64_t last = std::min(live, first_ + capacity_);
        for (std::int64_t b = first_; b < last && used_ > 0; ++b) {
            clear_bucket(b);
        }
        if (used_ == 0) {
            buckets_.reset();
        }
    }
    first_ = live;
    next_expiry_ = expiry_of(live);
}

void SlidingLog::add(Instant at, std::uint64_t amount) {
    if (amount == 0) {
        return;
    }
    expire(at);
    if (!buckets_) {
        buckets_ = std::make_unique<std::uint64_t[]>(
            static_cast<std::size_t>(capacity_ + capacity_ / kBlock));
    }
    const std::int64_t to = place_of(at).slot;
    buckets_[to] += amount;
    buckets_[capacity_ + to / kBlock] += amount;
    used_ += amount;
}

bool SlidingLog::remove(Instant at, std::uint64_t amount) {
    const auto [start, bucket, from] = place_of(at);
    if (bucket < first_) {
        return false;
    }
    if (amount == 0) {
        return true;
    }
    if (!buckets_ || buckets_[from] < amount) {
        return false;
    }
    buckets_[from] -= amount;
    buckets_[capacity_ + from / kBlock] -= amount;
    used_ -= amount;
    return true;
}

void SlidingLog::merge(const SlidingLog& other, Instant shared_until) {
    if (!other.buckets_) {
        return;
    }
    const std::int64_t from = std::max(first_, other.first_);
    for (std::int64_t b = from; b < other.first_ + other.capacity_; ++b) {
        const std::uint64_t theirs = other.buckets_[slot(b)];
        const bool shared = Instant(width_ * (b + 1)) <= shared_until;
        const std::uint64_t ours = shared && buckets_ ? buckets_[slot(b)] : 0;
        if (theirs > ours) {
            add(Instant(width_ * b), theirs - ours);
        }
    }
}

std::vector<EngineState::Used> SlidingLog::by_age(Instant now) const {
    constexpr std::int64_t kTogether = kBuckets / 300;
    std::vector<EngineState::Used> parts;
    if (!buckets_) {
        return parts;
    }
    std::int64_t part = INT64_MIN;
    for (std::int64_t b = first_; b < first_ + capacity_; ++b) {
        const std::uint64_t amount = buckets_[slot(b)];
        if (amount == 0) {
            continue;
        }
        if (parts.empty() || floor_div(b, kTogether) != part) {
            part = floor_div(b, kTogether);
            parts.emplace_back();
        }
        parts.back().amount += amount;
        parts.back().age = std::max(Duration::zero(), now - Instant(width_ * b));
    }
    return parts;
}

std::uint64_t SlidingLog::freed_by(Instant at) const {
    if (at == Instant::max() || !buckets_) {
        return at == Instant::max() ? used_ : 0;
    }
    const std::int64_t live = bucket_of(at - window_ - slack_);
    const std::int64_t last = std::min(live, first_ + capacity_);
    std::uint64_t freed = 0;
    std::int64_t from = slot(first_);
    for (std::int64_t b = first_; b < last; ++b) {
        freed += buckets_[from];
        from = from + 1 == capacity_ ? 0 : from + 1;
    }
    return freed;
}

Instant SlidingLog::frees(std::uint64_t amount) const {
    if (amount == 0) {
        return Instant::min();
    }
    if (amount > used_) {
        return Instant::max();
    }
    std::uint64_t freed = 0;
    std::int64_t b = first_;
    const std::int64_t end = first_ + capacity_;
    while (b < end) {
        const std::int64_t at = slot(b);
        if (at % kBlock == 0 && b + kBlock <= end &&
            freed + buckets_[capacity_ + at / kBlock] < amount) {
            freed += buckets_[capacity_ + at / kBlock];
            b += kBlock;
            continue;
        }
        freed += buckets_[at];
        if (freed >= amount) {
            return expiry_of(b);
        }
        ++b;
    }
    return Instant::max();
}

}  // namespace weir::policy
