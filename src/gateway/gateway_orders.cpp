// Orders of operators for a running gateway.
#include "gateway/gateway_impl.h"

#include <algorithm>

namespace weir::gateway {
namespace {

OrderReply conflict(std::string message) {
    return {409, "ConflictException", "weir: " + std::move(message)};
}

/// The order for all of these targets and more that keeps calls away from them for longest, and for
/// longer than that.
std::optional<Override> holding(const TargetFilter& targets, const Status& status,
                                Duration longer_than) {
    std::optional<Override> found;
    for (const Override& other : status.overrides) {
        if (other.hold != Hold::open && other.targets.covers(targets) &&
            !targets.covers(other.targets) &&
            other.lasts > std::max(longer_than, found ? found->lasts : Duration())) {
            found = other;
        }
    }
    return found;
}

/// Why it could not be followed, and then nothing has changed; nullopt: it has been. To open takes
/// back what closed or drained it; `for` keeps it open beside that, against the breaker or a wider
/// order.
std::optional<OrderReply> hold(EngineGate& gate, const Order& order, const Status& now) {
    if (order.hold == Hold::open) {
        const auto wider = holding(order.targets, now, {});
        if (wider && !order.lasts) {
            return conflict("a wider order holds " + std::string(to_string(wider->hold)) +
                            " what you want open, for another " +
                            std::to_string(to_ms(wider->lasts) / 1000) +
                            " s: open all that it names, or give `for`");
        }
        gate.release(order.targets, {});
    }
    if (order.lasts) {
        const bool held = gate.hold({.hold = order.hold,
                                     .targets = order.targets,
                                     .lasts = *order.lasts,
                                     .reason = order.reason});
        if (!held) {
            return conflict("200 orders are in force already; open some targets first");
        }
    }
    return std::nullopt;
}

std::optional<OrderReply> pause(EngineGate& gate, const Order& order) {
    const bool paused =
        gate.pause({.client = order.client, .lasts = *order.lasts, .reason = order.reason});
    return paused ? std::nullopt
                  : std::optional(conflict("200 clients are paused already; resume some first"));
}

/// Whoever has paused it.
void resume(EngineGate& gate, const Order& order, const Status& now) {
    for (const Pause& one : now.paused) {
        if (one.client == order.client) {
            gate.pause({.client = one.client, .lasts = {}, .by = one.by});
        }
    }
}

std::optional<OrderReply> follow(EngineGate& gate, const Order& order, const Status& now) {
    switch (order.kind) {
        case OrderKind::hold:
            return hold(gate, order, now);
        case OrderKind::shed:
            gate.shed({.from = order.from, .lasts = *order.lasts, .reason = order.reason});
            break;
        case OrderKind::pause:
            return pause(gate, order);
        case OrderKind::resume:
            resume(gate, order, now);
            break;
    }
    return std::nullopt;
}

}  // namespace

OrderReply Gateway::Impl::order(const OrderText& text) {
    if (!text.post) {
        const Status now = gate->status();
        return {.body = text.path == "/clients" ? observe::clients_json(now, budgets())
                                                : observe::targets_json(now)};
    }
    const auto config = in_force.snapshot();
    auto read = read_order(text);
    if (!read) {
        return {400, "ValidationException", "weir: " + read.error().message};
    }
    if (config->config.accounts.empty() && read->targets.account == kDefaultAccount) {
        read->targets.account.clear();  // there is no other: one way to name the same targets
    }
    const Status now = gate->status();
    if (auto known = check_order(*read, config->config, now); !known) {
        return {404, "ResourceNotFoundException", "weir: " + known.error().message};
    }
    if (auto refused = follow(*gate, *read, now)) {
        return std::move(*refused);
    }
    const bool opened = read->kind == OrderKind::hold && read->hold == Hold::open;
    const auto afterwards =
        opened ? holding(read->targets, gate->status(), read->lasts.value_or(Duration()))
               : std::nullopt;
    log(LogLevel::warn, "order from " + std::string(text.peer) + ": " + describe(*read) +
                            (afterwards ? "; afterwards a wider order applies again" : ""));
    const bool paused =
        std::ranges::find(now.paused, read->client, &Pause::client) != now.paused.end();
    return {.body = order_json(*read, targets_named(read->targets, config->config, now), afterwards,
                               paused)};
}

}  // namespace weir::gateway
