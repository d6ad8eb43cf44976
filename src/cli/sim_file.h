// sim.yaml, with the same care as weir.yaml.
#pragma once

#include "cli/config_file.h"
#include "simulator/simulator.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

struct LoadedSim {
    simulator::Settings settings;
    std::vector<Complaint> complaints;  // empty: good
};

/// `path` empty: two Regions on 127.0.0.1:9001 and 9002, the admin port on 9000, and every model
/// with the quotas of docs/simulator.md.
LoadedSim load_sim(const std::string& path, const Getenv& getenv);
LoadedSim parse_sim(std::string_view text, const std::string& name, const Getenv& getenv);

}  // namespace weir::cli
