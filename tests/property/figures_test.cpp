// What weir is for, in figures, on virtual time: the same load through the AWS article's retry loop
// and through the engine, against a model of the service.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <queue>
#include <vector>

#include "property/random_source.h"
#include "property/service_model.h"
#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Dice;
using test::Request;
using test::ServiceModel;
using test::Window;

constexpr double kQuota = 200'000;
constexpr double kSeconds = 1800;
constexpr double kWarmUp = 120;
constexpr double kWire = 0.01;  // to the service; refusals come back as fast

/// Bursty: every 10 s the rate is drawn anew, nearly three to one between full and slack; sizes are
/// log-normal.
std::vector<Request> load(double of_quota, std::uint64_t seed, double heavy_part = 0) {
    Dice dice(seed);
    std::vector<Request> all;
    const double mean_cost = 1500 + test::kBurndown * 250;
    const double rate = of_quota * kQuota / mean_cost / 60;
    double at = 0;
    double burst = 1;
    double next_change = 0;
    while (at < kSeconds) {
        if (at >= next_change) {
            burst = dice.one_in(3) ? 1.75 : 0.625;
            next_change = at + 10;
        }
        at += dice.exponential(1 / (rate * burst));
        Request r;
        r.at = at;
        r.client = dice.uniform() < heavy_part ? "heavy" : "light-" + std::to_string(dice.below(8));
        r.input = std::min(40'000.0, std::floor(dice.log_normal(1500, 1.0)) + 10);
        r.max_tokens = 2048;
        r.output = std::clamp(std::floor(dice.log_normal(250, 0.8)), 1.0, r.max_tokens);
        r.estimate = r.input * dice.log_normal(1.0, 0.05);
        r.stream = dice.one_in(2);
        all.push_back(r);
    }
    // Scaled to what was asked for, whatever the bursts came to.
    double sum = 0;
    for (const Request& r : all) {
        sum += test::settled(r);
    }
    const double stretch = sum / (of_quota * kQuota * kSeconds / 60);
    for (Request& r : all) {
        r.at *= stretch;
    }
    return all;
}

/// The same of one client.
std::vector<Request> alone(double of_quota, std::uint64_t seed) {
    auto requests = load(of_quota, seed);
    std::ranges::for_each(requests, [](Request& r) { r.client = "alone"; });
    return requests;
}

struct Course {
    std::uint64_t calls = 0, ok = 0, refusals = 0, to_first = 0;
    double tokens = 0, tokens_ok = 0;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> clients;  // calls, ok
    std::vector<double> waits, failures;  // seconds: to the last grant, to a refusal

    static double quantile(std::vector<double> of, double q) {
        std::ranges::sort(of);
        return of.empty() ? 0
                          : of[static_cast<std::size_t>(q * static_cast<double>(of.size() - 1))];
    }
    void count(const Request& r, bool served) {
        if (r.at < kWarmUp) {
            return;
        }
        ++calls;
        tokens += test::settled(r);
        auto& [asked, got] = clients[r.client.substr(0, 5)];
        ++asked;
        if (served) {
            ++ok;
            ++got;
            tokens_ok += test::settled(r);
        }
    }
    double success() const { return static_cast<double>(ok) / static_cast<double>(calls); }
    double by_tokens() const { return tokens_ok / tokens; }
    double per_success() const {
        return static_cast<double>(refusals) / static_cast<double>(std::max<std::uint64_t>(ok, 1));
    }
    double success_of(const std::string& client) const {
        const auto& [asked, got] = clients.at(client);
        return static_cast<double>(got) / static_cast<double>(asked);
    }
    void print(const char* what) const {
        std::printf(
            "%-46s success %.4f by tokens %.4f refusals/success %.4f first Region sent %llu\n",
            what, success(), by_tokens(), per_success(), static_cast<unsigned long long>(to_first));
    }
};

/// Things that happen, in order of time.
class Clock {
public:
    void at(double time, std::function<void()> what) {
        events_.push(Event{time, sequence_++, std::move(what)});
    }
    double now() const { return now_; }
    std::optional<double> next() const {
        return events_.empty() ? std::nullopt : std::optional(events_.top().time);
    }
    void step() {
        Event e = events_.top();
        events_.pop();
        now_ = std::max(now_, e.time);
        e.what();
    }
    void to(double time) { now_ = std::max(now_, time); }

private:
    struct Event {
        double time;
        std::uint64_t order;
        std::function<void()> what;
        bool operator<(const Event& other) const {
            return time != other.time ? time > other.time : order > other.order;
        }
    };
    std::priority_queue<Event> events_;
    double now_ = 0;
    std::uint64_t sequence_ = 0;
};

/// The article's loop: five tries, 1 s doubling plus up to a tenth, for throttling alone.
Course article(const std::vector<Request>& requests, ServiceModel& service, std::uint64_t seed) {
    Clock clock;
    Dice dice(seed);
    Course result;
    std::function<void(std::size_t, int)> attempt = [&](std::size_t i, int number) {
        const Request& r = requests[i];
        const auto answer = service.arrive(clock.now(), i, r.input, r.max_tokens);
        if (answer == ServiceModel::Answer::accepted) {
            clock.at(clock.now() + test::latency(r), [&, i] {
                service.complete(clock.now(), i, r.input, r.output, test::kBurndown);
                result.count(r, true);
            });
        } else if (answer == ServiceModel::Answer::unavailable || number == 5) {
            result.refusals += answer == ServiceModel::Answer::throttled && r.at >= kWarmUp;
            result.count(r, false);
        } else {
            result.refusals += r.at >= kWarmUp;
            const double wait = std::min(60.0, static_cast<double>(1 << (number - 1)));
            clock.at(clock.now() + wait * (1 + 0.1 * dice.uniform()),
                     [&, i, number] { attempt(i, number + 1); });
        }
    };
    for (std::size_t i = 0; i < requests.size(); ++i) {
        clock.at(requests[i].at, [&, i] { attempt(i, 1); });
    }
    while (clock.next()) {
        clock.step();
    }
    return result;
}

/// The engine, driven as the gateway drives it.
class Weir {
public:
    Weir(const std::vector<Request>& requests, std::vector<ServiceModel*> services, Config config,
         std::uint64_t seed)
        : requests_(requests),
          services_(std::move(services)),
          engine_(std::move(config), seed, instant(0)) {}

    Course run() {
        for (std::size_t i = 0; i < requests_.size(); ++i) {
            clock_.at(requests_[i].at, [this, i] { arrive(i); });
        }
        for (;;) {
            const auto event = clock_.next();
            const auto wake = engine_.next_wake();
            const double wake_at =
                wake ? to_seconds(wake->time_since_epoch()) - kEpoch + 1e-9 : 1e18;
            if (!event && !wake) {
                break;
            }
            if (event && *event <= wake_at) {
                clock_.step();
            } else {
                clock_.to(wake_at);
            }
            advance();
        }
        const Status end = engine_.status(now());
        EXPECT_EQ(end.in_flight, 0U);
        EXPECT_EQ(end.waiting_calls, 0U);
        return result_;
    }

private:
    static constexpr double kEpoch = 5000;
    static Instant instant(double t) { return Instant{} + from_seconds(t + kEpoch); }
    Instant now() const { return instant(clock_.now()); }

    void arrive(std::size_t i) {
        const Request& r = requests_[i];
        Call call;
        call.id = CallId{0, static_cast<std::uint32_t>(i), i};
        call.client = r.client;
        call.model = kSonnet;
        call.home_region = "us-east-1";
        call.stream = r.stream;
        call.input_estimate = static_cast<std::uint64_t>(r.estimate);
        call.max_output = static_cast<std::uint64_t>(r.max_tokens);
        call.arrival = now();
        act(call.id, engine_.offer(call, now()));
    }

    void act(CallId id, const Decision& decision) {
        const std::size_t i = id.slot;
        if (std::holds_alternative<Refusal>(decision)) {
            result_.count(requests_[i], false);
            result_.failures.push_back(clock_.now() - requests_[i].at);
        } else if (const auto* grant = std::get_if<Grant>(&decision)) {
            result_.waits.push_back(clock_.now() - requests_[i].at);
            const bool second = grant->target->region != "us-east-1";
            clock_.at(clock_.now() + 0.001, [this, id, second] { send(id, second ? 1 : 0); });
        }
    }

    void send(CallId id, std::size_t where) {
        engine_.sent(id, now());
        const std::size_t i = id.slot;
        if (where == 0) {
            ++result_.to_first;
        }
        clock_.at(clock_.now() + kWire, [this, id, i, where] {
            const Request& r = requests_[i];
            ServiceModel& service = *services_[where];
            const auto answer = service.arrive(clock_.now(), i, r.input, r.max_tokens);
            if (answer != ServiceModel::Answer::accepted) {
                Failure f;
                f.stage = Stage::sent;
                const bool quota = answer == ServiceModel::Answer::throttled;
                f.cls = quota ? FailureClass::quota_tokens : FailureClass::capacity;
                f.status = quota ? 429 : 503;
                result_.refusals += quota && r.at >= kWarmUp;
                clock_.at(clock_.now() + kWire,
                          [this, id, f] { act(id, engine_.report(id, f, now())); });
                return;
            }
            if (r.stream) {
                clock_.at(clock_.now() + 0.4, [this, id] { engine_.began(id, now()); });
            }
            clock_.at(clock_.now() + test::latency(r), [this, id, i, &r, &service] {
                service.complete(clock_.now(), i, r.input, r.output, test::kBurndown);
                clock_.at(clock_.now() + kWire, [this, id, &r] {
                    Usage u;
                    u.input = static_cast<std::uint64_t>(r.input);
                    u.output = static_cast<std::uint64_t>(r.output);
                    u.known = true;
                    engine_.settle(id, u, now());
                    // What an SDK's read timeout of 60 s would not have waited for is no success.
                    const double first = r.stream ? test::latency(r) - 0.4 : 0;
                    result_.count(r, clock_.now() - first - r.at <= 60);
                });
            });
        });
    }

    void advance() {
        std::vector<Wake> woken;
        do {
            woken.clear();
            engine_.advance(now(), woken);
            for (const Wake& w : woken) {
                act(w.id, w.decision);
            }
        } while (woken.size() == 64);
    }

    const std::vector<Request>& requests_;
    std::vector<ServiceModel*> services_;
    Engine engine_;
    Clock clock_;
    Course result_;
};

Config config(bool two_regions, bool told = true) {
    Config c;
    c.regions["us-east-1"] = {};
    c.default_region = "us-east-1";
    RouteConfig route;
    route.model = kSonnet;
    route.targets.push_back({"us-east-1", ""});
    if (two_regions) {
        c.regions["us-west-2"] = {};
        route.targets.push_back({"us-west-2", ""});
    }
    c.routes.push_back(route);
    if (told) {
        QuotaConfig q;
        q.models = {kSonnet};
        q.tokens_per_minute = static_cast<std::uint64_t>(kQuota);
        c.quotas.push_back(q);
    }
    return c;
}

class Figures : public ::testing::Test {
protected:
    const std::uint64_t seed_ = test::seed_for("figures", 11);
};

TEST_F(Figures, AtElevenTenthsOfTheQuota) {
    constexpr std::uint64_t kLoads = 5;
    for (const Window window : {Window::sliding, Window::clock_minute}) {
        const char* name = window == Window::sliding ? "sliding window" : "clock minute";
        double ours = 0;
        double theirs = 0;
        for (std::uint64_t s = seed_; s < seed_ + kLoads; ++s) {
            const auto requests = load(1.1, s);
            ServiceModel for_article(window, kQuota, 17);
            const Course a = article(requests, for_article, s);
            a.print((std::string("1.1x, article, ") + name).c_str());
            ServiceModel for_weir(window, kQuota, 17);
            const Course w = Weir(requests, {&for_weir}, config(false), s).run();
            w.print((std::string("1.1x, weir, ") + name).c_str());
            EXPECT_LE(w.per_success(), 0.02);
            ours += w.by_tokens() / kLoads;
            theirs += a.by_tokens() / kLoads;
        }
        std::printf("1.1x, %s: by tokens weir %.4f, article %.4f\n", name, ours, theirs);
        EXPECT_GE(ours, theirs - 0.01);
    }
}

TEST_F(Figures, WaitsInAStandingOverloadStayShortAndRefusalsComeAtOnce) {
    for (const double of_quota : {1.6, 2.0}) {
        const auto requests = alone(of_quota, seed_);
        ServiceModel service(Window::sliding, kQuota);
        const Course w = Weir(requests, {&service}, config(false), seed_).run();
        Config deep = config(false);
        deep.queue.target_wait = deep.queue.max_wait;
        ServiceModel other(Window::sliding, kQuota);
        const Course d = Weir(requests, {&other}, deep, seed_).run();
        w.print("standing overload, target_wait 2 s");
        d.print("standing overload, target_wait max_wait");
        std::printf("wait p50 %.2f instead of %.2f, failure p50 %.2f, p95 %.2f\n",
                    Course::quantile(w.waits, 0.5), Course::quantile(d.waits, 0.5),
                    Course::quantile(w.failures, 0.5), Course::quantile(w.failures, 0.95));
        EXPECT_LE(Course::quantile(w.waits, 0.5), 4);
        EXPECT_GE(Course::quantile(d.waits, 0.5), 20);
        EXPECT_LE(Course::quantile(w.failures, 0.5), 0.5);
        EXPECT_LE(Course::quantile(w.failures, 0.95), 10);
        EXPECT_GE(w.by_tokens(), d.by_tokens() - 0.03);
    }
}

TEST_F(Figures, WaitsAreShortWhateverTheShapeOfTheMinute) {
    const auto requests = alone(1.6, seed_);
    for (const Window window : {Window::clock_minute, Window::bucket_60s, Window::bucket_10s}) {
        const std::string name = "window shape " + std::to_string(static_cast<int>(window));
        ServiceModel service(window, kQuota, 17);
        const Course w = Weir(requests, {&service}, config(false), seed_).run();
        w.print(name.c_str());
        const double median = Course::quantile(w.waits, 0.5);
        const double told = Course::quantile(w.failures, 0.95);
        std::printf("wait p50 %.2f, failure p95 %.2f\n", median, told);
        EXPECT_LE(median, 4) << name;
        EXPECT_LE(told, 10) << name;
        EXPECT_LE(w.per_success(), 0.02) << name;
    }
}

TEST_F(Figures, OrdersThatOvertakeTellWhoWasOvertakenSoon) {
    const auto requests = alone(1.6, seed_);
    std::map<std::string, Course> results;
    for (const char* order : {"fifo", "small_first", "adaptive_lifo"}) {
        Config c = config(false);
        c.queue.order = order;
        ServiceModel service(Window::sliding, kQuota);
        const Course w = Weir(requests, {&service}, c, seed_).run();
        w.print(order);
        std::printf("wait p50 %.2f, failure p50 %.2f, p95 %.2f\n", Course::quantile(w.waits, 0.5),
                    Course::quantile(w.failures, 0.5), Course::quantile(w.failures, 0.95));
        EXPECT_LE(Course::quantile(w.waits, 0.5), 4) << order;
        EXPECT_LE(Course::quantile(w.failures, 0.95), c.queue.order == "adaptive_lifo" ? 40 : 10);
        results[order] = w;
    }
    EXPECT_GE(results["small_first"].success(), results["fifo"].success() + 0.03);
}

TEST_F(Figures, WithLearnedLimits) {
    const auto requests = load(1.1, seed_);
    ServiceModel service(Window::sliding, kQuota);
    const Course w = Weir(requests, {&service}, config(false, false), seed_).run();
    w.print("1.1x, weir, learned, sliding window");
    EXPECT_LE(w.per_success(), 0.2);
    EXPECT_GE(w.by_tokens(), 0.75);
}

TEST_F(Figures, OneOfTwoRegionsAnswers503) {
    const auto requests = load(0.6, seed_);
    ServiceModel dead(Window::sliding, kQuota);
    dead.outage(300, kSeconds + 1000);
    ServiceModel alive(Window::sliding, kQuota);
    const Course w = Weir(requests, {&dead, &alive}, config(true), seed_).run();
    w.print("0.6x, one Region of two dead, weir");
    EXPECT_GE(w.success(), 0.995);
    const auto during = static_cast<double>(
        std::ranges::count_if(requests, [](const Request& r) { return r.at >= 300; }));
    std::printf("calls sent to the dead Region: %.4f of all\n",
                static_cast<double>(dead.unavailable) / during);
    EXPECT_LE(static_cast<double>(dead.unavailable) / during, 0.05);
}

TEST_F(Figures, OneClientSendsHalfOfThirteenTenths) {
    for (const Window window : {Window::sliding, Window::clock_minute}) {
        const auto requests = load(1.3, seed_, 0.5);
        ServiceModel for_article(window, kQuota, 17);
        const Course a = article(requests, for_article, seed_);
        ServiceModel for_weir(window, kQuota, 17);
        const Course w = Weir(requests, {&for_weir}, config(false), seed_).run();
        a.print("1.3x, one heavy, article");
        w.print("1.3x, one heavy, weir");
        std::printf("light clients: article %.4f, weir %.4f\n", a.success_of("light"),
                    w.success_of("light"));
        EXPECT_GE(w.success_of("light"), 0.97);
    }
}

}  // namespace
}  // namespace weir
