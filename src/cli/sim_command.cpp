#include "cli/sim_command.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

std::string host_of(const std::string& address) {
    return address.substr(0, address.rfind(':'));
}

std::string_view name_of(simulator::WindowKind kind) {
    switch (kind) {
        case simulator::WindowKind::sliding:
            return "sliding";
        case simulator::WindowKind::fixed:
            return "fixed";
        case simulator::WindowKind::bucket:
            return "bucket";
        case simulator::WindowKind::short_bucket:
            return "short_bucket";
    }
    return "";
}

}  // namespace

int run_sim(const simulator::Settings& settings) {
    std::vector<std::unique_ptr<net::Loop>> loops;
    std::vector<net::Loop*> pointers;
    for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
        pointers.push_back(loops.emplace_back(std::make_unique<net::Loop>(i)).get());
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before there are threads, which inherit it
    signal(SIGPIPE, SIG_IGN);

    simulator::Simulator sim(pointers, settings);
    if (const auto started = sim.start(); !started) {
        fmt::print(stderr, "weir sim: {}\n", started.error().message);
        return 1;
    }
    for (const auto& [region, address] : settings.regions) {
        fmt::print("{} http://{}:{}\n", region, host_of(address), sim.port(region));
    }
    for (const auto& [region, address] : settings.mantle) {
        const std::string place = region + "/mantle";
        fmt::print("{} http://{}:{}\n", place, host_of(address), sim.port(place));
    }
    if (!settings.admin.empty()) {
        fmt::print("admin http://{}:{}\n", host_of(settings.admin), sim.admin_port());
    }
    fmt::print("window {} of {} s, seed {}\n", name_of(settings.window_kind),
               to_seconds(settings.quota_window), sim.seed());
    std::fflush(stdout);

    for (net::Loop* loop : pointers) {
        loop->start();
    }
    int caught = 0;
    while (sigwait(&signals, &caught) != 0) {
    }
    sim.stop();
    for (net::Loop* loop : pointers) {
        loop->stop();
    }
    for (net::Loop* loop : pointers) {
        loop->join();
    }
    return 0;
}

}  // namespace weir::cli
