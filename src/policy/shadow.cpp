#include "policy/shadow.h"

#include <algorithm>

namespace weir::policy {

namespace {
constexpr std::size_t kMostRows = 200;
const std::string kOther = "other";
// What goes on within this time has not waited. Shared books are asked first.
constexpr Duration kAtOnce = std::chrono::milliseconds(1);
constexpr Duration kAskedFirst = std::chrono::milliseconds(50);
}  // namespace

Shadow::Shadow(Config config, std::uint64_t seed, Instant now)
    : config_(config), engine_(std::move(config), seed, now) {}

void Shadow::reconfigure(Config config, Instant now) {
    catch_up(now);
    config_ = config;
    engine_.reconfigure(std::move(config), now);
}

ObservedCounts& Shadow::counts_for(std::string_view model, std::string_view client) {
    std::pair key{std::string(model), std::string(client)};
    const auto known = counts_.find(key);
    if (known != counts_.end()) {
        return known->second;
    }
    if (counts_.size() >= kMostRows) {
        key = {kOther, kOther};
    }
    return counts_[std::move(key)];
}

PeakDemand& Shadow::peak_for(std::string_view model) {
    const auto known = peaks_.find(model);
    if (known != peaks_.end()) {
        return known->second;
    }
    return peaks_[peaks_.size() >= kMostRows ? kOther : std::string(model)];
}

void Shadow::offer(const Call& call, Instant now) {
    catch_up(now);
    Entry entry;
    entry.peak = &peak_for(call.model);
    entry.peak->call(now, config_.quota_window);
    entry.counts = &counts_for(call.model, call.client);
    ++entry.counts->calls;
    entry.model = call.model;
    entry.home_region = call.home_region;
    entry.input_estimate = call.input_estimate;
    entry.arrival = now;
    entries_.insert_or_assign(call.id, std::move(entry));
    decided(call.id, engine_.offer(call, now), now);
    advance(now);
}

void Shadow::decided(CallId id, const Decision& decision, Instant now) {
    const auto at = entries_.find(id);
    if (at == entries_.end() || std::holds_alternative<Wait>(decision)) {
        return;
    }
    Entry& entry = at->second;
    ObservedCounts& counts = *entry.counts;
    const auto* grant = std::get_if<Grant>(&decision);
    const Duration waited = now - entry.arrival;
    if (grant == nullptr) {
        ++counts.would_refuse;
        entry.state = State::refused;
        if (entry.outcome) {
            entries_.erase(at);
        }
        return;
    }
    if (waited > (config_.shared ? kAskedFirst : kAtOnce)) {
        ++counts.would_wait;
        counts.wait_seconds += to_seconds(waited);
        counts.longest_wait_seconds = std::max(counts.longest_wait_seconds, to_seconds(waited));
    }
    counts.would_move += grant->degraded || grant->target->region != entry.home_region ||
                                 !grant->target->account.empty()
                             ? 1
                             : 0;
    counts.would_right_size += grant->right_sized ? 1 : 0;
    entry.state = State::running;
    entry.start = now;
    entry.reservation = grant->reservation;
    entry.max_output = grant->max_output;
    entry.tariff = tariff_of(config_, *grant->target);
    entry.tariff.quota = nullptr;  // a reload may take it away
    engine_.sent(id, now);
    if (entry.outcome) {
        ends_.emplace(now + entry.outcome->service, id);
    }
}

/// The virtual attempt is over, as the real one was.
void Shadow::finish(Entries::iterator at, Instant now) {
    Entry& entry = at->second;
    const Outcome outcome = entry.outcome.value_or(Outcome{});
    Usage usage = outcome.usage;
    if (outcome.kind != Outcome::Kind::answered) {
        // What it would have cost is not known: at least it was read.
        usage = {};
        usage.input = entry.input_estimate;
        usage.known = true;
    } else if (usage.known) {
        usage.output = std::min(usage.output, entry.max_output.value_or(usage.output));
        entry.counts->reserved += entry.reservation;
        entry.counts->settled += entry.tariff.cost(usage);
    }
    entry.peak->settled(now, config_.quota_window, entry.tariff.cost(usage));
    engine_.settle(at->first, usage, now);
    entries_.erase(at);
}

void Shadow::ended(CallId id, const Outcome& outcome, Instant now) {
    catch_up(now);
    const auto at = entries_.find(id);
    if (at == entries_.end()) {
        return;
    }
    Entry& entry = at->second;
    entry.counts->throttled += outcome.kind == Outcome::Kind::throttled ? 1 : 0;
    entry.counts->failed += outcome.kind == Outcome::Kind::failed ? 1 : 0;
    switch (entry.state) {
        case State::refused:
            // It was served as it was: that is demand, though the engine would have refused it.
            if (outcome.usage.known) {
                Target home{entry.home_region, entry.model, Endpoint::runtime, Tier::unset};
                entry.peak->settled(now, config_.quota_window,
                                    tariff_of(config_, home).cost(outcome.usage));
            }
            entries_.erase(at);
            return;
        case State::waiting:
            entry.outcome = outcome;
            return;
        case State::running:
            entry.outcome = outcome;
            ends_.emplace(entry.start + outcome.service, id);
            catch_up(now);
            return;
    }
}

void Shadow::advance(Instant now) {
    std::vector<Wake> woken;
    do {
        woken.clear();
        engine_.advance(now, woken);
        for (const Wake& wake : woken) {
            decided(wake.id, wake.decision, now);
        }
    } while (woken.size() == 64);
}

/// When a virtual attempt ends, or the engine has something to do.
Instant Shadow::next() const {
    const Instant end = ends_.empty() ? Instant::max() : ends_.begin()->first;
    return std::min(end, engine_.next_wake().value_or(Instant::max()));
}

void Shadow::catch_up(Instant now) {
    for (;;) {
        const Instant next = this->next();
        if (next > now) {
            return;
        }
        const bool ends = !ends_.empty() && ends_.begin()->first == next;
        if (ends) {
            const CallId id = ends_.begin()->second;
            ends_.erase(ends_.begin());
            if (const auto at = entries_.find(id); at != entries_.end()) {
                finish(at, next);
            }
        }
        advance(next);
    }
}

std::vector<BookExchange> Shadow::exchanges(Instant now) {
    catch_up(now);
    return engine_.exchanges(now);
}

void Shadow::answered(const BookAnswer& answer, Instant now) {
    catch_up(now);
    engine_.answered(answer, now);
    advance(now);
}

void Shadow::unanswered(std::string_view quota, Instant now) {
    catch_up(now);
    engine_.unanswered(quota, now);
    advance(now);
}

std::optional<Instant> Shadow::due() const {
    const Instant at = std::min(next(), engine_.exchange_due().value_or(Instant::max()));
    return at == Instant::max() ? std::nullopt : std::optional(at);
}

std::vector<ObservedRow> Shadow::rows(Instant now) {
    catch_up(now);
    std::vector<ObservedRow> all;
    all.reserve(counts_.size());
    for (const auto& [key, counts] : counts_) {
        all.push_back({key.first, key.second, counts});
    }
    return all;
}

std::vector<ObservedAdvice> Shadow::advice(Instant now) {
    std::map<std::string, ObservedDemand> demands;
    for (const ObservedRow& row : rows(now)) {
        ObservedDemand& demand = demands[row.model];
        demand.calls += row.counts.calls;
        demand.would_wait += row.counts.would_wait;
        demand.would_refuse += row.counts.would_refuse;
        demand.throttled += row.counts.throttled;
    }
    const Status status = engine_.status(now);
    std::vector<ObservedAdvice> all;
    for (auto& [model, demand] : demands) {
        const auto peak = peaks_.find(model);
        if (model == kOther || peak == peaks_.end()) {
            continue;  // several models: their figures together say nothing of one
        }
        demand.model = model;
        demand.peak_requests = peak->second.requests();
        demand.peak_tokens = peak->second.tokens();
        all.push_back(conclude(demand, status));
    }
    return all;
}

}  // namespace weir::policy
