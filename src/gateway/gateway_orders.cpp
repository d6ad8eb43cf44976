// Orders of operators for a running gateway.
#include "gateway/gateway_impl.h"

namespace weir::gateway {

OrderReply Gateway::Impl::order(const OrderText& text) {
    if (!text.post) {
        return {.body = observe::targets_json(gate->status())};
    }
    const auto config = in_force.snapshot();
    const auto read = read_order(text);
    if (!read) {
        return {400, "ValidationException", "weir: " + read.error().message};
    }
    const Status now = gate->status();
    if (auto known = check_order(*read, config->config, now); !known) {
        return {404, "ResourceNotFoundException", "weir: " + known.error().message};
    }
    if (!read->hold) {
        gate->shed({.from = read->from, .lasts = *read->lasts, .reason = read->reason});
    } else if (read->lasts) {
        const bool held = gate->hold({.hold = *read->hold,
                                      .targets = read->targets,
                                      .lasts = *read->lasts,
                                      .reason = read->reason});
        if (!held) {
            return {409, "ConflictException",
                    "weir: 200 orders are in force already; open some targets first"};
        }
    } else {
        gate->release(read->targets, {});
        for (const Override& other : gate->status().overrides) {
            if (other.hold != Hold::open && other.targets.covers(read->targets)) {
                return {409, "ConflictException",
                        "weir: a wider order holds " + std::string(to_string(other.hold)) +
                            " what you want open, for another " +
                            std::to_string(to_ms(other.lasts) / 1000) +
                            " s: open all that it names, or give `for`"};
            }
        }
    }
    log(LogLevel::warn, "order from " + std::string(text.peer) + ": " + describe(*read));
    return {.body = order_json(*read, targets_named(read->targets, config->config, now))};
}

}  // namespace weir::gateway
