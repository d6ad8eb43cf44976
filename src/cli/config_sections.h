// From a YAML tree to a Config, section by section. What the values mean together is
// weir::validate's affair.
#pragma once

#include "cli/map_reader.h"

#include <weir/config.h>

namespace weir::cli {

void read_config(Reading& reading, const YamlNode& root, Config& config);

}  // namespace weir::cli
