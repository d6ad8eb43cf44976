// What goes wrong, where and when.
#pragma once

#include "simulator/random.h"
#include "simulator/simulator.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

enum class FaultKind : std::uint8_t {
    unavailable,
    too_many_connections,
    overloaded,
    overloaded_529,
    not_ready,
    internal,
    model_timeout,
    model_error,
    access_denied,
    expired_token,
    daily_quota,
    reset,
    garbage,
    first_event,
    mid_stream,
    mid_stream_reset,
    hang,
    slow,
};

std::optional<FaultKind> parse_fault_kind(std::string_view name);
std::string_view to_string(FaultKind kind);
/// Every name, for messages: "unavailable, too_many_connections, ...".
std::string fault_kind_names();

/// Whether the call is refused at the door, before any quota is charged.
bool at_the_door(FaultKind kind);

/// The faults in force, in the order they were given; the first that matches and whose die falls
/// decides. Faults of unknown kind are never added.
class FaultScript {
public:
    /// False: the kind is unknown or the numbers make no sense.
    bool add(const Fault& fault);
    void clear() { faults_.clear(); }
    std::vector<Fault> list() const;

    /// `elapsed`: seconds since start. `model` empty: a call that names none, which a fault of one
    /// model never hits. A die is thrown only for a fault of probability below 1 that matches.
    std::optional<FaultKind> draw(std::string_view region, std::string_view model, double elapsed,
                                  Random& random) const;

private:
    struct Armed {
        Fault fault;
        FaultKind kind;
    };
    std::vector<Armed> faults_;
};

}  // namespace weir::simulator
