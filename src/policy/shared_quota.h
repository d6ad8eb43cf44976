// One instance's half of the books that several share of one quota.
#pragma once

#include <weir/shared_books.h>
#include <weir/time.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/sliding_log.h"
#include "policy/told_use.h"

namespace weir::policy {

/// The store keeps the books: what all instances have sent, and what each was granted. This is what
/// one instance knows of them: what it was granted and has not used, what it has to tell, what the
/// others have used.
///
/// It is *joined* while the store answers: an attempt goes only if a grant of the store covers it.
/// It is *alone* otherwise: what was granted is used to its end, and what the store offered it for
/// this case. A while after it heard the store last it also has its part of all that expires: the
/// others are taken to have used the rest. So all together stay within the limit, whoever of them
/// hears nothing for less than the 25 s after which the store takes a silent instance to be dead
/// (docs/how-weir-decides.md, "What is not exact"). An instance that has never heard the store does
/// not know of any others: it asks several times before it goes alone.
///
/// Of what expires while it hears nothing it counts as room only what it knows to be settled. What
/// others had under way may have given back something since, which the store has granted to others.
/// That room stays withheld for two windows: after the first the store withholds this instance's
/// whole part of the limit, after the second all that was granted before that has expired.
///
/// Invariants: a grant is used only within its lease, which ends here before it ends in the store;
/// at most one exchange is under way; what was sent is told once, whatever answers are lost.
class SharedQuota {
public:
    enum class Mode : std::uint8_t { alone, joined };

    /// Of an attempt, from hold() to its end.
    struct Ticket {
        std::uint64_t seq = 0;  ///< the exchange that tells of its sending; 0: none
        Instant held{};
        bool shared = false;    ///< counted here at all
        bool alone = false;     ///< no grant covers it, and no store knows of it
        bool credited = false;  ///< a grant covers it
    };

    SharedQuota(std::string key, Duration window, Duration slack, Instant now);

    Mode mode() const { return mode_; }
    std::uint32_t instances() const { return view_.instances; }
    const std::string& key() const { return key_; }
    /// -1: no limit.
    void set_limits(const BookAmounts& limits) { limits_ = limits; }
    void tick(Instant now);
    /// After tick() and set_limits(). `used`: of all, as far as it is known here.
    void stand_alone(const BookAmounts& used);

    /// As far as other instances are concerned `amount` may go now. `used`: of all, as far as it is
    /// known here.
    bool covers(const BookAmounts& amount, const BookAmounts& used) const;

    // The life of an attempt.
    Ticket hold(const BookAmounts& amount);
    void give_back(Ticket& ticket, const BookAmounts& amount);
    void sent(Ticket& ticket, const BookAmounts& amount);
    /// After sent(): it took so much of what it held, or more.
    void settle(const Ticket& ticket, const BookAmounts& held, const BookAmounts& actual);

    /// Calls that wait for a grant: the ones that go first. Until the next of these calls.
    void want(std::vector<BookExchange::Head> heads, std::vector<BookExchange::Backlog> backlog);
    bool wants() const { return !pace_.heads.empty(); }
    void charge(const std::string& client, double amount);
    /// A call was refused that would have taken the quota for so long.
    void refused(std::uint32_t cls, const std::string& client, double seconds);
    /// What calls under way here are expected to give back.
    void expect(std::int64_t tokens) { news_.settling = tokens; }
    /// What this instance has closed, until the next of these calls.
    void close(std::vector<BookExchange::Trouble> troubles) {
        news_.troubles = std::move(troubles);
    }
    /// What this instance has learned of a limit that nobody configured. Not before the books have
    /// said what others know of it.
    void teach(Book book, const BookExchange::Learned& told);

    /// When exchange() is to be called; Instant::max(): when something else has happened.
    Instant due() const;
    BookExchange exchange();
    /// False: it says nothing new to those who wait.
    bool answered(const BookAnswer& answer, Instant now);
    /// The store did not answer, or is known not to.
    void lost(Instant now);
    /// Nothing is sent any more: the next exchange gives everything back, and is the last.
    void leave() { talk_.ends = Talk::Ends::soon; }
    /// It has been answered, or there is nobody to tell.
    bool left() const { return talk_.ends == Talk::Ends::now || talk_.acknowledged == 0; }

    /// Logged by others, or granted to them.
    const SlidingLog& others(Book book) const { return view_.others[index(book)]; }
    /// Of what others are taken to have used, what is expected to be room by then: what expires,
    /// and what was only supposed while the books could not be asked, if they may be back before.
    std::uint64_t freed_by_others(Book book, Instant at) const;
    std::int64_t held_by_others(Book book) const { return view_.held[index(book)]; }
    /// Of others(): what they have given back since, by the sum that was told last.
    std::uint64_t given_back_by_others(Book book) const { return view_.given_back[index(book)]; }
    /// Of a limit, by any instance.
    struct Learned {
        std::int64_t limit = 0;  ///< 0: nothing
        std::int64_t peak = 0;   ///< accepted from all, in a window
        Instant confirmed = Instant::min();
        bool forgotten = false;  ///< there was one, and no refusal has confirmed it
    };
    const Learned& learned(Book book) const { return view_.learned[index(book)]; }
    /// Of a client that waits, as the books have it; nullopt: not told.
    std::optional<double> counter(const std::string& client) const;
    /// What waits at other instances, as told last: of one client, and of all of a class. Refused
    /// there: between the last two answers. Nothing while alone.
    BookExchange::Backlog elsewhere(std::uint32_t cls, const std::string& client) const;
    BookExchange::Backlog elsewhere(std::uint32_t cls) const;
    /// What calls under way at other instances are expected to give back.
    std::int64_t settling_elsewhere() const { return view_.settling; }

private:
    static constexpr std::size_t index(Book book) { return static_cast<std::size_t>(book); }

    using ClientKey = std::pair<std::uint32_t, std::string>;

    /// Granted and not sent yet.
    struct Granted {
        BookAmounts credit{};   ///< that no attempt has taken
        BookAmounts holding{};  ///< that attempts have
        Instant lease = Instant::min();
    };
    /// What the store is to be told.
    struct News {
        BookAmounts spent{};
        BookAmounts returned{};
        std::map<std::string, double> charges;
        std::map<ClientKey, double> refused;
        std::int64_t settling = 0;
        std::vector<BookExchange::Trouble> troubles;
        std::array<BookExchange::Learned, kLearned> learned{};
        bool any() const;
    };
    struct Pace {
        std::vector<BookExchange::Head> heads;  ///< `waited` until `heads_at`
        std::vector<BookExchange::Backlog> backlog;
        Instant heads_at{};
        bool fresh = false;      ///< the heads have not been told yet
        bool soon = false;       ///< there is something that the store must know
        bool room_made = false;  ///< much has been given back
        std::uint32_t turn = 0;  ///< so many instances' heads go before ours
        Instant asked = Instant::min();
        Instant room = Instant::min();  ///< when the first head may find room
        Instant retry = Instant::min();
        Instant active = Instant::min();
        Instant profile = Instant::min();
        Instant heard{};        ///< when what the store answered last was asked, or this began
        Duration heard_beat{};  ///< what was promised then
        Instant first_asked{};  ///< of the exchange under way, which may have been sent again
        std::array<double, kBooks> rate{};  ///< of what is held, a second
        std::array<double, kBooks> mean{};  ///< of one attempt
        Instant rate_at = Instant::min();
    };
    /// Of all instances, as it was told last.
    struct View {
        using Logs = std::array<SlidingLog, kBooks>;
        View(Logs no_others, Logs none_pending)
            : others(std::move(no_others)), pending(std::move(none_pending)) {}

        std::uint32_t instances = 1;
        std::int64_t epoch = 0;
        bool young = false;
        Logs others;
        /// Of others, what is not known to be settled: less may have been used, and the difference
        /// granted to somebody. Beside that, how much was put down here.
        Logs pending;
        BookAmounts pended{};
        std::array<std::uint64_t, kBooks> given_back{};  // part of `others`
        BookAmounts held{};
        std::int64_t alone_epoch = 0;  ///< of the books that offered it
        BookAmounts alone_left{};
        /// So much the others are taken to have used, and when that was put down.
        std::vector<std::pair<Instant, BookAmounts>> filled;
        BookAmounts went_before{};  ///< without a grant, when that began
        BookAmounts alone{};        ///< offered for the case that nothing more is heard
        bool others_full = false;   ///< the others are taken to have used the rest
        std::map<std::string, double> counters;
        std::vector<BookExchange::Backlog> elsewhere;
        std::vector<BookExchange::Backlog> classes;
        std::map<ClientKey, double> refused;  ///< ever, by all, as told last
        std::int64_t settling = 0;
        std::array<Learned, kLearned> learned{};
    };
    /// The exchanges, one after the other.
    struct Talk {
        std::uint64_t seq = 1;           ///< of the exchange that is made next
        std::uint64_t acknowledged = 0;  ///< of the last one that was answered
        std::optional<BookExchange> under_way;
        bool again = false;    ///< under_way is to be sent once more
        int lost = 0;          ///< in a row
        BookAmounts untold{};  ///< when under_way was made
        enum class Ends : std::uint8_t { no, soon, now };
        Ends ends = Ends::no;
    };

    bool limited() const;
    BookAmounts withheld() const;
    void add_pending(std::size_t book, Instant at, std::int64_t amount);
    bool credit_covers(const BookAmounts& amount) const;
    bool wants_refill() const;
    BookAmounts ahead() const;
    BookAmounts untold() const;
    void note_demand(const BookAmounts& amount);
    void tell_what_went_alone(Instant now);
    Duration beat() const;
    Duration asks_again() const;
    Instant alone_from() const;
    std::vector<BookExchange::Backlog> backlog_to_tell();
    // answered(), in its order.
    void note_told(const BookAnswer& answer, Instant now);
    void note_offer(const BookAnswer& answer);
    void note_limits(const BookAnswer& answer, Instant now);
    void note_grant(const BookAnswer& answer, Instant now);
    void note_waiting(const BookAnswer& answer);
    void note_refused(std::vector<BookExchange::Backlog>& told, bool of_class);
    void read_profile(const BookAnswer& answer, Instant now);
    void catch_up(const BookAnswer& answer, Instant now);

    std::string key_;
    Duration window_;
    Duration slack_;
    BookAmounts limits_{-1, -1, -1, -1};
    Mode mode_ = Mode::alone;
    Instant now_{};
    Granted granted_;
    News news_;
    Pace pace_;
    View view_;
    Talk talk_;
    ToldUse told_;
    std::array<SlidingLog, kBooks> alone_;  // went without a grant, and no store knows of it
    std::array<SlidingLog, kBooks> alone_settled_;  // of that, what is final
};

}  // namespace weir::policy
