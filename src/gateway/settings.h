// Every setting of a configuration by the name that weir.yaml gives it, and what a reload does with
// it.
#pragma once

#include "policy/setting_rows.h"

#include <weir/config.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::gateway {

using policy::Effect;

struct Setting {
    std::string path;  ///< `queue.max_wait`; a list or a map is one setting
    Effect effect = Effect::at_once;
};
/// All of them, in the order of the rows.
std::span<const Setting> settings();

/// Each setting with its value as text, in the same order. Holds secrets.
std::vector<std::pair<std::string, std::string>> values_of(const Config& config);

/// A short name for a configuration: the same for the same values, whatever the file's layout.
std::string hash_of(const Config& config);

struct Changes {
    std::vector<std::string> applied;  ///< paths, with "(new connections)" where it is so
    std::vector<std::string> restart;  ///< paths whose new value is not taken over
};
/// Compares, and puts the old values back into `next` where only a restart can change them.
Changes take_over(const Config& old, Config& next);

}  // namespace weir::gateway
