// A drill: an alarm is made to ring, its delivery is waited for, and its state is put back.
#pragma once

#include "aws/alarm_plan.h"

#include <chrono>
#include <string>

namespace weir::aws {

struct DrillResult {
    enum class Outcome : std::uint8_t {
        delivered,      // every action of the composite alarm was carried out
        not_delivered,  // none in time, or one failed
        nobody_told,    // it rang, and has no action
        rings_already,  // not drilled
        absent,         // not there, or not weir's
        failed          // a call failed
    };
    Outcome outcome = Outcome::failed;
    std::string detail;     // for people
    bool set = false;       // the alarm was made to ring, or may have been
    bool put_back = false;  // the state that it had before is back
    std::chrono::seconds took{0};
};
std::string_view to_string(DrillResult::Outcome outcome);

struct Drill {
    Alarm alarm;      // the metric alarm that is set
    Alarm composite;  // the one that tells
    std::chrono::seconds wait{240};
    std::chrono::milliseconds poll{2000};
};

/// Blocks until the delivery or for `wait`. Puts the state back in any case, after `stop` as well.
DrillResult run_drill(const Config& config, const ApiClient& api, const Drill& drill,
                      const std::atomic<bool>& stop);

/// One metric alarm for each composite, the lesser severities first, because the critical one
/// silences them. `name`: that alarm alone.
std::vector<Drill> choose_drills(const std::vector<Alarm>& alarms, const std::string& name);

}  // namespace weir::aws
