#include "cli/log_peaks.h"

#include "aws/json_read.h"
#include "aws/text.h"
#include "policy/tariff.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <tuple>

namespace weir::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostUses = 5000;
constexpr std::int64_t kWindow = 60;
constexpr double kMostTokens = 1e9;

struct Second {
    double requests = 0;
    double tokens = 0;
    double throttled = 0;
};
using Key = std::tuple<std::string, std::string, std::string>;  // Region, model, client

struct Use {
    std::uint32_t burndown = 1;
    std::map<std::int64_t, Second> seconds;
};

double count_of(const Json& line, const char* name) {
    return std::clamp(aws::number_of(line, name).value_or(0), 0.0, kMostTokens);
}

/// The second in which the call of a line was sent.
std::optional<std::int64_t> sent_at(const Json& line) {
    const auto ended = aws::parse_timestamp(aws::text_of(line, "ts"));
    if (!ended) {
        return std::nullopt;
    }
    const double ms = count_of(line, "total_ms") - count_of(line, "queued_ms");
    const auto end = std::chrono::duration<double>(ended->time_since_epoch()).count();
    return static_cast<std::int64_t>(end - std::max(ms, 0.0) / 1000);
}

std::string first_text(const Json& line, const char* name, const char* otherwise) {
    std::string text = aws::text_of(line, name);
    return text.empty() ? aws::text_of(line, otherwise) : text;
}

Peak peak_of(const std::map<std::int64_t, Second>& seconds, double Second::* what) {
    Peak peak;
    double sum = 0;
    std::deque<std::pair<std::int64_t, double>> window;
    for (const auto& [at, second] : seconds) {
        while (!window.empty() && window.front().first <= at - kWindow) {
            sum -= window.front().second;
            window.pop_front();
        }
        sum += second.*what;
        window.emplace_back(at, second.*what);
        if (sum > peak.value) {
            peak = {sum, window.front().first};
        }
    }
    return peak;
}

}  // namespace

LogPeaks log_peaks(std::istream& log, const Config& config, std::int64_t from, std::int64_t to,
                   std::string_view account) {
    LogPeaks out;
    std::map<Key, Use> uses;
    for (std::string text; std::getline(log, text);) {
        if (text.empty()) {
            continue;
        }
        ++out.lines;
        const Json line = Json::parse(text, nullptr, false);
        const auto at = line.is_object() ? sent_at(line) : std::nullopt;
        const std::string asked = aws::text_of(line, "model");
        if (!at || asked.empty()) {
            ++out.unread;
            continue;
        }
        if (*at < from || *at >= to) {
            continue;
        }
        if (const std::string other = aws::text_of(line, "target_account");
            !other.empty() && plain_account(other) != account) {
            continue;
        }
        Key key{aws::text_of(line, "target_region"), first_text(line, "target_model", "model"),
                aws::text_of(line, "client")};
        if (uses.size() >= kMostUses && !uses.contains(key)) {
            std::get<2>(key) = "other";
        }
        const auto [found, fresh] = uses.try_emplace(key);
        Use& use = found->second;
        if (fresh) {
            Target target;
            target.region = std::get<0>(key);
            target.model = std::get<1>(key);
            use.burndown = policy::tariff_of(config, target).burndown;
        }
        Second& second = use.seconds[*at];
        if (aws::text_of(line, "outcome") == "throttled") {
            second.throttled += 1;
        }
        second.requests += 1;
        second.tokens += count_of(line, "input") + count_of(line, "cache_write") +
                         use.burndown * count_of(line, "output");
    }
    for (const auto& [key, use] : uses) {
        ClientPeaks peaks;
        std::tie(peaks.region, peaks.model, peaks.client) = key;
        for (const auto& [at, second] : use.seconds) {
            peaks.calls += static_cast<std::uint64_t>(second.requests);
            peaks.throttled += static_cast<std::uint64_t>(second.throttled);
        }
        peaks.requests = peak_of(use.seconds, &Second::requests);
        peaks.tokens = peak_of(use.seconds, &Second::tokens);
        peaks.throttled_most = peak_of(use.seconds, &Second::throttled);
        out.clients.push_back(std::move(peaks));
    }
    std::ranges::sort(out.clients, [](const ClientPeaks& a, const ClientPeaks& b) {
        return std::tie(a.region, a.model, b.tokens.value, a.client) <
               std::tie(b.region, b.model, a.tokens.value, b.client);
    });
    return out;
}

}  // namespace weir::cli
