// Who made what the service keeps, in which Region, and at which endpoint.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::gateway {

/// A response of the Responses API is kept by the endpoint of the Region that made it, and found
/// nowhere else: what leans on it has to go there. An asynchronous invocation or an invocation job
/// is kept under the last segment of its ARN. Remembers the last 100,000; older ones, and
/// those of another process, are unknown. Thread-safe.
class ResponseMemory {
public:
    struct Made {
        std::string region;
        std::uint64_t tokens = 0;  // of its turns so far, which the next one is read with
        Endpoint endpoint = Endpoint::runtime;
        ApiPath path = ApiPath::as_asked;  // what OpenAI's paths begin with there
        std::string client;                // who made it; empty: nobody who is configured
        std::string model;
        std::string account = {};  // as Target has it
    };
    void remember(std::string_view id, Made made);
    std::optional<Made> find(std::string_view id) const;

private:
    static constexpr std::size_t kMost = 100'000;

    mutable std::mutex mutex_;
    std::unordered_map<std::string, Made> made_;
    std::deque<const std::string*> order_;  // oldest first; the map's keys
};

}  // namespace weir::gateway
