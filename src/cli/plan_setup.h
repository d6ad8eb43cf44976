// From the options of `weir plan` to what is to be played.
#pragma once

#include "cli/config_file.h"
#include "plan/bound.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// As on the command line; the defaults are those of its help.
struct PlanOptions {
    /// The trace, and what is taken of its calls that it does not tell.
    struct Calls {
        std::string trace;
        std::string sort_window;
        std::string model;
        std::uint64_t max_tokens = 4096;
        std::string deadline = "60s";
        double estimate_spread = 0.1;
    };
    /// The model of the service.
    struct Service {
        std::optional<double> load;
        std::vector<std::string> quotas;
        std::string window = "sliding";
        bool count_refusals = false;
        std::vector<std::string> outages;
        std::vector<std::string> spells;
        double foreign = 0;
        std::string ttft = "400ms";
        double tokens_per_second = 60;
    };
    /// The gateways that share the quotas.
    struct Instances {
        std::size_t count = 1;
        std::string shares;  ///< of the calls, e.g. 70,10,10,10; empty: the same for each
        std::string store_latency = "300us";
    };
    struct Output {
        bool compare = false;
        bool json = false;
        std::string svg;
    };

    std::string config;
    bool learn = false;
    std::uint64_t seed = 1;
    Calls calls;
    Service service;
    Instances instances;
    Output output;
};

/// A scenario with what it refers to.
struct PlanSetup {
    std::unique_ptr<plan::Names> names = std::make_unique<plan::Names>();
    plan::Scenario scenario;
    plan::Survey survey;
    std::size_t left_out = 0;  ///< targets and quotas of mantle and of the reserved tier
};

/// Reads the configuration, looks through the trace once and fits the quotas to it. An error is a
/// wrong option, configuration or trace; one problem a line.
Result<PlanSetup> set_up_plan(const PlanOptions& options, const Getenv& getenv);

}  // namespace weir::cli
