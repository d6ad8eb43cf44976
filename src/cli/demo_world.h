// What the demo's runs are made of: the stand-in for Bedrock and the gateway before it.
#pragma once

#include "cli/demo_trace.h"
#include "codec/sigv4.h"
#include "gateway/gateway.h"
#include "gateway/snapshot.h"
#include "simulator/simulator.h"

#include <weir/config.h>
#include <weir/time.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace weir::cli {

inline constexpr std::string_view kDemoModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
inline constexpr std::string_view kDemoHome = "us-east-1";
inline constexpr std::string_view kDemoOther = "us-west-2";

/// The demo's world runs this many times as fast as the real one.
struct DemoTime {
    double compression = 1;
    Duration operator()(double seconds) const { return from_seconds(seconds / compression); }
    /// The same duration in the demo's world.
    void hasten(Duration& duration) const {
        duration = from_seconds(to_seconds(duration) / compression);
    }
};

/// Keys that the stand-in accepts.
codec::SigningCredentials demo_credentials();

/// Two Regions with the trace's quota.
simulator::Settings demo_stand_in(const DemoTrace& trace, DemoTime time);
/// The home Region answers 503; in real seconds since the stand-in's start.
simulator::Fault demo_outage(double from, double to);
/// weir with its own defaults, every duration as much faster as the demo's world; no admin port.
Config demo_gateway(const simulator::Simulator& sim, const DemoTrace& trace, bool quotas_told,
                    DemoTime time);

/// Options of the demo's gateway. They say that the stand-in's quotas are unused. Without that the
/// gateway would probe for one window (how-weir-decides.md, A start), and wait 200 ms of real time
/// for each step, which the demo's clock does not speed up.
gateway::GatewayOptions demo_options(const Config& config, std::uint64_t seed);

}  // namespace weir::cli
