// The books of one quota as the store's script keeps them, in C++: for virtual time and as what the
// script is compared with.
#pragma once

#include <weir/shared_books.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plan/book_model_learned.h"

namespace weir::plan {

/// Keeps a log of what was sent, by the store's clock, and what is granted and not sent yet.
///
/// Promises, for each book with a limit: what is logged in a window and what is held never exceeds
/// the limit by a grant of this class; only spending beyond what was granted does. What an instance
/// holds and does not renew within the lease is taken to have been sent then: it comes back when
/// its window has passed.
///
/// The first head of each instance that waits has a claim. Nobody whose first head ranks behind it
/// gets room that it needs: class first, then the client with the lower counter, then who has
/// waited longer. Ahead of need is granted only while nobody waits.
///
/// An instance that hears nothing more goes on alone (SharedQuota): with what the last answer
/// offered it for that, and with its part of all that expires from then on. An offer stands until
/// the instance has heard the next one, and nobody else is granted what stands offered. It has
/// heard an answer once it sends an exchange with a higher number. Of what is free, half at most is
/// offered, and nothing that a waiting head needs. Who has fallen silent has its part of what
/// expires withheld as well, up to its part of the limit, until it must be dead; silence while
/// nobody at all reaches the store is no sign of that. What calls under way give back is not
/// withheld: an instance that hears nothing counts no room for what it does not know to be settled
/// (SharedQuota). After a window of silence its whole part of the limit is withheld, so that one
/// window later it may count that room too.
///
/// Books that begin anew grant nothing until everybody has told what they know: for two seconds,
/// and until as many have come as any of them remembers, or those that are missing must be dead.
///
/// An instance that leaves says so in its last exchange: it has nothing under way that goes alone,
/// nothing is withheld for it any more, and it is not counted.
class BookModel {
public:
    /// Microseconds of the store's clock.
    using Time = std::int64_t;

    BookAnswer exchange(const std::string& instance, const BookExchange& asked, Time now);

    /// What is logged and held, for tests.
    BookAmounts used() const;
    BookAmounts held() const { return held_; }

    /// Constants that the script has as well.
    static constexpr Time kLease = 2'000'000;
    static constexpr Time kYoung = 2'000'000;
    static constexpr Time kSeen = 600'000'000;
    static constexpr Time kDay = 86'400'000'000;
    static constexpr Time kClaim = 1'000'000;  ///< a head that is not asked for again is forgotten
    static constexpr Time kDead = 25'000'000;
    /// Nobody reached the store for so long, which is longer than the pause of idle instances.
    static constexpr Time kOutage = 2'500'000;
    static constexpr std::int64_t kBuckets = 120;
    static constexpr std::size_t kMostClients = 2'000;
    static constexpr std::uint32_t kClasses = 3;

    static Time window_of(std::size_t book, Time window);
    static Time width(Book book, Time window);
    static Time slack(Time window);

    /// From then on an instance that was heard now counts as cut off, in the store. Before it does
    /// so itself (SharedQuota).
    static constexpr Time silent_after(Time beat) { return beat * 5 / 2; }

private:
    /// What one answer offered for the case that its instance hears nothing more.
    static Time us(Duration d) {
        return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
    }
    static Duration from_us(Time t) { return std::chrono::microseconds(t); }

    struct Offer {
        BookAmounts alone{};
        BookAmounts freed{};  ///< had expired by then
        BookAmounts part{};   ///< of the limits: with more than that it never goes alone
        Time silent_at = INT64_MAX;
        std::int64_t instances = 1;
    };
    struct Instance {
        std::uint64_t seq = 0;
        BookAmounts held{};
        BookAmounts untold{};
        std::int64_t settling = 0;
        BookAmounts granted{};
        BookAmounts buckets{};
        Time lease = 0;
        Time seen = 0;
        Offer heard;             ///< of the last answer that it has heard for certain
        Offer last;              ///< of the last answer, which it may have heard
        BookAmounts standing{};  ///< the larger of the two, less what the same answer granted
        bool watched = false;    ///< it may be alone
        Time silent_at() const { return std::min(heard.silent_at, last.silent_at); }
    };
    struct Claim {
        std::uint32_t cls = 0;
        double counter = 0;
        Time arrived = 0;
        BookAmounts need{};
        Time until = 0;
        std::vector<BookExchange::Backlog> backlog;
        bool before(const Claim& other) const;
    };
    struct Trouble {
        BookExchange::Trouble what;
        Time until = 0;
    };
    struct Counter {
        double value = 0;
        Time active = 0;
        double refused = 0;  ///< seconds, ever
    };

    using Log = std::map<std::int64_t, std::int64_t>;
    /// The store by its instances.
    struct Reach {
        Time last = 0;
        Time outage_from = 0;
        Time outage_to = 0;
        Time young_since = 0;         ///< 0: the books are not young any more
        std::uint32_t instances = 1;  ///< that young books wait for
    };

    void log(std::size_t book, std::int64_t bucket, std::int64_t amount);
    void settle(std::size_t book, std::int64_t bucket, std::int64_t amount);
    void expire(Time now, Time window);
    void lapse(Time now, Time window);
    void apply(Instance& self, std::uint64_t before, const BookExchange& asked, Time now,
               Time window);
    void grant(const std::string& name, Instance& self, const BookExchange& asked,
               const BookAmounts& withheld, Time now, BookAnswer& answer);
    void tell_backlog(const std::string& name, const BookExchange& asked, BookAnswer& answer) const;
    /// As the instances name a client's counter; no client's begins like that of a class.
    static std::string counter_name(const BookExchange::Backlog& of);
    static std::string class_name(std::uint32_t cls);
    double refused(const std::string& name) const;
    void tell_profile(Time now, Time window, BookAnswer& answer) const;
    void watch(Time now);
    void grow_up(const BookExchange& asked, Time now);
    bool young() const { return reach_.young_since > 0; }
    BookAmounts withheld(const Instance& instance, Time now, Time window) const;
    BookAmounts withheld_for_others(const std::string& name, const Instance& self, Time now,
                                    Time window) const;
    void leave(const std::string& name, Time now, Time window);
    void set_standing(Instance& instance, const BookAmounts& amounts);
    void offer(Instance& self, const BookExchange& asked, const BookAmounts& withheld, Time now);
    void take_troubles(const std::string& name, const BookExchange& asked, Time now,
                       BookAnswer& answer);
    /// Of a head that does not fit: it is the first of all, and goes beyond learned limits alone;
    /// by how much of them.
    std::optional<double> may_probe(const BookExchange& asked, const Claim& head,
                                    const BookAmounts& room, const BookAmounts& given,
                                    Time now) const;
    Time frees_at(const BookExchange& asked, const BookAmounts& need, const BookAmounts& claimed,
                  Time now, Time window) const;

    std::int64_t epoch_ = 0;
    std::array<Log, kBooks> logs_;
    std::array<Log, kBooks> settled_;  // of what is logged, the part that is final
    BookAmounts used_{};
    BookAmounts held_{};
    BookAmounts freed_{};     // has expired, ever
    BookAmounts standing_{};  // of all instances
    std::int64_t settling_ = 0;
    Reach reach_;
    std::map<std::string, Instance> instances_;
    using Schedule = std::set<std::pair<Time, std::string>>;
    Schedule leases_;  // when they end
    Schedule silent_;  // of those that are watched: from when on they count as cut off
    Schedule seen_;    // when each was heard last
    std::map<std::string, Claim> claims_;
    std::map<std::string, std::vector<Trouble>> troubles_;
    std::map<std::string, Counter> counters_;
    double floor_ = 0;
    LearnedInBooks learned_;
};

}  // namespace weir::plan
