#include "cli/demo.h"

#include "cli/demo_load.h"
#include "cli/demo_page.h"
#include "cli/demo_report.h"
#include "cli/demo_world.h"
#include "cli/read_text.h"
#include "gateway/gateway.h"
#include "simulator/simulator.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

constexpr double kCompression = 10;
const std::string kHome(kDemoHome);
const std::string kOther(kDemoOther);

struct Plan {
    std::string key;
    std::string name;
    Strategy strategy;
    bool through_weir = false;
    bool quotas_told = false;
};

std::vector<Plan> plans() {
    return {
        {.key = "article",
         .name = "Loop written by hand, one Region",
         .strategy = Strategy::article},
        {.key = "sdk", .name = "AWS SDK, one Region", .strategy = Strategy::sdk},
        {.key = "sdk_then_other",
         .name = "AWS SDK, then the other Region",
         .strategy = Strategy::sdk_then_other},
        {.key = "weir_told",
         .name = "AWS SDK + weir, quotas told",
         .strategy = Strategy::sdk,
         .through_weir = true,
         .quotas_told = true},
        {.key = "weir_learned",
         .name = "AWS SDK + weir, quotas learned",
         .strategy = Strategy::sdk,
         .through_weir = true},
    };
}

/// One row's world: its stand-in, its gateway if it has one, its callers.
struct World {
    Plan plan;
    std::unique_ptr<simulator::Simulator> sim;
    std::unique_ptr<gateway::Gateway> gateway;
    std::unique_ptr<DemoLoad> load;
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Result<void> build(World& world, net::Loop& sim_loop, net::Loop& load_loop, const DemoTrace& trace,
                   const DemoFacts& facts, simulator::WindowKind window) {
    const DemoTime time{kCompression};
    simulator::Settings sim_settings = demo_stand_in(trace, time);
    sim_settings.window_kind = window;
    sim_settings.seed = facts.seed;  // every row meets the same clock minutes
    sim_settings.faults.push_back(
        demo_outage(facts.outage_from / kCompression, facts.outage_to / kCompression));
    world.sim =
        std::make_unique<simulator::Simulator>(std::vector{&sim_loop}, std::move(sim_settings));
    if (auto started = world.sim->start(); !started) {
        return started;
    }
    DemoLoad::Settings settings;
    settings.key = world.plan.key;
    settings.name = world.plan.name;
    settings.strategy = world.plan.strategy;
    settings.regions = {kHome, kOther};
    settings.model = kDemoModel;
    settings.credentials = demo_credentials();
    settings.compression = kCompression;
    settings.seed = facts.seed;
    if (world.plan.through_weir) {
        Config config = demo_gateway(*world.sim, trace, world.plan.quotas_told, time);
        auto options = demo_options(config, facts.seed);
        world.gateway = std::make_unique<gateway::Gateway>(std::move(config), std::move(options));
        if (auto started = world.gateway->start(); !started) {
            return started;
        }
        settings.urls = {fmt::format("http://127.0.0.1:{}", world.gateway->ports().front())};
    } else {
        for (const std::string& region : settings.regions) {
            settings.urls.push_back(fmt::format("http://127.0.0.1:{}", world.sim->port(region)));
        }
    }
    world.load = std::make_unique<DemoLoad>(load_loop, trace, std::move(settings));
    return {};
}

std::string progress_line(const std::vector<World>& worlds, double at, double of) {
    std::string line = fmt::format("{:3.0f} s of {:.0f} s, served so far:", at, of);
    for (const World& world : worlds) {
        const std::size_t ended = world.load->calls_ended();
        const double share = ended == 0 ? 0
                                        : 100 * static_cast<double>(world.load->calls_served()) /
                                              static_cast<double>(ended);
        line += fmt::format("  {} {:.0f} %", world.plan.key, share);
    }
    return line;
}

/// Waits for all rows, saying every now and then how far they are.
void watch(const std::vector<World>& worlds, Instant start, double seconds) {
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const double every = terminal ? 0.5 : 10;
    double next = every;
    for (;;) {
        const bool done = std::all_of(worlds.begin(), worlds.end(),
                                      [](const World& world) { return world.load->finished(); });
        if (done) {
            break;
        }
        const double at = to_seconds(std::chrono::steady_clock::now() - start);
        if (at >= next) {
            next += every;
            const std::string line = progress_line(worlds, at, seconds);
            fmt::print(stderr, "{}{}{}", terminal ? "\r" : "", line, terminal ? "" : "\n");
            std::fflush(stderr);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (terminal) {
        fmt::print(stderr, "\r{:110}\r", "");
    }
}

DemoRow result_of(const World& world) {
    DemoRow row = world.load->row();
    for (const auto& [region, models] : world.sim->truth()) {
        for (const auto& [model, truth] : models) {
            row.refusals +=
                truth.throttled_requests + truth.throttled_tokens + truth.throttled_daily;
            row.dead_calls += region == kHome ? truth.faulted : 0;
        }
    }
    return row;
}

std::string_view describe(simulator::WindowKind window) {
    switch (window) {
        case simulator::WindowKind::sliding:
            return "sliding (any 60 s)";
        case simulator::WindowKind::fixed:
            return "fixed (a clock minute)";
        case simulator::WindowKind::bucket:
            return "bucket (refilled evenly, a minute's burst)";
        case simulator::WindowKind::short_bucket:
            return "bucket (refilled evenly, ten seconds' burst)";
    }
    return "";
}

/// Writes the reports that were asked for.
int show(const DemoOptions& options, const DemoResult& result) {
    fmt::print("{}", options.json ? demo_json(result) : demo_text(result));
    std::fflush(stdout);
    if (options.svg.empty()) {
        return 0;
    }
    std::ofstream file(options.svg, std::ios::binary);
    file << demo_svg(result);
    file.flush();
    if (!file) {
        fmt::print(stderr, "weir demo: {}: cannot be written\n", options.svg);
        return 1;
    }
    return 0;
}

int show_earlier(const DemoOptions& options) {
    constexpr std::size_t kMostJson = 1UL << 20;
    const auto text = read_text(options.from, kMostJson, false);
    const auto result = text ? read_demo_json(*text) : std::unexpected(text.error());
    if (!result) {
        fmt::print(stderr, "weir demo: {}: {}\n", options.from, result.error().message);
        return 2;
    }
    return show(options, *result);
}

}  // namespace

int run_demo(const DemoOptions& options) {
    if (!options.from.empty()) {
        return show_earlier(options);
    }
    if (options.page) {
        return run_demo_page(options);
    }
    DemoFacts facts;
    facts.seed = options.seed != 0 ? options.seed : 1 + std::random_device{}() % 1'000'000;
    facts.compression = kCompression;
    facts.cores = std::max(1U, std::thread::hardware_concurrency());
    simulator::Random random(facts.seed);
    constexpr std::array kWindows{simulator::WindowKind::sliding, simulator::WindowKind::fixed,
                                  simulator::WindowKind::bucket};
    const simulator::WindowKind window = kWindows[random.below(kWindows.size())];
    facts.window = describe(window);

    // The last calls may take as long as an SDK waits.
    const double arrivals =
        std::max(options.seconds - kDemoPatience / kCompression, options.seconds / 2) *
        kCompression;
    const DemoTrace trace = make_trace(random.next(), arrivals, kDemoCallsPerSecond, kDemoLoad);
    facts.home = kHome;
    facts.outage_from = arrivals / 3;
    facts.outage_to = arrivals * 2 / 3;
    fmt::print(stderr,
               "weir demo: {} calls, five ways at once, for about {:.0f} s. Seed {}, window: {}.\n",
               trace.calls.size(), options.seconds, facts.seed, facts.window);

    net::Loop sim_loop(0);
    net::Loop load_loop(1);
    std::vector<World> worlds;
    for (Plan& plan : plans()) {
        World world;
        world.plan = std::move(plan);
        if (auto built = build(world, sim_loop, load_loop, trace, facts, window); !built) {
            fmt::print(stderr, "weir demo: {}\n", built.error().message);
            return 1;
        }
        worlds.push_back(std::move(world));
    }
    const double cpu_before = cpu_seconds();
    const Instant start = std::chrono::steady_clock::now();
    for (const World& world : worlds) {
        load_loop.spawn(world.load->run(start));
    }
    sim_loop.start();
    load_loop.start();
    watch(worlds, start, options.seconds);
    facts.cpu_share = (cpu_seconds() - cpu_before) /
                      to_seconds(std::chrono::steady_clock::now() - start) / facts.cores;

    std::vector<DemoRow> rows;
    rows.reserve(worlds.size());
    for (const World& world : worlds) {
        rows.push_back(result_of(world));
    }
    const DemoResult result = demo_result(trace, facts, rows);
    const bool reached =
        std::ranges::any_of(result.rows, [](const DemoFigures& row) { return row.answered > 0; });
    int exit_code = 1;
    if (reached) {
        exit_code = show(options, result);
    } else {
        fmt::print(stderr,
                   "weir demo: no call was answered in any row: the demo's parts cannot reach each "
                   "other on 127.0.0.1. Check that the loopback interface is up.\n");
    }

    for (const World& world : worlds) {
        if (world.gateway) {
            world.gateway->stop();
        }
        world.sim->stop();
    }
    load_loop.stop();
    sim_loop.stop();
    load_loop.join();
    sim_loop.join();
    return exit_code;
}

}  // namespace weir::cli
