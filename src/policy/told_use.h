// What one instance has told the store of a quota that several share.
#pragma once

#include <weir/shared_books.h>
#include <weir/time.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace weir::policy {

/// Remembers in which of the store's buckets each amount was logged, so that it can be corrected
/// there when a call settles, told again to a store that has lost it, and subtracted from the
/// store's log to see what the other instances have used.
///
/// An amount is told by an exchange, which has a number. It counts as known to the store from the
/// exchange's answer on.
class ToldUse {
public:
    explicit ToldUse(Duration window) : window_(window) {}

    void expire(Instant now);

    struct Answered {
        std::uint64_t seq = 0;
        Instant at{};            ///< when it was sent
        std::int64_t store = 0;  ///< the store's clock, in microseconds, then or a little later
        BookAmounts buckets{};   ///< where `spent` was logged
        BookAmounts spent{};
        Duration lost{};         ///< what was told before within so long, the store has lost
        std::uint64_t next = 0;  ///< the exchange that tells it again
    };
    void answered(const Answered& told, Instant now);
    /// Of what exchange `seq` told, or will tell, so much is final. `more` is zero or negative:
    /// what it was held at beyond that.
    void settle(std::uint64_t seq, Book book, std::int64_t more, std::int64_t settled);

    struct Part {
        std::int64_t amount = 0;
        std::int64_t settled = 0;  ///< of it
    };
    /// What went without a grant until `until` is told by exchange `seq`.
    void tell_alone(std::uint64_t seq, Book book, Instant until, Part part, Instant now);
    /// The same of what went without a grant at `held` and has been told since.
    void settle_alone(Book book, Instant held, std::int64_t more, std::int64_t settled);

    std::vector<BookExchange::Correction> take_corrections() {
        return std::exchange(corrections_, {});
    }
    bool has_corrections() const { return !corrections_.empty(); }

    /// Known to the store, by bucket, and in all buckets from `first` on.
    std::int64_t in(std::size_t book, std::int64_t bucket) const;
    std::int64_t since(std::size_t book, std::int64_t first) const;
    /// Of what is known there, so much is final, or will be told to be.
    std::int64_t settled_in(std::size_t book, std::int64_t bucket) const;

private:
    struct Entry {
        std::uint64_t seq = 0;
        Instant at{};
        BookAmounts buckets{};
        BookAmounts amounts{};
    };
    struct Alone {
        std::uint64_t seq = 0;  ///< of the exchange that tells it
        Instant until{};
        Book book = Book::tokens;
        std::int64_t bucket = 0;
        std::int64_t amount = 0;
        bool known = false;
    };
    struct Waiting {
        std::uint64_t seq = 0;
        Book book = Book::tokens;
        std::int64_t more = 0;
        std::int64_t settled = 0;
    };
    /// How the store's clock lies to ours.
    struct Anchor {
        Instant at{};
        std::int64_t store = 0;
    };

    Duration width(std::size_t book) const;
    std::int64_t bucket_at(std::size_t book, Instant at) const;
    void settle(Entry& entry, Book book, std::int64_t more, std::int64_t settled);
    void tell_again(std::uint64_t seq, Duration lost, Instant now);
    void forget_corrections(std::size_t book, std::int64_t bucket);
    void add_correction(Book book, std::int64_t bucket, std::int64_t more, std::int64_t settled);

    Duration window_;
    Anchor anchor_;  // of the last answer
    std::uint64_t acknowledged_ = 0;
    std::deque<Entry> entries_;     // by seq
    std::deque<Alone> alone_;       // the oldest first
    std::vector<Waiting> waiting_;  // corrections of what has not been answered yet
    std::vector<BookExchange::Correction> corrections_;
    using ByBucket = std::map<std::int64_t, std::int64_t>;
    std::array<ByBucket, kBooks> known_;
    std::array<ByBucket, kBooks> settled_;
};

}  // namespace weir::policy
