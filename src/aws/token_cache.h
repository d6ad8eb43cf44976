// Sign-in tokens that the aws CLI keeps in files: read, and written back for whoever comes next.
#pragma once

#include <weir/result.h>

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace weir::aws {

/// The JSON object in the file.
Result<nlohmann::json> read_token(const std::string& path);

/// By renaming a file of mode 0600: a reader finds the old one or the new one, whole.
Result<void> write_token(const std::string& path, const nlohmann::json& token);

}  // namespace weir::aws
