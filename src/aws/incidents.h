// Incidents: what lasts opens one, more news updates it, its end resolves it. Pure: the time is an
// argument.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::aws {

/// Something that is wrong at this moment.
struct Condition {
    std::string key;       // the same while it is the same trouble: "no_target/MODEL"
    std::string priority;  // CRITICAL, HIGH, MEDIUM, LOW: as the DevOps Agent names them
    std::string title;
    std::string description;
    nlohmann::json data;  // counts by kind and Region, never a word of a request
};

struct Incident {
    std::string id;
    Condition condition;      // as last seen
    std::int64_t opened = 0;  // seconds since 1970
    std::int64_t updated = 0;
    std::int64_t resolved = 0;  // 0: it lasts
};

struct IncidentEvent {
    std::string action;  // created, updated, resolved
    Incident incident;
    std::int64_t time = 0;
};

struct IncidentTiming {
    std::int64_t open_after = 30;      // seconds that a condition must last
    std::int64_t resolve_after = 300;  // seconds without it
    std::int64_t update_every = 600;   // at most, and only with news
    std::size_t most_created = 10;     // in an hour; what is beyond is told of as one
};

/// Not thread-safe.
class IncidentBook {
public:
    explicit IncidentBook(std::string instance, IncidentTiming timing = {})
        : instance_(std::move(instance)), timing_(timing) {}

    /// What is to be told now that these conditions hold. `now` in seconds, never backwards.
    std::vector<IncidentEvent> update(const std::vector<Condition>& conditions, std::int64_t now);

    /// Those that last, then the latest resolved ones.
    std::vector<Incident> list() const;

private:
    struct Seen {
        std::int64_t first = 0;
        std::int64_t last = 0;
        bool open = false;
        Incident incident;
        nlohmann::json told;  // data at the last event
    };
    bool may_create(std::int64_t now);
    void create(Seen& seen, std::int64_t now, std::vector<IncidentEvent>& out);

    std::string instance_;
    IncidentTiming timing_;
    std::map<std::string, Seen> seen_;
    std::deque<std::int64_t> created_;  // times within the last hour
    std::deque<Incident> resolved_;     // the latest last
};

/// Whether clients get too few answers: over 5 minutes three times what the objective allows, and
/// over 30 minutes more than it allows. Counts only grow.
class BurnRate {
public:
    struct Burn {
        bool burns = false;
        double failed_5m = 0;  // share
        double failed_30m = 0;
        std::uint64_t requests_5m = 0;
    };
    Burn update(std::uint64_t good, std::uint64_t bad, double success_percent, std::int64_t now);

private:
    struct Point {
        std::int64_t time;
        std::uint64_t good;
        std::uint64_t bad;
    };
    std::deque<Point> points_;
};

/// Body for the DevOps Agent's webhook.
nlohmann::json webhook_body(const IncidentEvent& event);
/// Its headers for a body sent at `time`: signed with `secret`, or else with the bearer `token`.
std::vector<std::string> webhook_headers(const std::string& body, const std::string& secret,
                                         const std::string& token, std::int64_t unix_ms);
/// Subject (at most 100 characters) and message for SNS.
std::pair<std::string, std::string> notice(const IncidentEvent& event);

}  // namespace weir::aws
