// What is to be played: the trace, the service, and what the engine is told.
#pragma once

#include "plan/service.h"
#include "plan/trace.h"

#include <functional>

namespace weir::plan {

/// From a client to the service, and back again.
constexpr Duration kWire = std::chrono::milliseconds(10);

struct Scenario {
    OpenTrace open;
    const Names* names = nullptr;  ///< those of `open`; must outlive the scenario
    Config config;                 ///< what the engine is told; passes validate()
    ServiceSetup service;
    std::string home_region;    ///< where the callers' signatures point
    std::string default_model;  ///< of rows that do not say
    std::uint64_t default_max_tokens = 4096;
    /// A call is served if its complete answer, or a stream's first token, is there by then.
    Duration deadline = std::chrono::seconds(60);
    double estimate_spread = 0.1;  ///< of the logarithm of estimated over true input
    std::uint64_t seed = 1;
    /// How many gateways share the quotas, each asked for a part of the calls as its weight says.
    std::size_t instances = 1;
    std::vector<double> weights;  ///< empty: all the same
    bool by_client = false;       ///< all calls of a client arrive at one instance
    /// From an instance to the store and back.
    Duration store_latency = std::chrono::microseconds(300);
    std::function<void()> progress;  ///< called every few thousand calls; may be empty

    /// The model that a row asks for, aliases resolved.
    const std::string& model_of(std::uint32_t model) const {
        const std::string& name = model == Names::kNone ? default_model : names->name(model);
        const auto alias = config.aliases.find(name);
        return alias != config.aliases.end() ? alias->second : name;
    }
    const std::string& model_of(const TraceCall& call) const { return model_of(call.model); }
    std::uint64_t max_tokens_of(const TraceCall& call) const {
        return call.max_tokens > 0 ? call.max_tokens : default_max_tokens;
    }
};

/// How long the service takes for `output` tokens: to the first one, and in all. A log's own times
/// are kept; where fewer tokens come than it had, the rest of the time shrinks with them.
struct Latency {
    Duration first;
    Duration whole;
};
Latency latency_of(const ServiceSetup& service, const TraceCall& call, std::uint64_t output);

}  // namespace weir::plan
