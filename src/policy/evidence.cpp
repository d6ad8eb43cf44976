#include "policy/evidence.h"

#include <algorithm>

namespace weir::policy {

namespace {
constexpr std::uint32_t kLeastForShare = 10;
// Where other clients succeed, this many failures must come from clients other than the worst one;
// fewer if `breaker.failures` is small.
constexpr double kFromOthers = 2;
constexpr double kPartFromOthers = 0.4;
// A client that succeeded here recently and then fails for this many streaks in a row opens the
// breaker alone. kMostAlone bounds the count.
constexpr double kStreaksAlone = 4;
constexpr double kMostAlone = 48;

bool counts(double weight, bool doubted, Evidence::View view) {
    return weight > 0 && (!doubted || view == Evidence::View::raw);
}
}  // namespace

/// Outcomes by client. Clients past the sixteenth are lumped together, and are never the worst.
class Evidence::Tally {
public:
    void add(std::uint64_t client, double failures) {
        total_ += 1;
        failures_ += failures;
        const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(size_);
        auto* row =
            std::find_if(rows_.begin(), end, [client](const Row& r) { return r.client == client; });
        if (row == end) {
            if (size_ == rows_.size()) {
                return;
            }
            *row = Row{client, 0, 0};
            ++size_;
        }
        row->total += 1;
        row->failures += failures;
    }

    struct Row {
        std::uint64_t client = 0;
        double total = 0;
        double failures = 0;
    };
    Row worst() const {
        const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(size_);
        const auto* row = std::max_element(
            rows_.begin(), end, [](const Row& a, const Row& b) { return a.failures < b.failures; });
        return row == end ? Row{} : *row;
    }
    double total() const { return total_; }
    double failures() const { return failures_; }

private:
    std::array<Row, 16> rows_{};
    std::size_t size_ = 0;
    double total_ = 0;
    double failures_ = 0;
};

std::int64_t Evidence::number(Duration window, Instant at) {
    return at.time_since_epoch() / std::max<Duration>(window / kBuckets, Duration(1));
}

Evidence::Bucket& Evidence::bucket(Duration window, Instant now) {
    const std::int64_t n = number(window, now);
    Bucket& b = buckets_[static_cast<std::uint64_t>(n) % kBuckets];
    if (b.number != n) {
        b = Bucket{n};
    }
    return b;
}

/// Null: it has been overwritten.
Evidence::Bucket* Evidence::bucket_of(const Outcome& outcome, Duration window) {
    const std::int64_t n = number(window, outcome.at);
    Bucket& b = buckets_[static_cast<std::uint64_t>(n) % kBuckets];
    return b.number == n ? &b : nullptr;
}

void Evidence::push(const Outcome& outcome) {
    ring_[next_] = outcome;
    next_ = (next_ + 1) % kRemembered;
    size_ = std::min(size_ + 1, kRemembered);
}

const Evidence::Outcome& Evidence::outcome(std::size_t back) const {
    return ring_[(next_ + kRemembered - 1 - back) % kRemembered];
}

void Evidence::good(Witness who, Duration window, Instant now) {
    if (last_.client != who.client) {
        other_ = last_;
        last_.client = who.client;
    }
    last_.at = now;
    ++bucket(window, now).total;
    push({now, who, 0, false});
}

bool Evidence::bad(Witness who, double weight, bool doubted, Duration window, Instant now) {
    for (std::size_t i = 0; i < size_ && who.call != 0; ++i) {
        const Outcome& before = outcome(i);
        if (before.who.call == who.call && before.weight > 0 && now - before.at <= window) {
            return false;
        }
    }
    Bucket& b = bucket(window, now);
    ++b.total;
    (doubted ? b.doubted : b.failures) += weight;
    push({now, who, weight, doubted});
    return true;
}

void Evidence::broke(Witness who, Duration window, Instant now) {
    for (Outcome& o : ring_) {
        if (o.who.call != who.call || o.weight > 0 || who.call == 0 || o.at == Instant{}) {
            continue;
        }
        o.weight = 1;
        if (Bucket* b = bucket_of(o, window)) {
            b->failures += 1;
        }
        return;
    }
    bad(who, 1, false, window, now);
}

bool Evidence::doubt(std::uint64_t call, Duration window, Instant) {
    bool any = false;
    for (Outcome& o : ring_) {
        if (call == 0 || o.who.call != call || o.weight == 0 || o.doubted) {
            continue;
        }
        o.doubted = true;
        any = true;
        if (Bucket* b = bucket_of(o, window)) {
            b->failures -= o.weight;
            b->doubted += o.weight;
        }
    }
    return any;
}

void Evidence::believe(Duration, Instant) {
    for (Outcome& o : ring_) {
        o.doubted = false;
    }
    for (Bucket& b : buckets_) {
        b.failures += b.doubted;
        b.doubted = 0;
    }
}

bool Evidence::other_succeeded(std::uint64_t client, Instant since) const {
    const Success& by = last_.client != client ? last_ : other_;
    return by.at >= since && by.at != Instant::min();
}

std::optional<std::uint64_t> Evidence::sole_accuser(Duration window, Instant now) const {
    std::optional<std::uint64_t> sole;
    bool streak = true;
    for (std::size_t back = 0; back < size_; ++back) {
        const Outcome& o = outcome(back);
        streak = streak && o.weight > 0;
        if (!streak && now - o.at > window) {
            break;
        }
        if (!counts(o.weight, o.doubted, View::believed)) {
            continue;
        }
        if (sole && *sole != o.who.client) {
            return std::nullopt;
        }
        sole = o.who.client;
    }
    return sole;
}

std::uint32_t Evidence::total(Duration window, Instant now) const {
    const std::int64_t oldest = number(window, now) - static_cast<std::int64_t>(kBuckets);
    std::uint32_t sum = 0;
    for (const Bucket& b : buckets_) {
        sum += b.number > oldest ? b.total : 0;
    }
    return sum;
}

bool Evidence::condemns(const Rule& rule, View view, Instant now) const {
    return streak_condemns(rule, view, now) || share_condemns(rule, view, now);
}

bool Evidence::streak_condemns(const Rule& rule, View view, Instant now) const {
    const double needed = std::min(rule.streak, kMostAlone);
    Tally tally;
    std::size_t back = 0;
    Instant began = now;
    for (; back < size_ && outcome(back).weight > 0; ++back) {
        const Outcome& o = outcome(back);
        if (counts(o.weight, o.doubted, view)) {
            tally.add(o.who.client, o.weight);
            began = o.at;
        }
    }
    if (tally.failures() < needed) {
        return false;
    }
    const Tally::Row worst = tally.worst();
    const double others = tally.failures() - worst.failures;
    if (others >= std::min(kFromOthers, kPartFromOthers * needed) ||
        !other_succeeded(worst.client, now - rule.window)) {
        return true;
    }
    if (worst.failures < std::min(kStreaksAlone * needed, kMostAlone)) {
        return false;
    }
    for (; back < size_ && began - outcome(back).at <= rule.window; ++back) {
        if (outcome(back).weight == 0 && outcome(back).who.client == worst.client) {
            return true;
        }
    }
    return false;
}

bool Evidence::share_condemns(const Rule& rule, View view, Instant now) const {
    const std::int64_t oldest = number(rule.window, now) - static_cast<std::int64_t>(kBuckets);
    double failures = 0;
    std::uint32_t outcomes = 0;
    for (const Bucket& b : buckets_) {
        if (b.number > oldest) {
            failures += b.failures + (view == View::raw ? b.doubted : 0);
            outcomes += b.total;
        }
    }
    if (outcomes < kLeastForShare || failures < rule.share * outcomes) {
        return false;
    }
    Tally tally;
    for (std::size_t back = 0; back < size_ && now - outcome(back).at <= rule.window; ++back) {
        const Outcome& o = outcome(back);
        tally.add(o.who.client, counts(o.weight, o.doubted, view) ? o.weight : 0);
    }
    const Tally::Row worst = tally.worst();
    if (!other_succeeded(worst.client, now - rule.window)) {
        return true;
    }
    const double others = tally.failures() - worst.failures;
    return others >= kFromOthers && others >= rule.share * (tally.total() - worst.total);
}

void Evidence::clear() {
    size_ = next_ = 0;
    ring_ = {};
    buckets_ = {};
}

}  // namespace weir::policy
