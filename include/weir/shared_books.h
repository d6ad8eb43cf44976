// What an engine and the books that several instances share say to each other: plain values.
#pragma once

#include <weir/time.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir {

/// The limits that one quota may have, each counted in a log of its own.
enum class Book : std::uint8_t { requests = 0, tokens = 1, daily_tokens = 2, output_tokens = 3 };
inline constexpr std::size_t kBooks = 4;

/// Of these, the first ones may be learned from what the service accepts and refuses.
inline constexpr std::size_t kLearned = 2;

/// An amount for each book, in requests or tokens. `tokens` is input where output is apart.
using BookAmounts = std::array<std::int64_t, kBooks>;

/// What one instance has done with one quota since it was answered last, and what it asks for.
///
/// An exchange with a number that the books have seen is not applied again: after a lost answer the
/// same exchange is sent once more. Of one instance and quota one exchange is under way at a time.
struct BookExchange {
    std::string quota;  ///< its key, the same in all instances
    std::uint64_t seq = 0;
    /// The one that was answered last. Books that know another one have lost something: what this
    /// exchange takes back may be part of that.
    std::uint64_t after = 0;
    Duration beat{};  ///< the next one follows by then, unless the instance is cut off or has ended
    /// What it may still send without a grant, and the epoch in which that was offered; 0: nothing
    /// was. Books that were lost and begin anew hold to it.
    BookAmounts alone{};
    std::int64_t alone_epoch = 0;
    Duration window{};       ///< of all books but daily_tokens, whose window is 24 h
    BookAmounts limits{};    ///< -1: none
    BookAmounts spent{};     ///< sent to the service, out of what was granted
    BookAmounts returned{};  ///< granted and not wanted any more
    BookAmounts untold{};    ///< sent without a grant, to be told as corrections next
    BookAmounts ahead{};     ///< wanted beside what the heads need, if nobody waits
    bool wants_profile = false;
    /// That share the quota, as it was told last. Books that begin anew wait for them.
    std::uint32_t instances = 1;
    /// The last one of this instance: it sends nothing more, and nothing need be left for it.
    bool leaves = false;
    /// Of a limit that is learned from refusals.
    struct Learned {
        std::int64_t limit = 0;  ///< 0: nothing new
        std::int64_t peak =
            0;  ///< the highest use of a window that was accepted since the one before
        bool refused = false;  ///< by it, since the one before
        bool probes = false;   ///< the first head without room may go beyond it
    };
    std::array<Learned, kLearned> learned{};

    /// What an earlier exchange said was spent turned out to be more or less, or is final now.
    struct Correction {
        Book book = Book::tokens;
        std::int64_t bucket = 0;  ///< as the books numbered it
        std::int64_t amount = 0;
        std::int64_t settled = 0;  ///< of what is logged there, so much more is final
    };
    std::vector<Correction> corrections;

    /// A call that waits for room. In the instance's own order, the first to go first.
    struct Head {
        std::uint32_t cls = 0;  ///< 0: the most urgent
        std::string client;
        Duration waited{};
        BookAmounts need{};
    };
    std::vector<Head> heads;

    /// What clients were charged, in parts of the quota by their shares (Virtual Token Counters).
    struct Charge {
        std::string client;
        double amount = 0;
    };
    std::vector<Charge> charges;

    /// What of a client waits at this instance, as it is expected to settle, and how long the quota
    /// would have been used by what was refused: since the exchange before, or, in an answer, ever
    /// and by all.
    struct Backlog {
        std::uint32_t cls = 0;
        std::string client;
        double tokens = 0;
        double calls = 0;
        double refused = 0;  ///< seconds
    };
    std::vector<Backlog> backlog;
    std::int64_t settling = 0;  ///< tokens that calls under way are expected to give back

    /// A target that this instance has closed, and how long others should stay away: it looks
    /// after the target for all.
    struct Trouble {
        enum class Kind : std::uint8_t { breaker, day };
        Kind kind = Kind::breaker;
        std::string model;
        Duration lasts{};
    };
    std::vector<Trouble> troubles;  ///< all of them, each time
};

/// The books' answer. Times are the store's; only differences between them mean something.
struct BookAnswer {
    std::string quota;
    std::uint64_t seq = 0;
    /// The number of this instance's last exchange as the books knew it before this one.
    std::uint64_t before = 0;
    std::int64_t now = 0;         ///< the store's clock, in microseconds
    std::int64_t epoch = 0;       ///< another one: the books were lost and have begun anew
    bool young = false;           ///< begun so short a time ago that nothing is granted yet
    std::uint32_t instances = 1;  ///< seen in the last ten minutes, this one included
    BookAmounts buckets{};        ///< where `spent` was logged
    BookAmounts granted{};        ///< now, beside what was granted before
    BookAmounts used{};           ///< in the window, by all
    BookAmounts held{};           ///< granted to other instances and not sent
    /// What this instance may send without a grant, if it hears nothing more; beside that its part
    /// of what becomes free from `silent_after()` of the beat on.
    BookAmounts alone{};
    Duration room_in{};  ///< the first head that waits has room then by expiry alone; 0: not known
    std::uint32_t turn = 0;  ///< so many instances' first heads go before this one's
    /// By any instance.
    struct Learned {
        std::int64_t limit = 0;  ///< 0: nothing
        std::int64_t peak = 0;   ///< the highest use of a window that was accepted lately
        Duration confirmed{};    ///< since a refusal did it last
    };
    std::array<Learned, kLearned> learned{};

    /// The counters of the heads' clients.
    std::vector<BookExchange::Charge> counters;
    /// What of the same clients waits at other instances, and of all clients by class.
    std::vector<BookExchange::Backlog> elsewhere;
    std::vector<BookExchange::Backlog> classes;
    std::int64_t settling = 0;  ///< at other instances
    /// What other instances have closed; `lasts` is what is left.
    std::vector<BookExchange::Trouble> troubles;

    /// All that is logged, if it was asked for. `age`: since the bucket's end, at least zero.
    struct Logged {
        Book book = Book::tokens;
        std::int64_t bucket = 0;
        Duration age{};
        std::int64_t amount = 0;
        std::int64_t settled = 0;  ///< of it: the rest may still turn out to be less
    };
    bool has_profile = false;
    std::vector<Logged> profile;
};

}  // namespace weir
