// The highest minute of each client, from weir's access log.
#pragma once

#include <weir/config.h>
#include <weir/result.h>

#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace weir::cli {

/// The most in any 60 seconds, and the Unix second when those began.
struct Peak {
    double value = 0;
    std::int64_t at = 0;
};

struct ClientPeaks {
    std::string client;
    std::string model;
    std::string region;
    std::uint64_t calls = 0;
    std::uint64_t throttled = 0;  // answered with 429 by weir or Bedrock
    Peak throttled_most;
    Peak requests;
    Peak tokens;  // settled: input, cache writes, and output times its burndown
};

struct LogPeaks {
    std::vector<ClientPeaks> clients;  // by Region, model, falling tokens
    std::uint64_t lines = 0;
    std::uint64_t unread = 0;  // lines that are none of weir's
};

/// Calls that began in [from, to), without those of other accounts (`account`: of `accounts`;
/// empty: that of `credentials`). Memory: one entry for each second in which a client called.
LogPeaks log_peaks(std::istream& log, const Config& config, std::int64_t from, std::int64_t to,
                   std::string_view account = {});

}  // namespace weir::cli
