#include "cli/demo_page.h"

#include "cli/demo_load.h"
#include "cli/demo_world.h"
#include "gateway/gateway.h"
#include "simulator/simulator.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

constexpr DemoTime kRealTime{1};
/// The load and the outage come again after this many seconds.
constexpr double kRound = 180;
constexpr double kOutageFrom = 75;
constexpr double kOutageTo = 120;
constexpr const char* kUsualAdmin = "127.0.0.1:7071";

Config page_config(const simulator::Simulator& sim, const DemoTrace& trace) {
    Config config = demo_gateway(sim, trace, true, kRealTime);
    config.admin = kUsualAdmin;
    for (const std::string& name : trace.clients) {
        ClientConfig client;
        client.name = name;
        if (name == "etl") {
            client.priority = Priority::batch;
        } else if (name == "chat" || name == "search") {
            client.priority = Priority::interactive;
            client.share = 3;
        }
        config.clients.push_back(client);
    }
    return config;
}

/// On the usual admin port, or on a free one if that is taken.
Result<std::unique_ptr<gateway::Gateway>> start_gateway(const Config& config, std::uint64_t seed) {
    const auto start = [seed](Config with) -> Result<std::unique_ptr<gateway::Gateway>> {
        auto options = demo_options(with, seed);
        auto made = std::make_unique<gateway::Gateway>(std::move(with), std::move(options));
        if (auto started = made->start(); !started) {
            return std::unexpected(started.error());
        }
        return made;
    };
    if (auto made = start(config)) {
        return made;
    }
    Config elsewhere = config;
    elsewhere.admin = "127.0.0.1:0";
    return start(std::move(elsewhere));
}

/// Whether one of the signals came within `seconds`.
bool signalled(const sigset_t& signals, double seconds) {
    const timespec time{
        static_cast<std::time_t>(seconds),
        static_cast<long>((seconds - static_cast<double>(static_cast<std::time_t>(seconds))) *
                          1e9)};
    return sigtimedwait(&signals, nullptr, &time) > 0;
}

struct Round {
    DemoTrace trace;
    std::unique_ptr<DemoLoad> load;
};

/// Their connections belong to the loop, so they end on its thread.
void forget_finished(std::vector<std::unique_ptr<Round>>& rounds, net::Loop& loop) {
    for (auto& round : rounds) {
        if (round->load->finished()) {
            loop.post([done = std::move(round)] {});
        }
    }
    std::erase(rounds, nullptr);
}

}  // namespace

int run_demo_page(const DemoOptions& options) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // every thread inherits it

    simulator::Random random(options.seed != 0 ? options.seed : std::random_device{}());
    const std::uint64_t seed = random.next();
    const DemoTrace first = make_trace(seed, kRound, kDemoCallsPerSecond, kDemoLoad);
    net::Loop sim_loop(0);
    net::Loop load_loop(1);
    simulator::Simulator sim({&sim_loop}, demo_stand_in(first, kRealTime));
    if (auto started = sim.start(); !started) {
        fmt::print(stderr, "weir demo: {}\n", started.error().message);
        return 1;
    }
    auto made = start_gateway(page_config(sim, first), seed);
    if (!made) {
        fmt::print(stderr, "weir demo: {}\n", made.error().message);
        return 1;
    }
    gateway::Gateway& gateway = **made;
    sim_loop.start();
    load_loop.start();
    fmt::print("The page: http://127.0.0.1:{}/\n", gateway.admin_port());
    fmt::print(
        "Six programs send 1.2 times the quota of {}. From second {:.0f} to {:.0f} of every {:.0f} "
        "s it answers 503, and {} takes over. Ctrl-C ends the demo.\n",
        kDemoHome, kOutageFrom, kOutageTo, kRound, kDemoOther);
    std::fflush(stdout);

    const Instant start = std::chrono::steady_clock::now();
    const auto elapsed = [&] { return to_seconds(std::chrono::steady_clock::now() - start); };
    const double end = options.seconds_given ? options.seconds : 1e9;
    std::vector<std::unique_ptr<Round>> rounds;
    for (bool ended = false; !ended;) {
        const double at = elapsed();
        sim.clear_faults();
        sim.add_fault(demo_outage(at + kOutageFrom, at + kOutageTo));
        forget_finished(rounds, load_loop);
        auto round = std::make_unique<Round>();
        round->trace = rounds.empty() && at < 1
                           ? first
                           : make_trace(random.next(), kRound, kDemoCallsPerSecond, kDemoLoad);
        DemoLoad::Settings settings;
        settings.key = "page";
        settings.name = "page";
        settings.strategy = Strategy::sdk;
        settings.regions = {std::string(kDemoHome), std::string(kDemoOther)};
        settings.urls = {fmt::format("http://127.0.0.1:{}", gateway.ports().front())};
        settings.model = kDemoModel;
        settings.credentials = demo_credentials();
        settings.compression = kRealTime.compression;
        settings.seed = random.next();
        round->load = std::make_unique<DemoLoad>(load_loop, round->trace, std::move(settings));
        load_loop.spawn(round->load->run(std::chrono::steady_clock::now()));
        rounds.push_back(std::move(round));
        ended = signalled(signals, std::min(kRound, std::max(0.0, end - at))) || elapsed() >= end;
    }
    gateway.stop();
    sim.stop();
    load_loop.stop();
    sim_loop.stop();
    load_loop.join();
    sim_loop.join();
    load_loop.unwind();  // calls under way refer to their rounds
    return 0;
}

}  // namespace weir::cli
