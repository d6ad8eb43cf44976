#include "plan/result.h"

#include <algorithm>

namespace weir::plan {
namespace {

constexpr std::int64_t kMoments = 720;
constexpr std::uint64_t kProgressEvery = 4096;
constexpr double kRecovered = 0.9;

/// A round number of seconds of which at most kMoments make the span.
Duration moment_of(Duration span) {
    std::int64_t unit = 1;
    for (;; unit *= 10) {
        for (const std::int64_t factor : {1, 2, 5}) {
            if (std::chrono::seconds(factor * unit) * kMoments >= span) {
                return std::chrono::seconds(factor * unit);
            }
        }
    }
}

Tally& tally_of(std::vector<Tally>& tallies, std::uint32_t number) {
    if (tallies.size() <= number) {
        tallies.resize(number + 1);
    }
    return tallies[number];
}

}  // namespace

Recorder::Recorder(const Scenario& scenario, Service& service, std::string key, std::string name)
    : scenario_(scenario), service_(service) {
    outcome_.key = std::move(key);
    outcome_.name = std::move(name);
    outcome_.moment = moment_of(scenario.service.span);
    for (const Outage& outage : scenario.service.outages) {
        outcome_.outages.push_back({outage, {}, 0, {}, {}, {}});
    }
    after_.resize(outcome_.outages.size());
}

std::uint64_t OutageReport::most_refusals() const {
    std::uint64_t most = 0;
    for (const auto& [place, count] : refusals) {
        most = std::max(most, count);
    }
    return most;
}

std::optional<Duration> OutageReport::back_after() const {
    std::optional<Duration> last;
    for (const auto& [model, after] : taken_after) {
        if (!after) {
            return std::nullopt;
        }
        last = std::max(last.value_or(*after), *after);
    }
    return last;
}

Moment& Recorder::at(Duration now) {
    const auto index = static_cast<std::size_t>(now / outcome_.moment);
    if (outcome_.moments.size() <= index) {
        outcome_.moments.resize(index + 1);
    }
    return outcome_.moments[index];
}

void Recorder::sample(Duration now) {
    Moment& moment = at(now);
    moment.waiting = std::max(moment.waiting, waiting_);
    if (drawn_pool_) {
        moment.used = std::max(moment.used, service_.used(*drawn_pool_, now));
    }
}

void Recorder::arrived(Running& running, Duration now) {
    const Service::Place home =
        service_.place(scenario_.home_region, scenario_.model_of(running.call));
    // The pool of the first call in the home Region is the one drawn.
    if (!drawn_pool_) {
        drawn_pool_ = service_.pool_of(home);
    }
    running.place = home;
    running.asked_max = scenario_.max_tokens_of(running.call);
    running.max_output = running.asked_max;
    running.cost = running.call.input + service_.burndown(home) * running.output();
    ++waiting_;
    sample(now);
    if (++arrivals_ % kProgressEvery == 0 && scenario_.progress) {
        scenario_.progress();
    }
}

void Recorder::sent(const std::string& region, Duration now) {
    ++outcome_.sends;
    ++outcome_.sent_to[region];
    for (OutageReport& report : outcome_.outages) {
        const bool during = now >= report.outage.from && now < report.outage.to;
        report.sent_into += during && report.outage.region == region ? 1 : 0;
    }
}

void Recorder::answered(const Running& running, Duration now) {
    for (OutageReport& report : outcome_.outages) {
        if (!report.outage.spell || now < report.outage.from) {
            continue;
        }
        const bool accepted = running.answer == Answer::accepted;
        if (now < report.outage.to && !accepted &&
            service_.region_of(running.place) == report.outage.region) {
            ++report.refusals[running.place];
            report.taken_after.try_emplace(running.call.model);
        } else if (now >= report.outage.to && accepted) {
            const auto refused = report.taken_after.find(running.call.model);
            if (refused != report.taken_after.end() && !refused->second) {
                refused->second = now - report.outage.to;
            }
        }
    }
    switch (running.answer) {
        case Answer::accepted:
            --waiting_;
            break;
        case Answer::throttled_requests:
        case Answer::throttled_tokens:
            ++outcome_.refusals;
            ++at(now).refusals;
            break;
        case Answer::unavailable:
            ++outcome_.unavailable;
            break;
    }
    sample(now);
}

void Recorder::cut(Duration now) {
    ++waiting_;
    sample(now);
}

void Recorder::complete(const Running& running, Duration now) {
    const Duration known = running.call.stream ? running.first_at : now;
    const bool in_time = known - running.call.at <= scenario_.deadline;
    outcome_.truncated +=
        running.output() < std::min(running.call.output, running.asked_max) ? 1 : 0;
    if (in_time) {
        outcome_.wait.add(to_seconds(running.taken_at - running.call.at));
    } else {
        outcome_.to_failure.add(to_seconds(scenario_.deadline));
    }
    end(running, in_time, now);
}

void Recorder::failed(const Running& running, Duration now) {
    --waiting_;
    outcome_.to_failure.add(to_seconds(std::min(now - running.call.at, scenario_.deadline)));
    sample(now);
    end(running, false, now);
}

void Recorder::end(const Running& running, bool served, Duration now) {
    outcome_.end = std::max(outcome_.end, now);
    outcome_.all.add(running.cost, served);
    tally_of(outcome_.clients, running.call.client).add(running.cost, served);
    tally_of(outcome_.models, running.call.model).add(running.cost, served);
    for (std::size_t i = 0; i < outcome_.outages.size(); ++i) {
        OutageReport& report = outcome_.outages[i];
        if (running.call.at >= report.outage.from && running.call.at < report.outage.to) {
            report.during.add(running.cost, served);
        } else if (running.call.at >= report.outage.to) {
            const auto step =
                static_cast<std::size_t>((running.call.at - report.outage.to) / kStep);
            if (step < kSteps) {
                tally_of(after_[i], static_cast<std::uint32_t>(step)).add(running.cost, served);
            }
        }
    }
}

Outcome Recorder::finish() {
    for (std::size_t i = 0; i < after_.size(); ++i) {
        const auto good = std::ranges::find_if(after_[i], [](const Tally& tally) {
            return tally.calls > 0 && tally.by_count() >= kRecovered;
        });
        if (good != after_[i].end()) {
            outcome_.outages[i].recovered = kStep * (good - after_[i].begin());
        }
    }
    outcome_.pools = service_.report();
    return std::move(outcome_);
}

}  // namespace weir::plan
