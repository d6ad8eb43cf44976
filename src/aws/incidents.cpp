#include "aws/incidents.h"

#include "codec/base64.h"
#include "codec/sigv4.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kHour = 3600;
constexpr std::size_t kKeptResolved = 50;
constexpr std::size_t kMostSubject = 100;
constexpr std::string_view kStorm = "storm";

std::string iso(std::int64_t unix_ms) {
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                  static_cast<int>(unix_ms % 1000));
    return text.data();
}

/// A short name of a key that no two keys share in practice.
std::string mark(const std::string& key) {
    const codec::Digest digest = codec::sha256(key);
    return codec::to_hex(digest).substr(0, 12);
}

std::string ascii(std::string text, std::size_t most) {
    std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, ' ');
    text.resize(std::min(text.size(), most));
    return text;
}

}  // namespace

bool IncidentBook::may_create(std::int64_t now) {
    while (!created_.empty() && created_.front() <= now - kHour) {
        created_.pop_front();
    }
    return created_.size() < timing_.most_created;
}

void IncidentBook::create(Seen& seen, std::int64_t now, std::vector<IncidentEvent>& out) {
    seen.open = true;
    seen.incident.id =
        "weir-" + mark(instance_ + '\n' + seen.incident.condition.key) + "-" + std::to_string(now);
    seen.incident.opened = seen.incident.updated = now;
    seen.told = seen.incident.condition.data;
    created_.push_back(now);
    out.push_back({"created", seen.incident, now});
}

std::vector<IncidentEvent> IncidentBook::update(const std::vector<Condition>& conditions,
                                                std::int64_t now) {
    std::vector<IncidentEvent> out;
    for (const Condition& condition : conditions) {
        Seen& seen = seen_[condition.key];
        const bool fresh = seen.last == 0;
        if (fresh) {
            seen.first = now;
        }
        seen.last = now;
        seen.incident.condition = condition;
    }
    std::size_t held_back = 0;
    for (auto& [key, seen] : seen_) {
        const bool holds = seen.last == now;
        if (!seen.open && holds && key != kStorm && now - seen.first >= timing_.open_after) {
            if (may_create(now)) {
                create(seen, now, out);
            } else {
                ++held_back;
            }
        } else if (seen.open && holds && now - seen.incident.updated >= timing_.update_every &&
                   seen.told != seen.incident.condition.data) {
            seen.incident.updated = now;
            seen.told = seen.incident.condition.data;
            out.push_back({"updated", seen.incident, now});
        } else if (seen.open && !holds && now - seen.last >= timing_.resolve_after) {
            seen.incident.resolved = seen.incident.updated = now;
            out.push_back({"resolved", seen.incident, now});
            resolved_.push_back(seen.incident);
            if (resolved_.size() > kKeptResolved) {
                resolved_.pop_front();
            }
        }
    }
    std::erase_if(seen_, [&](const auto& entry) {
        const Seen& seen = entry.second;
        return seen.incident.resolved != 0 || (!seen.open && seen.last != now);
    });
    // All that is beyond the rate is one incident, beside the others.
    if (held_back > 0) {
        Seen& storm = seen_[std::string(kStorm)];
        storm.last = now;
        storm.incident.condition = {std::string(kStorm), "CRITICAL", "Many incidents at once",
                                    "More incidents began than are told one by one; "
                                    "`weir incidents` lists those that were.",
                                    Json{{"not_told", held_back}}};
        if (!storm.open) {
            create(storm, now, out);
        }
    }
    return out;
}

std::vector<Incident> IncidentBook::list() const {
    std::vector<Incident> out;
    for (const auto& [key, seen] : seen_) {
        if (seen.open) {
            out.push_back(seen.incident);
        }
    }
    out.insert(out.end(), resolved_.rbegin(), resolved_.rend());
    return out;
}

BurnRate::Burn BurnRate::update(std::uint64_t good, std::uint64_t bad, double success_percent,
                                std::int64_t now) {
    constexpr std::int64_t kShort = 300;
    constexpr std::int64_t kLong = 1800;
    constexpr std::uint64_t kFewest = 20;
    points_.push_back({now, good, bad});
    // One point before the long window stays, to count from.
    while (points_.size() > 1 && points_[1].time <= now - kLong) {
        points_.pop_front();
    }
    const auto since = [&](std::int64_t window) {
        const Point* from = &points_.front();
        for (const Point& point : points_) {
            if (point.time <= now - window) {
                from = &point;
            }
        }
        const std::uint64_t failed = bad - std::min(bad, from->bad);
        const std::uint64_t all = failed + (good - std::min(good, from->good));
        return std::pair{failed, all};
    };
    const auto share = [](const std::pair<std::uint64_t, std::uint64_t>& counts) {
        return counts.second == 0
                   ? 0
                   : static_cast<double>(counts.first) / static_cast<double>(counts.second);
    };
    const auto recent = since(kShort);
    const double allowed = 1 - success_percent / 100;
    Burn burn{false, share(recent), share(since(kLong)), recent.second};
    burn.burns = recent.second >= kFewest && burn.failed_5m > std::min(0.5, 3 * allowed) &&
                 burn.failed_30m > allowed;
    return burn;
}

Json webhook_body(const IncidentEvent& event) {
    const Condition& condition = event.incident.condition;
    Json data = condition.data.is_object() ? condition.data : Json::object();
    data["opened"] = iso(event.incident.opened * 1000);
    return {{"eventType", "incident"},
            {"incidentId", event.incident.id},
            {"action", event.action},
            {"priority", condition.priority},
            {"title", condition.title},
            {"description", condition.description},
            {"timestamp", iso(event.time * 1000)},
            {"service", "weir"},
            {"data", std::move(data)}};
}

std::vector<std::string> webhook_headers(const std::string& body, const std::string& secret,
                                         const std::string& token, std::int64_t unix_ms) {
    std::vector<std::string> headers{"Content-Type: application/json"};
    if (secret.empty()) {
        headers.push_back("Authorization: Bearer " + token);
        return headers;
    }
    const std::string time = iso(unix_ms);
    const codec::Digest sum = codec::hmac_sha256(secret, time + ":" + body);
    headers.push_back("x-amzn-event-timestamp: " + time);
    headers.push_back("x-amzn-event-signature: " +
                      codec::base64_encoded(
                          std::string_view(reinterpret_cast<const char*>(sum.data()), sum.size())));
    return headers;
}

std::pair<std::string, std::string> notice(const IncidentEvent& event) {
    const Condition& condition = event.incident.condition;
    return {ascii("weir: " + event.action + ": " + condition.title, kMostSubject),
            condition.title + "\n\n" + condition.description + "\n\nIncident " + event.incident.id +
                ", " + condition.priority + ", " + event.action + " at " + iso(event.time * 1000) +
                "\n" + condition.data.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"};
}

}  // namespace weir::aws
