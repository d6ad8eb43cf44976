// A stand-in for Amazon Bedrock: quotas, faults, latency, one port a Region. It shares no code with
// src/policy or src/bedrock, so that it cannot agree with them by construction.
#pragma once

#include "net/loop.h"

#include <weir/result.h>
#include <weir/time.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::simulator {

enum class WindowKind : std::uint8_t { sliding, fixed, bucket, short_bucket };

/// Quotas that count input and output apart.
struct SplitLimits {
    std::optional<std::uint64_t> input_tokens_per_minute;
    std::optional<std::uint64_t> output_tokens_per_minute;

    bool any() const { return input_tokens_per_minute || output_tokens_per_minute; }
};

struct ModelSettings {
    std::optional<std::uint64_t> requests_per_minute;
    std::optional<std::uint64_t> tokens_per_minute;
    std::optional<std::uint64_t> tokens_per_day;
    std::uint32_t output_burndown = 1;
    Duration time_to_first_token = std::chrono::milliseconds(400);
    double tokens_per_second = 60;
    double output_mean = 250;  // log-normal
    double output_spread = 0.8;
    bool refused_count = true;  // refused calls count against requests per minute
    SplitLimits mantle;         // on the mantle port, in place of the limits above
    SplitLimits reserved;       // of the tier `reserved`; beyond it, a call is served as `default`
    std::string mantle_path = "/v1";  // what the mantle port calls OpenAI's paths for this model
};

struct Fault {
    double from = 0;  // seconds since start
    double to = std::numeric_limits<double>::infinity();
    std::string region;  // empty: every one
    std::string model;   // empty: every one
    std::string kind;    // the names of docs/simulator.md
    double probability = 1;
};

struct KeyPair {
    std::string access_key_id;
    std::string secret_access_key;
};

struct Settings {
    std::map<std::string, std::string> regions;  // name -> address:port; port 0: any
    std::map<std::string, std::string> mantle;   // likewise: bedrock-mantle of those Regions
    std::string access_key_id = "AKIDEXAMPLE";
    std::string secret_access_key = "example";
    std::map<std::string, KeyPair> accounts;  // each with quotas of its own, as large
    bool verify = true;
    Duration quota_window = std::chrono::seconds(60);
    WindowKind window_kind = WindowKind::sliding;
    std::map<std::string, ModelSettings>
        models;  // unknown models answer ResourceNotFound... unless "*"
    std::vector<Fault> faults;
    std::string admin;       // empty: none
    std::uint64_t seed = 0;  // 0: drawn, and told at start
};

/// What happened, per Region and model: GET /truth. The mantle port of a Region has books of its
/// own, under `REGION/mantle`; another account's are under `ACCOUNT/REGION`. A call counts once in
/// the first line or the second; what was accepted ends once in the third, unless it is in flight.
struct Truth {
    std::uint64_t accepted = 0;
    std::uint64_t throttled_requests = 0, throttled_tokens = 0, throttled_daily = 0, faulted = 0,
                  rejected = 0;  // faulted: at the door; rejected: 4xx of the caller's own making
    std::uint64_t delivered = 0, cancelled = 0, broken = 0;  // broken: by a fault after acceptance
    std::uint64_t input_tokens = 0, output_tokens = 0, delivered_tokens = 0, max_in_flight = 0,
                  in_flight = 0;
    std::uint64_t cut_short = 0;                 // accepted, and ended by the output quota
    std::uint64_t overflowed = 0;                // accepted as `default` for want of `reserved`
    std::map<std::string, std::uint64_t> tiers;  // accepted, by the tier that was asked for
    std::map<std::string, std::uint64_t> guardrails;  // accepted, by the guardrail that was named
};

class Simulator {
public:
    /// Runs on loops that the caller owns and starts afterwards.
    Simulator(std::vector<net::Loop*> loops, Settings settings);
    ~Simulator();

    Result<void> start();
    std::uint16_t port(const std::string& region) const;  // as bound; `REGION/mantle` likewise
    std::uint16_t admin_port() const;
    std::map<std::string, std::map<std::string, Truth>> truth()
        const;                           // region -> model; thread-safe
    void add_fault(const Fault& fault);  // thread-safe
    void clear_faults();                 // thread-safe; running calls keep theirs
    std::uint64_t seed() const;          // as given, or as drawn
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::simulator
