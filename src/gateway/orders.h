// What an operator orders over the admin port: close, drain or open targets, shed a class of calls,
// pause a client.
#pragma once

#include <weir/config.h>
#include <weir/engine.h>
#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

inline constexpr Duration kOrderLasts = std::chrono::minutes(15);  // unless it says otherwise
inline constexpr Duration kLongestOrder = std::chrono::hours(7 * 24);

/// A request of the admin port, as text. All views belong to the caller.
struct OrderText {
    bool post = false;
    std::string_view path;  // without the query
    std::string_view query;
    std::string_view body;  // JSON, or empty
    std::string_view peer;
};
struct OrderReply {
    int status = 200;
    std::string_view type = {};  // of the error
    std::string body = {};       // JSON; of an error its message
};

enum class OrderKind : std::uint8_t { hold, shed, pause, resume };

struct Order {
    OrderKind kind = OrderKind::hold;
    // Of a hold: for what, and what to do with it.
    Hold hold = Hold::open;
    TargetFilter targets;
    Priority from = Priority::batch;  // of a shedding
    std::string client;               // of a pause, and of its end
    std::optional<Duration> lasts;
    std::string reason;
};

/// "15m": whole numbers of ms, s, m, h; at most kLongestOrder.
Result<Duration> order_duration(std::string_view text);

/// The path says what, the query and the body (one JSON object of strings) the rest: region, model,
/// account, priority, client, for, reason. A name in both places or an unknown one is an error.
Result<Order> read_order(const OrderText& text);

/// The targets of routes and of calls so far that the filter names.
std::vector<Target> targets_named(const TargetFilter& filter, const Config& config,
                                  const Status& status);
/// Why the order cannot be followed: a Region, model or client that is unknown. Where clients need
/// no key, they name themselves, and any name may come yet.
Result<void> check_order(const Order& order, const Config& config, const Status& status);

/// What is answered to an order that is followed. `afterwards`: what holds the targets once they
/// are no longer kept open. `was_paused`: a client that resumes.
std::string order_json(const Order& order, const std::vector<Target>& targets,
                       const std::optional<Override>& afterwards = {}, bool was_paused = false);
/// "close of MODEL in us-east-1 for 900 s, because ...": for the log.
std::string describe(const Order& order);

}  // namespace weir::gateway
