// A model of the service for tests: what it counts, refuses and how long it takes. It is written
// from what is known of Bedrock and shares nothing with the limiter it is used to judge.
#pragma once

#include <weir/time.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::test {

/// The buckets hold the quota of so many seconds and refill at its pace.
enum class Window { sliding, clock_minute, bucket_60s, bucket_10s };

/// One Region's quota for one model: reserves input + max_tokens when a request arrives, adjusts to
/// input + burndown * output when the answer is complete.
class ServiceModel {
public:
    ServiceModel(Window window, double tokens_per_minute, double phase = 0)
        : kind_(window), limit_(tokens_per_minute), phase_(phase) {}

    void outage(double from, double to) { outages_.emplace_back(from, to); }

    enum class Answer { accepted, throttled, unavailable };

    Answer arrive(double now, std::uint64_t request, double input, double max_tokens) {
        for (const auto& [from, to] : outages_) {
            if (now >= from && now < to) {
                ++unavailable;
                return Answer::unavailable;
            }
        }
        const double cost = input + max_tokens;
        if (used(now) + cost > size()) {
            ++throttled;
            return Answer::throttled;
        }
        ++accepted;
        charge(now, cost);
        held_[request] = {now, cost};
        return Answer::accepted;
    }

    void complete(double now, std::uint64_t request, double input, double output, double burndown) {
        const auto [stamp, held] = held_.at(request);
        held_.erase(request);
        const double more = input + burndown * output - held;
        used(now);
        charge(more > 0 ? now : stamp, more);
    }

    std::uint64_t accepted = 0;
    std::uint64_t throttled = 0;
    std::uint64_t unavailable = 0;

private:
    struct Charge {
        double at;
        double amount;
    };

    bool bucket() const { return kind_ == Window::bucket_60s || kind_ == Window::bucket_10s; }
    double size() const { return kind_ == Window::bucket_10s ? limit_ / 6 : limit_; }

    void charge(double at, double amount) {
        if (bucket()) {
            missing_ = std::max(0.0, missing_ + amount);
        } else {
            charges_.push_back({at, amount});
        }
    }

    double window_start(double now) const {
        if (kind_ == Window::sliding) {
            return now - 60;
        }
        const double minutes = static_cast<double>(static_cast<std::int64_t>((now + phase_) / 60));
        return minutes * 60 - phase_;
    }

    double used(double now) {
        if (bucket()) {
            missing_ = std::max(0.0, missing_ - (now - refilled_) * limit_ / 60);
            refilled_ = now;
            return missing_;
        }
        const double from = window_start(now);
        double sum = 0;
        std::deque<Charge> live;
        for (const Charge& c : charges_) {
            if (c.at >= from) {
                sum += c.amount;
            }
            if (c.at >= now - 130) {
                live.push_back(c);
            }
        }
        charges_.swap(live);
        return sum;
    }

    Window kind_;
    double limit_;
    double phase_;
    double missing_ = 0;  // of a full bucket
    double refilled_ = 0;
    std::vector<std::pair<double, double>> outages_;
    std::deque<Charge> charges_;
    std::map<std::uint64_t, std::pair<double, double>> held_;
};

/// One request of a load: what it will turn out to be is known to the service alone.
struct Request {
    double at = 0;
    std::string client;
    double input = 0;
    double output = 0;
    double max_tokens = 0;
    double estimate = 0;
    bool stream = false;
};

constexpr double kBurndown = 5;

inline double settled(const Request& r) {
    return r.input + kBurndown * r.output;
}

inline double latency(const Request& r) {
    return 0.4 + r.output / 60;
}

}  // namespace weir::test
