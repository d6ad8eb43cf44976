// `weir env CLIENT`: what to set so that a program talks to weir.
#pragma once

#include <weir/result.h>

#include <map>
#include <string>
#include <vector>

namespace weir::cli {

std::vector<std::string> known_clients();

/// Shell exports, with remarks as comments. The error lists the clients there are.
Result<std::string> environment_for(const std::string& client, const std::string& url);

/// The variables among those lines by name: those of one client.
Result<std::map<std::string, std::string>> variables_for(const std::string& client,
                                                         const std::string& url);

}  // namespace weir::cli
