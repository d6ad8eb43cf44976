// The engine on virtual time: asked and told exactly what the gateway asks and tells it.
#include "plan/calls.h"
#include "plan/fleet.h"
#include "plan/strategies.h"

#include <weir/engine.h>

#include <algorithm>
#include <map>
#include <utility>

namespace weir::plan {
namespace {

constexpr std::size_t kBatch = 64;
/// From the engine's word to the last byte of the request.
constexpr Duration kSending = std::chrono::milliseconds(1);
/// The engine's clock does not begin at its epoch.
constexpr Instant kStart = Instant{} + std::chrono::seconds(5000);

class WeirDriver {
public:
    WeirDriver(const Scenario& scenario, Service& service, Recorder& recorder)
        : scenario_(scenario), service_(service), recorder_(recorder), fleet_(scenario, kStart) {
        for (const ClientConfig& client : scenario.config.clients) {
            priorities_[client.name] = client.priority;
        }
    }

    Result<void> run() {
        auto reader = scenario_.open();
        if (!reader) {
            return std::unexpected(reader.error());
        }
        Arrivals arrivals(std::move(*reader));
        if (auto good = arrivals.step(); !good) {
            return good;
        }
        for (;;) {
            const Duration arrival = arrivals.there() ? arrivals.call().at : Duration::max();
            const Duration event = events_.empty() ? Duration::max() : events_.next();
            const Instant wake = fleet_.next();
            const Duration timer = wake == Instant::max()
                                       ? Duration::max()
                                       : std::max(wake - kStart, now_) + kTimerLate;
            if (std::min({arrival, event, timer}) == Duration::max()) {
                return {};
            }
            if (arrival <= event && arrival <= timer) {
                now_ = arrival;
                arrive(arrivals.call());
                if (auto good = arrivals.step(); !good) {
                    return good;
                }
            } else if (event <= timer) {
                now_ = event;
                happen(events_.take());
            } else {
                now_ = timer;
                if (const std::size_t due = fleet_.work(instant()); due < fleet_.size()) {
                    advance(due);
                }
            }
        }
    }

    std::uint64_t store_commands() const { return fleet_.exchanges(); }

private:
    enum Kind : std::uint32_t { kSend, kReach, kRefused, kBegan, kComplete, kDone };

    Instant instant() const { return kStart + now_; }
    static CallId id_of(std::uint32_t slot, const Running& running) {
        return {0, slot, running.generation};
    }

    /// What a driver without a tokenizer would guess: near the truth, and the same for a call
    /// whatever happened before it.
    std::uint64_t estimate(const Running& running) const {
        Random dice(seed_of("estimate", scenario_.seed) + running.ordinal);
        const auto input = static_cast<double>(running.call.input + running.call.cached);
        return static_cast<std::uint64_t>(
            std::llround(input * dice.log_normal(1, scenario_.estimate_spread)));
    }

    /// A row may lower a configured client's class and never raises it, as at the gateway.
    Priority priority_of(const TraceCall& call) const {
        const auto configured = priorities_.find(scenario_.names->name(call.client));
        const Priority own =
            configured != priorities_.end() ? configured->second : Priority::standard;
        if (configured == priorities_.end()) {
            return call.priority.value_or(own);
        }
        return std::max(own, call.priority.value_or(own));
    }

    void arrive(const TraceCall& trace_call) {
        const std::uint32_t slot = calls_.take();
        Running& running = calls_.start(slot, trace_call);
        running.instance = fleet_.instance_of(running.ordinal, trace_call.client);
        recorder_.arrived(running, now_);
        Call call;
        call.id = id_of(slot, running);
        call.client = scenario_.names->name(trace_call.client);
        call.priority = priority_of(trace_call);
        call.model = scenario_.model_of(trace_call);
        call.home_region = scenario_.home_region;
        call.stream = trace_call.stream;
        call.input_estimate = estimate(running);
        call.max_output = running.asked_max;
        call.arrival = instant();
        act(slot, engine(running).offer(call, instant()));
        fleet_.touched(running.instance);
    }

    void act(std::uint32_t slot, const Decision& decision) {
        Running& running = calls_.at(slot);
        if (const auto* grant = std::get_if<Grant>(&decision)) {
            running.place = service_.place(grant->target->region, grant->target->model);
            running.max_output = grant->max_output.value_or(running.asked_max);
            running.right_sized = grant->right_sized;
            region_of(slot) = &grant->target->region;
            events_.add(now_ + kSending, slot, kSend);
        } else if (const auto* refusal = std::get_if<Refusal>(&decision)) {
            if (running.cut) {  // the answer that a lowered max_tokens cut is better than none
                recorder_.answered(running, now_);
                recorder_.complete(running, now_);
                calls_.give_back(slot);
                return;
            }
            recorder_.turned_away(to_string(refusal->reason));
            recorder_.failed(running, now_);
            calls_.give_back(slot);
        }
    }

    void happen(const Event& event) {
        Running& running = calls_.at(event.slot);
        const CallId id = id_of(event.slot, running);
        const std::size_t instance = running.instance;
        switch (event.kind) {
            case kSend:
                engine(running).sent(id, instant());
                fleet_.touched(running.instance);
                events_.add(now_ + kWire, event.slot, kReach);
                return;
            case kReach:
                return reach(event.slot);
            case kRefused:
                act(event.slot, engine(running).report(id, failure_of(running.answer), instant()));
                return advance(instance);
            case kBegan:
                engine(running).began(id, instant());
                return advance(instance);
            case kComplete:
                service_.complete(running.place, running.ticket, running.call.input,
                                  running.output(), now_);
                events_.add(now_ + kWire, event.slot, kDone);
                return;
            default:
                return done(event.slot, id);
        }
    }

    void reach(std::uint32_t slot) {
        Running& running = calls_.at(slot);
        recorder_.sent(*region_of(slot), now_);
        running.answer = service_.arrive(running.place, running.call.input + running.call.cached,
                                         running.max_output, now_, running.ticket);
        recorder_.answered(running, now_);
        if (running.answer != Answer::accepted) {
            events_.add(now_ + kWire, slot, kRefused);
            return;
        }
        const Latency latency = latency_of(scenario_.service, running.call, running.output());
        running.taken_at = now_;
        running.first_at = now_ + latency.first + kWire;
        if (running.call.stream) {
            events_.add(running.first_at, slot, kBegan);
        }
        events_.add(now_ + latency.whole, slot, kComplete);
    }

    void done(std::uint32_t slot, CallId id) {
        Running& running = calls_.at(slot);
        const std::size_t instance = running.instance;
        Usage usage;
        usage.input = running.call.input;
        usage.cache_read = running.call.cached;
        usage.output = running.output();
        usage.known = true;
        if (!running.call.stream && running.right_sized && usage.output >= running.max_output) {
            running.cut = true;
            recorder_.cut(now_);
            Failure cut;
            cut.cls = FailureClass::truncated;
            cut.stage = Stage::sent;
            cut.status = 200;
            cut.seen = usage;
            act(slot, engine(running).report(id, cut, instant()));
            return advance(instance);
        }
        if (!running.call.stream) {
            engine(running).began(id, instant());
        }
        engine(running).settle(id, usage, instant());
        recorder_.complete(running, now_);
        calls_.give_back(slot);
        advance(instance);
    }

    static Failure failure_of(Answer answer) {
        Failure failure;
        failure.stage = Stage::sent;
        const bool dead = answer == Answer::unavailable;
        failure.status = dead ? 503 : 429;
        failure.cls = dead                                   ? FailureClass::capacity
                      : answer == Answer::throttled_requests ? FailureClass::quota_requests
                                                             : FailureClass::quota_tokens;
        return failure;
    }

    Engine& engine(const Running& running) { return fleet_.engine(running.instance); }

    void advance(std::size_t instance) {
        do {
            woken_.clear();
            fleet_.engine(instance).advance(instant(), woken_);
            for (const Wake& wake : woken_) {
                act(wake.id.slot, wake.decision);
            }
        } while (woken_.size() == kBatch);
        fleet_.exchange(instance, instant());
        fleet_.touched(instance);
    }

    /// Targets stand at a stable address while a grant refers to them.
    const std::string*& region_of(std::uint32_t slot) {
        if (regions_.size() <= slot) {
            regions_.resize(slot + 1);
        }
        return regions_[slot];
    }

    const Scenario& scenario_;
    Service& service_;
    Recorder& recorder_;
    Fleet fleet_;
    Duration now_{};
    EventQueue events_;
    Calls calls_;
    std::vector<const std::string*> regions_;
    std::vector<Wake> woken_;
    std::map<std::string, Priority, std::less<>> priorities_;
};

}  // namespace

Result<Outcome> play_weir(const Scenario& scenario) {
    Service service(scenario.service);
    Recorder recorder(scenario, service, "weir", "weir");
    WeirDriver driver(scenario, service, recorder);
    if (auto good = driver.run(); !good) {
        return std::unexpected(good.error());
    }
    Outcome outcome = recorder.finish();
    outcome.store_commands = driver.store_commands();
    return outcome;
}

}  // namespace weir::plan
