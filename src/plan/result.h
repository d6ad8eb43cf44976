// What became of a trace under one strategy.
#pragma once

#include "plan/histogram.h"
#include "plan/scenario.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::plan {

struct Tally {
    std::uint64_t calls = 0;
    std::uint64_t served = 0;
    std::uint64_t tokens = 0;         ///< what all its calls would settle
    std::uint64_t tokens_served = 0;  ///< of those that were served

    void add(std::uint64_t cost, bool good) {
        ++calls;
        tokens += cost;
        served += good ? 1 : 0;
        tokens_served += good ? cost : 0;
    }
    /// Shares in 0..1; 1 of nothing.
    double by_count() const { return share(served, calls); }
    double by_tokens() const { return share(tokens_served, tokens); }

private:
    static double share(std::uint64_t part, std::uint64_t whole) {
        return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1;
    }
};

/// Calls that arrived while a Region was dead, and what it took to get over it.
struct OutageReport {
    Outage outage;
    Tally during;
    std::uint64_t sent_into = 0;  ///< attempts that the dead Region got
    /// From its end to the first 10 s of arrivals of which 90 % were served; unset: never.
    std::optional<Duration> recovered;
    /// Of a spell of 429s: what it refused to each target, and how soon after its end a call of
    /// each model that had been refused was taken, anywhere.
    std::map<Service::Place, std::uint64_t> refusals;
    std::map<std::uint32_t, std::optional<Duration>> taken_after;

    std::uint64_t most_refusals() const;
    /// Of the model that was slowest; unset: one was never taken.
    std::optional<Duration> back_after() const;
};

/// One step of time, for drawing.
struct Moment {
    std::int64_t used = 0;      ///< most tokens that stood against the drawn pool
    std::uint64_t waiting = 0;  ///< most calls that had arrived and were neither taken nor failed
    std::uint64_t refusals = 0;
};

struct Outcome {
    std::string key;   ///< for --json
    std::string name;  ///< for people
    Tally all;
    std::vector<Tally> clients;  ///< by number in Names
    std::vector<Tally> models;
    std::uint64_t sends = 0;
    std::uint64_t refusals = 0;        ///< 429s of the service
    std::uint64_t unavailable = 0;     ///< 503s
    std::uint64_t store_commands = 0;  ///< of several instances that share a quota
    std::uint64_t truncated = 0;       ///< answers that stopped below the caller's own max_tokens
    std::map<std::string, std::uint64_t> sent_to;      ///< by Region
    std::map<std::string, std::uint64_t> turned_away;  ///< by weir itself, by reason
    Histogram wait;        ///< seconds from arrival to the attempt that was served
    Histogram to_failure;  ///< seconds from arrival to knowing that there is no answer in time
    std::vector<OutageReport> outages;
    std::vector<Service::PoolReport> pools;
    Duration end{};     ///< when the last call was over
    Duration moment{};  ///< how long one of `moments` lasts
    std::vector<Moment> moments;

    double refusals_per_success() const {
        return all.served > 0 ? static_cast<double>(refusals) / static_cast<double>(all.served)
                              : static_cast<double>(refusals);
    }
};

/// A call on its way.
struct Running {
    std::size_t instance = 0;  ///< that it was asked of
    TraceCall call;
    std::uint64_t ordinal = 0;
    std::uint64_t generation = 0;
    std::uint64_t cost = 0;        ///< tokens it would settle at the model that was asked
    std::uint64_t asked_max = 0;   ///< the caller's max_tokens
    std::uint64_t max_output = 0;  ///< the present attempt's
    Service::Place place = 0;
    Service::Ticket ticket;
    Answer answer = Answer::accepted;
    Duration taken_at{};  ///< by the service
    Duration first_at{};  ///< its first token reaches the caller
    std::uint32_t attempt = 0;
    bool right_sized = false;  ///< max_output is lower by what the engine has learned
    bool cut = false;          ///< it has an answer that this cut short, and asks again

    std::uint64_t output() const { return std::min(call.output, max_output); }
};

/// Counts what happens to calls. Each that arrived ends exactly once.
class Recorder {
public:
    Recorder(const Scenario& scenario, Service& service, std::string key, std::string name);

    void arrived(Running& running, Duration now);
    void sent(const std::string& region, Duration now);
    /// The service answered an attempt.
    void answered(const Running& running, Duration now);
    /// Its answer was cut short by a lowered max_tokens: it is asked for again.
    void cut(Duration now);
    /// The caller has its complete answer.
    void complete(const Running& running, Duration now);
    /// The caller knows that there will be none.
    void failed(const Running& running, Duration now);
    void turned_away(std::string_view reason) { ++outcome_.turned_away[std::string(reason)]; }

    Outcome finish();

private:
    static constexpr Duration kStep = std::chrono::seconds(10);
    static constexpr std::size_t kSteps = 360;

    void end(const Running& running, bool served, Duration now);
    Moment& at(Duration now);
    void sample(Duration now);

    const Scenario& scenario_;
    Service& service_;
    Outcome outcome_;
    std::optional<std::uint32_t> drawn_pool_;
    std::uint64_t waiting_ = 0;
    std::uint64_t arrivals_ = 0;
    std::vector<std::vector<Tally>> after_;  // for each outage, by kStep since its end
};

}  // namespace weir::plan
