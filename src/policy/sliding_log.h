// How much was used in the last window, in constant memory.
#pragma once

#include <weir/engine_state.h>
#include <weir/time.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace weir::policy {

/// Remembers amounts by the time they were stamped with and forgets them one window later.
///
/// Never forgets early: an amount stamped in a bucket leaves when the bucket's *end* is a window
/// and a slack ago, so what the service counts a little later than we stamped it is still held
/// here. It leaves at most one bucket late.
///
/// Invariant: used() is the sum of the live buckets. Without live amounts there is no storage.
class SlidingLog {
public:
    SlidingLog(Duration window, Duration slack);

    /// Forgets what has expired by `now`; the other members speak of the last `now` given here.
    void expire(Instant now);

    void add(Instant at, std::uint64_t amount);

    /// Takes back part of what was added at `at`; false, and no change, when that has expired.
    bool remove(Instant at, std::uint64_t amount);

    /// Adds what another log of the same window holds. Of buckets that ended by `shared_until`
    /// both have the same past, and the larger counts.
    void merge(const SlidingLog& other, Instant shared_until);

    /// What is held, in pieces of a 300th of a window, each with the age of its youngest part.
    std::vector<EngineState::Used> by_age(Instant now) const;

    std::uint64_t used() const { return used_; }

    /// When at least `amount` of what is used now will have expired; Instant::max() if never.
    Instant frees(std::uint64_t amount) const;

    /// How much of what is used now will have expired by then.
    std::uint64_t freed_by(Instant at) const;
    /// Of what is used, the part that is older than a window: kept for the slack alone.
    std::uint64_t ending(Instant now) const { return freed_by(now + slack_ + width_); }

    Duration window() const { return window_; }

private:
    static constexpr std::int64_t kBuckets = 600;
    static constexpr std::int64_t kBlock = 32;

    /// A bucket, its start and where it is kept.
    struct Place {
        Instant start = Instant::max();
        std::int64_t bucket = 0;
        std::int64_t slot = 0;
    };

    std::int64_t bucket_of(Instant at) const;
    Place place_of(Instant at);
    Instant expiry_of(std::int64_t bucket) const;
    std::int64_t slot(std::int64_t bucket) const;
    void clear_bucket(std::int64_t bucket);

    Duration window_;
    Duration slack_;
    Duration width_;
    std::int64_t capacity_;                 // live buckets at most, rounded up to whole blocks
    std::int64_t first_ = INT64_MIN;        // every bucket before it has expired
    Instant next_expiry_ = Instant::min();  // of first_
    Place place_;  // where something was put last: the next goes there too, mostly
    std::uint64_t used_ = 0;
    std::unique_ptr<std::uint64_t[]> buckets_;  // a ring, then one sum a block of kBlock buckets
};

}  // namespace weir::policy
