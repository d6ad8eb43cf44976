#include "simulator/ledger.h"

#include <algorithm>
#include <utility>

namespace weir::simulator {
namespace {

constexpr std::size_t kMaxModels = 10'000;

/// Quotas are kept apart by Region and model, so their clock minutes begin apart too.
Duration phase_of(std::uint64_t seed, std::string_view region, std::string_view model,
                  Duration window) {
    Random random(hash_name(model, hash_name(region, seed)));
    return Duration(static_cast<Duration::rep>(
        random.below(static_cast<std::uint64_t>(std::max<Duration::rep>(1, window.count())))));
}

/// Names that callers choose are counted up to here.
constexpr std::size_t kMaxNames = 100;

void count(std::map<std::string, std::uint64_t>& counts, const std::string& name) {
    if (!name.empty() && (counts.size() < kMaxNames || counts.contains(name))) {
        ++counts[name];
    }
}

}  // namespace

Ledger::Ledger(std::string region, const Settings& settings, std::uint64_t seed, Instant start,
               Side side, const std::string& account)
    : region_(side == Side::mantle ? region + "/mantle" : std::move(region)),
      name_(account.empty() ? region_ : account + "/" + region_),
      side_(side),
      configured_(settings.models),
      kind_(settings.window_kind),
      window_(settings.quota_window),
      seed_(seed),
      start_(start),
      random_(hash_name(name_, seed)) {
    for (const Fault& fault : settings.faults) {
        faults_.add(fault);
    }
}

std::optional<std::string> Ledger::find(std::string_view id) {
    const std::string whole(id);
    const std::string last(model_of(id));
    const ModelSettings* settings = nullptr;
    std::string name = last;
    ModelSettings any;
    if (const auto exact = configured_.find(whole); exact != configured_.end()) {
        settings = &exact->second;
        name = whole;
    } else if (const auto short_name = configured_.find(last); short_name != configured_.end()) {
        settings = &short_name->second;
    } else if (const auto star = configured_.find("*"); star != configured_.end()) {
        settings = &star->second;
    } else if (configured_.empty()) {
        settings = &any;
    }
    if (settings == nullptr || name.empty()) {
        return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    if (!models_.contains(name)) {
        if (models_.size() >= kMaxModels) {
            return std::nullopt;
        }
        const Duration phase = phase_of(seed_, name_, name, window_);
        const bool mantle = side_ == Side::mantle;
        const SplitLimits& split = mantle ? settings->mantle : settings->reserved;
        Model made{.settings = *settings,
                   .quota = Quota(*settings, kind_, window_, phase, start_),
                   .split = {},
                   .truth = {}};
        if (mantle || split.any()) {
            made.split.emplace(split, kind_, window_, phase, start_);
        }
        models_.emplace(name, std::move(made));
    }
    return name;
}

std::vector<std::string> Ledger::models() const {
    std::vector<std::string> names;
    for (const auto& [name, settings] : configured_) {
        if (name != "*") {
            names.push_back(name);
        }
    }
    if (names.empty()) {
        names = {"us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                 "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-lite-v1:0"};
    }
    return names;
}

const ModelSettings& Ledger::settings(const std::string& model) const {
    const std::lock_guard lock(mutex_);
    return models_.find(model)->second.settings;  // never changed, never moved
}

/// False: there is no room.
bool Ledger::admit_split(Model& model, const Ask& ask, std::uint64_t maximum, Instant now,
                         Admission& admission) {
    SplitQuota::Ticket ticket;
    if (!model.split->start(ask.input, maximum, now, ticket)) {
        return false;
    }
    admission.generation = draw_generation(ask, model.settings, maximum, random_);
    TokenUse& use = admission.generation.use;
    if (const std::uint64_t room = model.split->output_room(now); use.output > room) {
        use.output = room;
        admission.generation.cut = true;
        model.truth.cut_short += 1;
    }
    model.split->write(use.output, now, ticket);
    admission.ticket.split = ticket;
    return true;
}

Ledger::Admission Ledger::admit(const std::string& model, const Ask& ask, std::uint64_t maximum,
                                Instant now) {
    const std::lock_guard lock(mutex_);
    const auto found = models_.find(model);
    Model& entry = found->second;
    Admission admission;
    std::string tier = ask.tier == "auto" ? "default" : ask.tier;
    bool admitted = false;
    if (side_ == Side::mantle) {
        admitted = admit_split(entry, ask, maximum, now, admission);
        admission.verdict = admitted ? Verdict::accepted : Verdict::tokens;
    } else if (tier == "reserved") {
        // Beyond what is reserved nobody is cut short: the call is served as any other.
        admitted = entry.split && entry.split->output_room(now) >= maximum &&
                   admit_split(entry, ask, maximum, now, admission);
    }
    if (!admitted && side_ == Side::runtime) {
        admission.verdict = entry.quota.start(ask.input, maximum, now, admission.ticket.shared);
        admission.ticket.number = history_.add({.model = &found->first,
                                                .at = now,
                                                .held = ask.input + maximum,
                                                .refused = admission.verdict != Verdict::accepted,
                                                .settled = {}});
        if (admission.verdict == Verdict::accepted) {
            admission.generation = draw_generation(ask, entry.settings, maximum, random_);
            if (tier == "reserved") {
                entry.truth.overflowed += 1;
                tier = "default";
            }
        }
    }
    switch (admission.verdict) {
        case Verdict::accepted:
            entry.truth.accepted += 1;
            entry.truth.in_flight += 1;
            entry.truth.max_in_flight = std::max(entry.truth.max_in_flight, entry.truth.in_flight);
            count(entry.truth.tiers, ask.tier);
            count(entry.truth.guardrails, ask.guardrail);
            admission.generation.model = model;
            admission.generation.tier = tier;
            break;
        case Verdict::requests:
            entry.truth.throttled_requests += 1;
            break;
        case Verdict::tokens:
            entry.truth.throttled_tokens += 1;
            break;
        case Verdict::daily:
            entry.truth.throttled_daily += 1;
            break;
    }
    return admission;
}

void Ledger::settle(const std::string& model, const Tickets& ticket, const TokenUse& used,
                    Instant now) {
    const std::lock_guard lock(mutex_);
    Model& entry = models_.find(model)->second;
    if (ticket.split) {
        entry.split->settle(*ticket.split, used, now);
    } else {
        entry.quota.settle(ticket.shared, used, now);
        history_.settle(ticket.number, entry.quota.cost(used), now);
    }
}

void Ledger::end(const std::string& model, const TokenUse& used, Ending ending) {
    const std::lock_guard lock(mutex_);
    Truth& truth = models_.find(model)->second.truth;
    const std::uint64_t input = used.input + used.cache_read + used.cache_write;
    truth.in_flight -= 1;
    truth.input_tokens += input;
    truth.output_tokens += used.output;
    switch (ending) {
        case Ending::delivered:
            truth.delivered += 1;
            truth.delivered_tokens += input + used.output;
            break;
        case Ending::cancelled:
            truth.cancelled += 1;
            break;
        case Ending::broken:
            truth.broken += 1;
            break;
    }
}

std::optional<FaultKind> Ledger::draw_fault(std::string_view model, Instant now) {
    const std::lock_guard lock(mutex_);
    return faults_.draw(region_, model, elapsed(now), random_);
}

void Ledger::count_faulted(const std::string& model) {
    const std::lock_guard lock(mutex_);
    models_.find(model)->second.truth.faulted += 1;
}

void Ledger::count_rejected(const std::string& model) {
    const std::lock_guard lock(mutex_);
    models_.find(model)->second.truth.rejected += 1;
}

std::string Ledger::draw_request_id() {
    const std::lock_guard lock(mutex_);
    return make_uuid(random_);
}

bool Ledger::add_fault(const Fault& fault) {
    const std::lock_guard lock(mutex_);
    return faults_.add(fault);
}

void Ledger::clear_faults() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
}

std::vector<Fault> Ledger::faults() const {
    const std::lock_guard lock(mutex_);
    return faults_.list();
}

std::map<std::string, Truth> Ledger::truth() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, Truth> all;
    for (const auto& [name, entry] : models_) {
        all.emplace(name, entry.truth);
    }
    return all;
}

std::vector<History::Call> Ledger::history() const {
    const std::lock_guard lock(mutex_);
    return {history_.calls().begin(), history_.calls().end()};
}

}  // namespace weir::simulator
