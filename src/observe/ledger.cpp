#include "observe/ledger.h"

#include "observe/shards.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace weir::observe {
namespace {

/// Rows that a shard keeps to itself: more go into the ledger, so that tags nobody has limited yet
/// take no memory.
constexpr std::size_t kMostPending = 512;
/// A client's days with money: a month's, and some for a clock that is ahead for a while.
constexpr std::size_t kMoneyDays = 40;

/// The money of each client by day, in order. Not thread-safe.
class Spending {
public:
    void add(std::string_view client, Day day, NanoDollars cost) {
        auto found = clients_.find(client);
        if (found == clients_.end()) {
            found = clients_.emplace(client, std::vector<Money>()).first;
        }
        std::vector<Money>& days = found->second;
        auto at = std::ranges::lower_bound(days, day, {}, &Money::day);
        if (at == days.end() || at->day != day) {
            at = days.insert(at, Money{day, 0});
        }
        at->cost = saturating_add(at->cost, cost);
        if (days.size() > kMoneyDays) {
            days.erase(days.begin());
        }
    }

    Spent of(std::string_view client, Day day) const {
        Spent spent;
        const auto found = clients_.find(client);
        if (found == clients_.end()) {
            return spent;
        }
        const Day first = month_start(day);
        for (const Money& one : found->second) {
            if (one.day >= first && one.day <= day) {
                spent.month = saturating_add(spent.month, one.cost);
            }
            if (one.day == day) {
                spent.day = one.cost;
            }
        }
        return spent;
    }

    void clear() { clients_.clear(); }

private:
    struct Money {
        Day day = 0;
        NanoDollars cost = 0;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::unordered_map<std::string, std::vector<Money>, Hash, std::equal_to<>> clients_;
};

constexpr auto kClient = static_cast<std::size_t>(CostName::client);

}  // namespace

// Lock order: a shard's mutex, then `mutex`, then `money`.
struct LedgerBook::Impl {
    explicit Impl(const LedgerLimits& limits) : ledger(limits) {}

    struct alignas(64) Shard {
        std::mutex mutex;
        Day day = 0;
        HandleMap<kCostNames.size(), Costs> pending;  // of that day
    };

    std::string name;
    std::array<Shard, kShards> shards;
    std::atomic<std::uint64_t> changes{0};

    std::mutex mutex;  // over the next two
    Ledger ledger;
    LedgerNames names;

    std::mutex money;
    Spending spending;

    Shard& my_shard() { return shards[shard_of_thread()]; }

    /// Into the ledger. Both mutexes are held.
    void pour_out(Shard& shard) {
        shard.pending.each_named([&](const auto& own, const Costs& costs) {
            CostNames views;
            std::ranges::copy(own, views.begin());
            ledger.add(shard.day, views, costs);
        });
        shard.pending.clear();
    }

    /// A shard's row for these names, by which `names` then is known: what is not a name of the
    /// ledger's own is looked up in it.
    Costs& row(Shard& shard, CostNames& as_called, bool answered) {
        if (Costs* known = shard.pending.find(as_called)) {
            return *known;
        }
        const std::lock_guard lock(mutex);
        as_called = names.of(as_called, answered);
        if (Costs* known = shard.pending.find(as_called)) {
            return *known;
        }
        if (shard.pending.size() >= kMostPending) {
            pour_out(shard);
        }
        return *shard.pending.insert(as_called, Costs());
    }
};

LedgerBook::LedgerBook(const LedgerLimits& limits, const std::vector<std::string>& clients,
                       std::vector<std::string> models)
    : impl_(std::make_unique<Impl>(limits)) {
    impl_->names.configure(clients, std::move(models));
}

LedgerBook::~LedgerBook() = default;

void LedgerBook::add(const CostNames& names, const Costs& costs, bool answered,
                     std::int64_t unix_seconds) {
    const Day day = day_of(unix_seconds);
    Impl::Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    if (shard.day != day) {
        const std::lock_guard all(impl_->mutex);
        impl_->pour_out(shard);
        shard.day = day;
    }
    CostNames own = names;
    impl_->row(shard, own, answered).add(costs);
    if (costs.cost > 0) {
        const std::lock_guard money(impl_->money);
        impl_->spending.add(own[kClient], day, costs.cost);
    }
    impl_->changes.fetch_add(1, std::memory_order_relaxed);
}

Spent LedgerBook::spent(std::string_view client, std::int64_t unix_seconds) const {
    const std::lock_guard lock(impl_->money);
    return impl_->spending.of(client, day_of(unix_seconds));
}

void LedgerBook::configure(const LedgerLimits& limits, const std::vector<std::string>& clients,
                           std::vector<std::string> models) {
    const auto locks = lock_all(impl_->shards);
    const std::lock_guard lock(impl_->mutex);
    for (Impl::Shard& shard : impl_->shards) {
        impl_->pour_out(shard);
    }
    impl_->ledger.limit(limits);
    impl_->names.configure(clients, std::move(models));
}

void LedgerBook::take(const LedgerDays& days) {
    const std::lock_guard lock(impl_->mutex);
    const std::lock_guard money(impl_->money);
    impl_->spending.clear();
    for (const auto& [day, kept] : days) {
        for (const auto& [names, costs] : kept->rows()) {
            if (costs.cost > 0) {
                impl_->spending.add(names[kClient], day, costs.cost);
            }
        }
    }
    impl_->ledger.take(days);
}

void LedgerBook::set_name(std::string name) {
    impl_->name = std::move(name);
}

const std::string& LedgerBook::name() const {
    return impl_->name;
}

LedgerDays LedgerBook::days() {
    for (Impl::Shard& shard : impl_->shards) {
        const std::lock_guard lock(shard.mutex);
        const std::lock_guard all(impl_->mutex);
        impl_->pour_out(shard);
    }
    const std::lock_guard lock(impl_->mutex);
    return impl_->ledger.days();
}

std::uint64_t LedgerBook::changes() const {
    return impl_->changes.load(std::memory_order_relaxed);
}

}  // namespace weir::observe
