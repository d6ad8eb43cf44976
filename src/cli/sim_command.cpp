#include "cli/sim_command.h"

#include <fmt/core.h>
#include <asio/signal_set.hpp>

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
    // Signals have a context of their own, so that stopping may wait for the loops.
    asio::io_context signals_context(1);
    asio::signal_set signals(signals_context, SIGTERM, SIGINT);

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
    signals.async_wait([](std::error_code, int) {});
    signals_context.run();
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
