#include "cli/demo.h"

#include "aws/credentials.h"
#include "bedrock/model_data.h"
#include "cli/demo_load.h"
#include "cli/demo_report.h"
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
constexpr double kLoad = 1.2;
constexpr double kCallsPerSecond = 4;  // uncompressed, a row
constexpr double kPatience = 60;
constexpr std::string_view kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const std::string kHome = "us-east-1";
const std::string kOther = "us-west-2";
const std::string kAccessKey = "AKIDEXAMPLE";
const std::string kSecret = "example";

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

/// The stand-in's own keys, for a gateway that needs no chain.
class FixedKeys : public gateway::KeySource {
public:
    FixedKeys() {
        auto keys = std::make_shared<aws::Credentials>();
        keys->access_key_id = kAccessKey;
        keys->secret_access_key = kSecret;
        keys->source = "demo";
        keys_ = std::move(keys);
    }
    std::shared_ptr<const aws::Credentials> get() const override { return keys_; }
    void refresh(std::shared_ptr<const aws::Credentials>, std::function<void()> done) override {
        done();
    }

private:
    std::shared_ptr<const aws::Credentials> keys_;
};

Duration compressed(double seconds) {
    return from_seconds(seconds / kCompression);
}

simulator::Settings stand_in(const DemoTrace& trace, const DemoFacts& facts,
                             simulator::WindowKind window) {
    simulator::Settings settings;
    settings.regions = {{kHome, "127.0.0.1:0"}, {kOther, "127.0.0.1:0"}};
    settings.access_key_id = kAccessKey;
    settings.secret_access_key = kSecret;
    settings.quota_window = compressed(60);
    settings.window_kind = window;
    settings.seed = facts.seed;  // every row meets the same clock minutes
    simulator::ModelSettings model;
    model.tokens_per_minute = trace.tokens_per_minute;
    model.output_burndown = static_cast<std::uint32_t>(trace.burndown);
    model.time_to_first_token = compressed(0.4);
    model.tokens_per_second = 60 * kCompression;
    settings.models.emplace(kModel, model);
    simulator::Fault outage;
    outage.from = facts.outage_from / kCompression;
    outage.to = facts.outage_to / kCompression;
    outage.region = kHome;
    outage.kind = "unavailable";
    settings.faults.push_back(outage);
    return settings;
}

/// weir with its own defaults, every duration as much faster as the demo's world.
Config gateway_config(const simulator::Simulator& sim, const DemoTrace& trace, bool quotas_told) {
    Config config;
    config.listen = {"127.0.0.1:0"};
    config.admin.clear();
    config.workers = 1;
    config.default_region = kHome;
    for (const std::string& region : {kHome, kOther}) {
        config.regions[region].endpoint = fmt::format("http://127.0.0.1:{}", sim.port(region));
    }
    config.credentials.source = CredentialsSource::static_keys;
    config.credentials.access_key_id = kAccessKey;
    config.credentials.secret_access_key = kSecret;
    config.models = bedrock::builtin_models();
    config.quota_window = compressed(60);
    if (quotas_told) {
        QuotaConfig quota;
        quota.models = {std::string(kModel)};
        quota.tokens_per_minute = trace.tokens_per_minute;
        quota.output_burndown = static_cast<std::uint32_t>(trace.burndown);
        config.quotas.push_back(quota);
    }
    RouteConfig route;
    route.model = kModel;
    route.targets = {{.region = kHome, .model = {}}, {.region = kOther, .model = {}}};
    const auto faster = [](Duration& duration) {
        duration = from_seconds(to_seconds(duration) / kCompression);
    };
    faster(route.spill_after);
    faster(route.degrade_after);
    config.routes.push_back(route);
    for (Duration* duration :
         {&config.queue.deadline, &config.queue.max_wait, &config.queue.target_wait,
          &config.retry.base_delay, &config.retry.max_delay, &config.breaker.window,
          &config.breaker.open_for, &config.breaker.max_open, &config.timeouts.first_event,
          &config.timeouts.hold, &config.timeouts.idle, &config.timeouts.answer}) {
        faster(*duration);
    }
    return config;
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
    world.sim = std::make_unique<simulator::Simulator>(std::vector{&sim_loop},
                                                       stand_in(trace, facts, window));
    if (auto started = world.sim->start(); !started) {
        return started;
    }
    DemoLoad::Settings settings;
    settings.key = world.plan.key;
    settings.name = world.plan.name;
    settings.strategy = world.plan.strategy;
    settings.regions = {kHome, kOther};
    settings.model = kModel;
    settings.credentials = {
        .access_key_id = kAccessKey, .secret_access_key = kSecret, .session_token = {}};
    settings.compression = kCompression;
    settings.seed = facts.seed;
    if (world.plan.through_weir) {
        gateway::GatewayOptions options;
        options.make_keys = [](const auto&...) { return std::make_unique<FixedKeys>(); };
        options.log = [](LogLevel, std::string_view) {};
        options.seed = facts.seed;
        world.gateway = std::make_unique<gateway::Gateway>(
            gateway_config(*world.sim, trace, world.plan.quotas_told), std::move(options));
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
        std::max(options.seconds - kPatience / kCompression, options.seconds / 2) * kCompression;
    const DemoTrace trace = make_trace(random.next(), arrivals, kCallsPerSecond, kLoad);
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
