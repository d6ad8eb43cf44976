// What a server logs.
#pragma once

#include "net/server.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net::test {

struct Lines {
    std::mutex mutex;
    std::vector<std::string> lines;
    std::size_t count(std::string_view part) {
        const std::scoped_lock lock(mutex);
        return static_cast<std::size_t>(std::ranges::count_if(
            lines, [part](const auto& line) { return line.find(part) != std::string::npos; }));
    }
    bool has(std::string_view part) { return count(part) > 0; }
};

inline ServerSettings logging_to(Lines& lines) {
    ServerSettings settings;
    settings.log = [&lines](std::string_view line) {
        const std::scoped_lock lock(lines.mutex);
        lines.lines.emplace_back(line);
    };
    settings.error_body = [](int status, std::string_view) { return std::to_string(status); };
    return settings;
}

}  // namespace weir::net::test
