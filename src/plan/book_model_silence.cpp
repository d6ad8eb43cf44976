// What the books leave to instances that they may not hear again, and how long.
#include "plan/book_model.h"

#include <algorithm>

namespace weir::plan {

/// For the case that it hears nothing more.
void BookModel::offer(Instance& self, const BookExchange& asked, const BookAmounts& withheld,
                      Time now) {
    const bool kept = young() && asked.alone_epoch != 0 && asked.alone_epoch != epoch_;
    const auto n = static_cast<std::int64_t>(instances_.size());
    BookAmounts needed{};
    for (const auto& [other, claim] : claims_) {
        for (std::size_t b = 0; b < kBooks; ++b) {
            needed[b] += claim.need[b];
        }
    }
    // While the books are young it is alone already, and uses its part of what expires.
    BookAmounts standing{};
    self.last = {{}, freed_, {}, young() ? now : now + silent_after(us(asked.beat)), n};
    for (std::size_t b = 0; b < kBooks; ++b) {
        const std::int64_t room = asked.limits[b] - used_[b] - held_[b];
        const std::int64_t part = (room - needed[b]) / (n == 1 && !young() ? 1 : 2 * n);
        if (kept) {
            self.last.alone[b] = asked.alone[b];
        } else if (asked.limits[b] >= 0) {
            self.last.alone[b] =
                std::clamp<std::int64_t>(part, 0, std::max<std::int64_t>(0, room - withheld[b]));
        }
        self.last.part[b] = std::max<std::int64_t>(0, asked.limits[b] / n);
        standing[b] = std::max(self.heard.alone[b] - self.granted[b], self.last.alone[b]);
    }
    set_standing(self, standing);
}

/// Who has been silent for long is dead: what stood offered to it is free.
void BookModel::watch(Time now) {
    if (reach_.last > 0 && now - reach_.last >= kOutage) {
        reach_.outage_from = reach_.last;
        reach_.outage_to = now;
        // Those who could not come are not known yet.
        reach_.young_since = young() ? now : 0;
    }
    reach_.last = now;
    for (auto i = silent_.begin(); i != silent_.end() && i->first <= now;) {
        Instance& instance = instances_.at(i->second);
        // It was not dead yet when the store itself was lost to all.
        const bool spared =
            instance.seen + kDead > reach_.outage_from && reach_.outage_to + kDead > now;
        if (instance.seen + kDead > now || spared) {
            ++i;
            continue;
        }
        instance.watched = false;
        set_standing(instance, {});
        i = silent_.erase(i);
    }
}

void BookModel::grow_up(const BookExchange& asked, Time now) {
    if (!young()) {
        return;
    }
    reach_.instances = std::max(reach_.instances, asked.instances);
    const Time age = now - reach_.young_since;
    if (age >= kYoung && (seen_.size() >= reach_.instances || age >= kDead)) {
        reach_.young_since = 0;
    }
}

/// What the instance may have sent without a grant and without telling.
BookAmounts BookModel::withheld(const Instance& instance, Time now, Time window) const {
    BookAmounts all = instance.standing;
    for (std::size_t b = 0; b < kBooks && instance.watched; ++b) {
        const std::int64_t standing = instance.standing[b];
        for (const Offer* offer : {&instance.heard, &instance.last}) {
            if (offer->silent_at > now) {
                continue;
            }
            const std::int64_t part = std::max(standing, offer->part[b]);
            const bool long_ago = offer->silent_at + window_of(b, window) <= now;
            const std::int64_t freed = (freed_[b] - offer->freed[b]) / offer->instances;
            all[b] = std::max(all[b], long_ago ? part : std::min(standing + freed, part));
        }
    }
    return all;
}

BookAmounts BookModel::withheld_for_others(const std::string& name, const Instance& self, Time now,
                                           Time window) const {
    BookAmounts all = standing_;
    const auto add = [&](const BookAmounts& amounts, const BookAmounts& less) {
        for (std::size_t b = 0; b < kBooks; ++b) {
            all[b] += amounts[b] - less[b];
        }
    };
    add({}, self.standing);
    for (auto i = silent_.begin(); i != silent_.end() && i->first <= now; ++i) {
        if (i->second != name) {
            const Instance& other = instances_.at(i->second);
            add(withheld(other, now, window), other.standing);
        }
    }
    return all;
}

void BookModel::leave(const std::string& name, Time now, Time window) {
    Instance& gone = instances_.at(name);
    for (std::size_t b = 0; b < kBooks; ++b) {
        const std::int64_t all = gone.held[b] + gone.untold[b];
        held_[b] -= all;
        log(b, now / width(static_cast<Book>(b), window), all);
    }
    settling_ -= gone.settling;
    set_standing(gone, {});
    leases_.erase({gone.lease, name});
    silent_.erase({gone.silent_at(), name});
    seen_.erase({gone.seen, name});
    claims_.erase(name);
    troubles_.erase(name);
    instances_.erase(name);
}

}  // namespace weir::plan
