// What a running gateway says of itself, as people look at it: worst first, with one verdict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// In the order of exit codes.
enum class Health : std::uint8_t { healthy, degraded, down };
std::string_view to_string(Health health);

struct LimitView {
    std::string kind;
    std::optional<std::uint64_t> limit;  // unset: not known
    std::uint64_t used = 0;
    std::uint64_t reserved = 0;
    bool learned = false;

    /// 0 where the limit is not known.
    double share() const;
};

struct TargetView {
    std::string account, region, model, endpoint, tier;
    std::string state;   // of the worst kind: open, day, misfit, closed, drain, half-open, full, ok
    std::string remark;  // why, where there is more to say
    int trouble = 0;     // 0: none; the larger, the worse
    std::uint64_t in_flight = 0;
    std::vector<LimitView> limits;
    double service_seconds = 0;

    bool usable() const;
    /// ACCOUNT/REGION/MODEL as far as they tell targets apart.
    std::string name() const;
    const LimitView* limit(std::string_view kind) const;
};

struct ClientView {
    std::string name;
    std::uint64_t waiting = 0;
    std::vector<LimitView> limits;
    std::string budget;  // of each period: spent, of how much, how it stands; empty: it has none
};

struct WaitingView {
    std::string model, priority;
    std::uint64_t calls = 0;
};

struct StoreView {
    std::string mode;  // joined, alone; empty: nothing is shared
    std::uint64_t instances = 0;
};

/// Why a gateway is not healthy.
struct Reason {
    std::string target;  // empty: the gateway itself
    std::string text;
};
std::string to_string(const Reason& reason);

struct GatewayView {
    std::string version;
    std::string configuration;
    std::vector<std::string> needs_restart;
    std::uint64_t in_flight = 0, waiting_calls = 0, waiting_bytes = 0;
    std::vector<TargetView> targets;  // worst first
    std::size_t unused = 0;           // of routes, not called so far, and not closed by an order
    std::vector<ClientView> clients;  // most waiting first
    std::vector<WaitingView> waiting;
    StoreView store;
    Health health = Health::healthy;
    std::vector<Reason> reasons;  // for it, worst first
};

/// Of the JSON of GET /status. Nullopt: it is none. `draining`: GET /readyz says so.
std::optional<GatewayView> view_of(std::string_view status, bool draining);

}  // namespace weir::cli
