// Programs without weir: every call goes out when it arrives and is retried by its own loop.
#include "plan/calls.h"
#include "plan/client_retry.h"
#include "plan/strategies.h"

#include <utility>

namespace weir::plan {
namespace {

/// What an SDK keeps for one program.
struct Program {
    SdkRetry retry;
    AdaptiveRate rate;
    std::vector<std::uint32_t> held;  // slots that wait for the rate
};

class LoopDriver {
public:
    LoopDriver(const Scenario& scenario, Loop loop, Service& service, Recorder& recorder)
        : scenario_(scenario),
          loop_(loop),
          service_(service),
          recorder_(recorder),
          dice_(seed_of("retries", scenario.seed)) {}

    Result<void> run() {
        auto reader = scenario_.open();
        if (!reader) {
            return std::unexpected(reader.error());
        }
        Arrivals arrivals(std::move(*reader));
        if (auto good = arrivals.step(); !good) {
            return good;
        }
        while (arrivals.there() || !events_.empty()) {
            if (arrivals.there() && (events_.empty() || arrivals.call().at <= events_.next())) {
                const std::uint32_t slot = calls_.take();
                Running& running = calls_.start(slot, arrivals.call());
                recorder_.arrived(running, running.call.at);
                attempt(slot, running.call.at);
                if (auto good = arrivals.step(); !good) {
                    return good;
                }
            } else {
                const Event event = events_.take();
                happen(event);
            }
        }
        return {};
    }

private:
    enum Kind : std::uint32_t { kAttempt, kReach, kRefused, kComplete, kDone, kRate };

    Program& program_of(const Running& running) {
        if (programs_.size() <= running.call.client) {
            programs_.resize(running.call.client + 1);
        }
        return programs_[running.call.client];
    }

    void happen(const Event& event) {
        switch (event.kind) {
            case kAttempt:
                return attempt(event.slot, event.at);
            case kReach:
                return reach(event.slot, event.at);
            case kRefused:
                return refused(event.slot, event.at);
            case kComplete: {
                const Running& running = calls_.at(event.slot);
                service_.complete(running.place, running.ticket, running.call.input,
                                  running.output(), event.at);
                return events_.add(event.at + kWire, event.slot, kDone);
            }
            case kDone:
                return done(event.slot, event.at);
            default:
                return hand_on(event.slot, event.at);
        }
    }

    void attempt(std::uint32_t slot, Duration now) {
        Program& program = program_of(calls_.at(slot));
        if (loop_ != Loop::sdk_adaptive || program.rate.take(to_seconds(now))) {
            events_.add(now + kWire, slot, kReach);
            return;
        }
        program.held.push_back(slot);
        if (program.held.size() == 1) {
            arm(program, calls_.at(slot).call.client, now);
        }
    }

    void arm(const Program& program, std::uint32_t client, Duration now) {
        const Duration ready = from_seconds(program.rate.ready(to_seconds(now))) + kTimerLate;
        events_.add(std::max(ready, now + kTimerLate), client, kRate);
    }

    /// The rate lets some of those go that it held. They are threads that all wake at about the
    /// same time and race: any of them may win.
    void hand_on(std::uint32_t client, Duration now) {
        Program& program = programs_[client];
        while (!program.held.empty() && program.rate.take(to_seconds(now))) {
            const auto any = static_cast<std::size_t>(dice_.uniform() *
                                                      static_cast<double>(program.held.size()));
            std::swap(program.held[any], program.held.back());
            events_.add(now + kWire, program.held.back(), kReach);
            program.held.pop_back();
        }
        if (!program.held.empty()) {
            arm(program, client, now);
        }
    }

    void reach(std::uint32_t slot, Duration now) {
        Running& running = calls_.at(slot);
        ++running.attempt;
        recorder_.sent(scenario_.home_region, now);
        running.answer = service_.arrive(running.place, running.call.input + running.call.cached,
                                         running.max_output, now, running.ticket);
        recorder_.answered(running, now);
        if (running.answer != Answer::accepted) {
            events_.add(now + kWire, slot, kRefused);
            return;
        }
        const Latency latency = latency_of(scenario_.service, running.call, running.output());
        running.taken_at = now;
        running.first_at = now + latency.first + kWire;
        events_.add(now + latency.whole, slot, kComplete);
    }

    void refused(std::uint32_t slot, Duration now) {
        const Running& running = calls_.at(slot);
        const CallError error = error_of(running.answer);
        Program& program = program_of(running);
        const auto attempt = static_cast<int>(running.attempt);
        std::optional<double> delay;
        if (loop_ == Loop::article) {
            delay = article_delay(attempt, error, dice_.uniform());
        } else {
            program.rate.answered(error == CallError::throttled, to_seconds(now));
            delay = program.retry.delay(attempt, error, std::nullopt, dice_.uniform());
        }
        if (delay) {
            events_.add(now + from_seconds(*delay), slot, kAttempt);
            last_error(slot) = error;
            return;
        }
        recorder_.failed(running, now);
        calls_.give_back(slot);
    }

    void done(std::uint32_t slot, Duration now) {
        const Running& running = calls_.at(slot);
        Program& program = program_of(running);
        program.rate.answered(false, to_seconds(now));
        program.retry.succeeded(running.attempt > 1 ? std::optional(last_error(slot))
                                                    : std::nullopt);
        recorder_.complete(running, now);
        calls_.give_back(slot);
    }

    static CallError error_of(Answer answer) {
        return answer == Answer::unavailable ? CallError::transient : CallError::throttled;
    }

    CallError& last_error(std::uint32_t slot) {
        if (errors_.size() <= slot) {
            errors_.resize(slot + 1, CallError::other);
        }
        return errors_[slot];
    }

    const Scenario& scenario_;
    Loop loop_;
    Service& service_;
    Recorder& recorder_;
    Random dice_;
    EventQueue events_;
    Calls calls_;
    std::vector<Program> programs_;
    std::vector<CallError> errors_;
};

}  // namespace

Result<Outcome> play_loop(const Scenario& scenario, Loop loop) {
    static constexpr std::pair<const char*, const char*> kNames[] = {
        {"article", "the article's loop"},
        {"sdk_standard", "AWS SDK, standard"},
        {"sdk_adaptive", "AWS SDK, adaptive"}};
    const auto& [key, name] = kNames[static_cast<std::size_t>(loop)];
    Service service(scenario.service);
    Recorder recorder(scenario, service, key, name);
    LoopDriver driver(scenario, loop, service, recorder);
    if (auto good = driver.run(); !good) {
        return std::unexpected(good.error());
    }
    return recorder.finish();
}

}  // namespace weir::plan
