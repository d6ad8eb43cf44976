// An order that is in force at a target, as /status and the page tell it.
#pragma once

#include <weir/engine.h>
#include <weir/time.h>

#include <nlohmann/json.hpp>

namespace weir::observe {

inline nlohmann::ordered_json override_json(const Override& order) {
    return {{"state", to_string(order.hold)},
            {"by", order.by},
            {"reason", order.reason},
            {"seconds_left", to_seconds(order.lasts)}};
}

}  // namespace weir::observe
