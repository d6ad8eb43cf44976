#include "policy/overrides.h"

#include <algorithm>

#include "policy/tariff.h"

namespace weir {

namespace {

bool covers_part(std::string_view part, std::string_view other) {
    return part.empty() || part == other;
}

}  // namespace

bool TargetFilter::matches(const Target& target) const {
    return covers_part(region, target.region) &&
           (model.empty() || strip_arn(model) == strip_arn(target.model)) &&
           (account.empty() || account == account_label(target.account));
}

bool TargetFilter::covers(const TargetFilter& other) const {
    return covers_part(region, other.region) &&
           covers_part(strip_arn(model), strip_arn(other.model)) &&
           covers_part(account, other.account);
}

std::string_view to_string(Hold hold) {
    switch (hold) {
        case Hold::open:
            return "open";
        case Hold::drain:
            return "drain";
        case Hold::closed:
            return "closed";
    }
    return "open";
}

namespace policy {

namespace {

std::string described(const TargetFilter& targets) {
    std::string text = targets.model.empty() ? std::string("every model") : targets.model;
    text += targets.region.empty() ? " in every Region" : " in " + targets.region;
    return text + (targets.account.empty() ? "" : " of account " + targets.account);
}

/// Whether `later` is in force where both apply. To drain a whole Region does not put what is
/// closed within it into use again.
bool outdoes(const Override& later, const Override& earlier) {
    if (later.by != kOperator && earlier.by == kOperator) {
        return false;
    }
    const bool wider = later.targets.covers(earlier.targets);
    const bool same_rank = (later.by == kOperator) == (earlier.by == kOperator);
    return !(same_rank && wider && later.hold == Hold::drain && earlier.hold == Hold::closed);
}

/// Of `orders`, the latest last, the one that outdoes the others; null: none is meant. `meant`:
/// what it orders, null where it does not apply.
template <class Orders, class Meant>
auto strongest(const Orders& orders, Meant meant) -> decltype(orders.data()) {
    decltype(orders.data()) found = nullptr;
    const Override* best = nullptr;
    for (const auto& order : orders) {
        const Override* one = meant(order);
        if (one != nullptr && (best == nullptr || outdoes(*one, *best))) {
            found = &order;
            best = one;
        }
    }
    return found;
}

template <class Paused>
const std::string& client_of(const Paused& paused) {
    return paused.what.client;
}

}  // namespace

const Override* in_force(std::span<const Override> orders, const Target& target) {
    return strongest(orders, [&](const Override& order) {
        return order.targets.matches(target) ? &order : nullptr;
    });
}

bool Overrides::hold(const Override& order, Instant now) {
    std::erase_if(orders_, [&](const Order& o) {
        return o.until <= now || (o.what.by == order.by && o.what.targets == order.targets);
    });
    const bool room = orders_.size() < kMost;
    if (room) {
        orders_.push_back({order, now + order.lasts});
    }
    find_next_end();
    return room;
}

std::size_t Overrides::release(const TargetFilter& targets, std::string_view by, Instant now) {
    const std::size_t released = std::erase_if(orders_, [&](const Order& o) {
        return o.until > now && (by.empty() || o.what.by == by) && targets.covers(o.what.targets);
    });
    find_next_end();
    return released;
}

void Overrides::shed(const Shedding& order, Instant now) {
    std::erase_if(shed_, [&](const Shed& s) {
        return s.until <= now || (s.what.by == order.by && s.what.from == order.from);
    });
    if (order.lasts > Duration::zero() && shed_.size() < kMost) {
        shed_.push_back({order, now + order.lasts});
    }
    find_next_end();
}

bool Overrides::pause(const Pause& order, Instant now) {
    std::erase_if(paused_, [&](const Paused& p) {
        return p.until <= now || (p.what.by == order.by && p.what.client == order.client);
    });
    const bool ends = order.lasts <= Duration::zero();
    const bool room = ends || paused_.size() < kMost;
    if (!ends && room) {
        const auto place = std::ranges::upper_bound(paused_, order.client, {}, client_of<Paused>);
        paused_.insert(place, {order, now + order.lasts});
    }
    find_next_end();
    return room;
}

Held Overrides::held(const Target& target, Instant now, const Override** by) const {
    const Order* in_force = strongest(orders_, [&](const Order& o) {
        return o.until > now && o.what.targets.matches(target) ? &o.what : nullptr;
    });
    if (in_force == nullptr) {
        return {};
    }
    if (by != nullptr) {
        *by = &in_force->what;
    }
    return {true, in_force->what.hold, in_force->until};
}

Instant Overrides::shed_until(Priority priority, Instant now) const {
    Instant until = Instant::min();
    for (const Shed& s : shed_) {
        if (s.until > now && priority >= s.what.from) {
            until = std::max(until, s.until);
        }
    }
    return until;
}

Instant Overrides::paused_until(std::string_view client, Instant now) const {
    constexpr std::string_view kNameless = "none";
    const auto [first, last] = std::ranges::equal_range(
        paused_, client.empty() ? kNameless : client, std::ranges::less{}, client_of<Paused>);
    Instant until = Instant::min();
    for (auto p = first; p != last; ++p) {
        until = p->until > now ? std::max(until, p->until) : until;
    }
    return until;
}

std::vector<std::string> Overrides::expire(Instant now) {
    std::vector<std::string> ended;
    std::erase_if(orders_, [&](const Order& o) {
        if (o.until > now) {
            return false;
        }
        ended.push_back(described(o.what.targets) + " is no longer held " +
                        std::string(to_string(o.what.hold)) + " by " + o.what.by +
                        ": its time is over");
        return true;
    });
    std::erase_if(shed_, [&](const Shed& s) {
        if (s.until > now) {
            return false;
        }
        ended.push_back("calls of the class " + std::string(to_string(s.what.from)) +
                        " are no longer refused by order of " + s.what.by + ": its time is over");
        return true;
    });
    std::erase_if(paused_, [&](const Paused& p) {
        if (p.until > now) {
            return false;
        }
        ended.push_back("client " + p.what.client + " is no longer paused by " + p.what.by +
                        ": its time is over");
        return true;
    });
    find_next_end();
    return ended;
}

std::vector<Override> Overrides::overrides(Instant now) const {
    std::vector<Override> all;
    for (const Order& o : orders_) {
        if (o.until > now) {
            all.push_back(o.what);
            all.back().lasts = o.until - now;
        }
    }
    return all;
}

std::vector<Shedding> Overrides::shedding(Instant now) const {
    std::vector<Shedding> all;
    for (const Shed& s : shed_) {
        if (s.until > now) {
            all.push_back(s.what);
            all.back().lasts = s.until - now;
        }
    }
    return all;
}

std::vector<Pause> Overrides::paused(Instant now) const {
    std::vector<Pause> all;
    for (const Paused& p : paused_) {
        if (p.until > now) {
            all.push_back(p.what);
            all.back().lasts = p.until - now;
        }
    }
    return all;
}

void Overrides::find_next_end() {
    next_end_ = Instant::max();
    for (const Order& o : orders_) {
        next_end_ = std::min(next_end_, o.until);
    }
    for (const Shed& s : shed_) {
        next_end_ = std::min(next_end_, s.until);
    }
    for (const Paused& p : paused_) {
        next_end_ = std::min(next_end_, p.until);
    }
}

}  // namespace policy
}  // namespace weir
