// What the tests of the configuration share.
#pragma once

#include "cli/config_file.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

inline Getenv environment_of(std::map<std::string, std::string> variables) {
    return [variables = std::move(variables)](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
}

inline LoadedConfig parse(const std::string& text,
                          std::map<std::string, std::string> variables = {}) {
    return parse_config(text, "weir.yaml", environment_of(std::move(variables)));
}

inline std::vector<std::string> complaints_of(const std::string& text,
                                              std::map<std::string, std::string> variables = {}) {
    std::vector<std::string> lines;
    for (const Complaint& complaint : parse(text, std::move(variables)).complaints)
        lines.push_back(to_string(complaint));
    return lines;
}

}  // namespace weir::cli
