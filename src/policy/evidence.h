// Outcomes of recent calls at one target, and whether the failures speak of the target.
#pragma once

#include <weir/time.h>

#include <array>
#include <cstdint>
#include <optional>

namespace weir::policy {

/// Who saw an outcome. `call` is the same for all tries of one call (0: a call of its own);
/// `client` identifies the client that made it.
struct Witness {
    std::uint64_t call = 0;
    std::uint64_t client = 0;
};

/// Counts evidence by call and client instead of by attempt.
///
/// The tries of one call count once. A doubted failure, which speaks of its call because the call
/// fails elsewhere too, does not count. Failures of one client alone do not condemn a target at
/// which another client has succeeded within the window, unless that client itself succeeded there
/// just before and has then failed many times without a success by anybody.
///
/// Constant memory: the last 64 outcomes, ten buckets of totals, two clients that succeeded last.
class Evidence {
public:
    struct Rule {
        double streak = 5;   ///< failures without a success between them
        double share = 0.5;  ///< failed part of the window's outcomes
        Duration window = std::chrono::seconds(10);
    };
    /// `believed` leaves doubted failures out.
    enum class View : std::uint8_t { believed, raw };

    void good(Witness who, Duration window, Instant now);
    /// False: this call has failed here within the window; nothing was added.
    bool bad(Witness who, double weight, bool doubted, Duration window, Instant now);
    /// A success that broke after its answer had begun.
    void broke(Witness who, Duration window, Instant now);

    /// The call failed at another target too, which serves others: its failure here is doubted.
    bool doubt(std::uint64_t call, Duration window, Instant now);
    /// All doubted failures count after all.
    void believe(Duration window, Instant now);

    bool condemns(const Rule& rule, View view, Instant now) const;

    /// The client that all failures of the latest streak and window come from; nullopt: several.
    std::optional<std::uint64_t> sole_accuser(Duration window, Instant now) const;

    /// Whether a client other than this one succeeded at `since` or later.
    bool other_succeeded(std::uint64_t client, Instant since) const;
    std::uint32_t total(Duration window, Instant now) const;

    /// Forgets outcomes; remembers who succeeded last.
    void clear();

private:
    static constexpr std::size_t kBuckets = 10;
    static constexpr std::size_t kRemembered = 64;

    struct Outcome {
        Instant at{};
        Witness who;
        double weight = 0;  ///< 0: a success
        bool doubted = false;
    };
    struct Bucket {
        std::int64_t number = 0;
        double failures = 0;
        double doubted = 0;
        std::uint32_t total = 0;
    };
    struct Success {
        std::uint64_t client = 0;
        Instant at = Instant::min();
    };
    class Tally;

    static std::int64_t number(Duration window, Instant at);
    Bucket& bucket(Duration window, Instant now);
    Bucket* bucket_of(const Outcome& outcome, Duration window);
    void push(const Outcome& outcome);
    /// `back` 0: the newest.
    const Outcome& outcome(std::size_t back) const;
    bool streak_condemns(const Rule& rule, View view, Instant now) const;
    bool share_condemns(const Rule& rule, View view, Instant now) const;

    std::array<Outcome, kRemembered> ring_{};
    std::size_t next_ = 0;
    std::size_t size_ = 0;
    std::array<Bucket, kBuckets> buckets_{};
    // Distinct clients: the one that succeeded last, and the last other one.
    Success last_;
    Success other_;
};

}  // namespace weir::policy
