// `weir alarms`: the alarms that a configuration calls for, in CloudWatch.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

struct AlarmsOptions {
    std::string config;
    std::string alarm;  // test: this one; empty: one for each severity and Region
    std::string wait = "4m";
    bool yes = false;
    bool dry_run = false;
    bool json = false;
};

/// Each: 0 done; 1 failed, or a drill that was not delivered; 2 wrong use or configuration.
int run_alarms_plan(AlarmsOptions options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err);
int run_alarms_apply(const AlarmsOptions& options, const Getenv& getenv, std::ostream& out,
                     std::ostream& err);
int run_alarms_delete(const AlarmsOptions& options, const Getenv& getenv, std::ostream& out,
                      std::ostream& err);
int run_alarms_test(const AlarmsOptions& options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err);

}  // namespace weir::cli
