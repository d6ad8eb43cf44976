#include "gateway/incident_watch.h"

#include "aws/http_call.h"
#include "aws/publish.h"
#include "gateway/clock.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kWatchEvery = 10s;
constexpr std::size_t kMostWaiting = 100;  // events, of each outlet
constexpr std::int64_t kFirstDelay = 10;   // seconds
constexpr std::int64_t kLongestDelay = 600;

}  // namespace

IncidentWatch::IncidentWatch(Parts parts)
    : parts_(std::move(parts)), book_(parts_.instance, parts_.timing) {}

void IncidentWatch::log(LogLevel level, const std::string& text) const {
    if (parts_.log) {
        parts_.log(level, text);
    }
}

std::vector<aws::Incident> IncidentWatch::list() const {
    const std::scoped_lock lock(book_mutex_);
    return book_.list();
}

Duration IncidentWatch::once() {
    const auto snapshot = parts_.snapshot();
    look(snapshot->config);
    // The window is a minute, but in tests, which hurry all of this.
    const auto every = std::min<Duration>(kWatchEvery, snapshot->config.quota_window / 6);
    return std::max<Duration>(every, 100ms);
}

void IncidentWatch::look(const Config& config) {
    const IncidentsConfig& incidents = config.aws.incidents;
    if (incidents.topic.empty() && incidents.webhook.empty()) {
        return;
    }
    const std::int64_t now = unix_ms() / 1000;
    const auto conditions =
        conditions_.update(config, parts_.status(), parts_.samples(), parts_.expiry(), now);
    std::vector<aws::IncidentEvent> events;
    {
        const std::scoped_lock lock(book_mutex_);
        events = book_.update(conditions, now);
    }
    for (const aws::IncidentEvent& event : events) {
        log(event.action == "resolved" ? LogLevel::info : LogLevel::warn,
            "incident " + event.incident.id + " " + event.action + ": " +
                event.incident.condition.title);
        for (Outlet* outlet : {&topic_, &webhook_}) {
            outlet->queue.push_back(event);
            if (outlet->queue.size() > kMostWaiting) {
                outlet->queue.pop_front();
            }
        }
    }
    if (incidents.topic.empty()) {
        topic_.queue.clear();
    }
    if (incidents.webhook.empty()) {
        webhook_.queue.clear();
    }
    tell(topic_, "SNS", [&](const aws::IncidentEvent& event, std::string& error) {
        return publish(config, event, error);
    });
    tell(webhook_, "the webhook", [&](const aws::IncidentEvent& event, std::string& error) {
        return post(config, event, error);
    });
}

void IncidentWatch::tell(Outlet& outlet, const char* name,
                         const std::function<Told(const aws::IncidentEvent&, std::string&)>& send) {
    while (!outlet.queue.empty() && !thread_.stopping()) {
        const std::int64_t now = unix_ms() / 1000;
        if (now < outlet.not_before) {
            return;
        }
        std::string error;
        const Told told = send(outlet.queue.front(), error);
        if (thread_.stopping()) {
            return;
        }
        if (told != Told::later) {
            outlet.queue.pop_front();
            outlet.delay = 0;
        } else {
            outlet.delay =
                std::min(kLongestDelay, outlet.delay == 0 ? kFirstDelay : 2 * outlet.delay);
            outlet.not_before = now + outlet.delay;
        }
        if (told != Told::yes) {
            log(LogLevel::warn,
                std::string("incident not told to ") + name + ": " + error +
                    (told == Told::later ? "; tried again in " + std::to_string(outlet.delay) + " s"
                                         : ""));
        }
    }
}

IncidentWatch::Told IncidentWatch::publish(const Config& config, const aws::IncidentEvent& event,
                                           std::string& error) {
    const auto keys = parts_.keys();
    const aws::ApiClient api(
        config.aws, aws::Environment::of_process(),
        [keys] { return keys == nullptr ? nullptr : keys->get(); },
        aws::ApiTiming{.attempts = 1});  // the outlet knows when to try again
    const auto [subject, message] = aws::notice(event);
    const auto done =
        aws::publish(api, config.aws.incidents.topic, subject, message, thread_.stopping());
    if (done) {
        return Told::yes;
    }
    error = done.error().text();
    const bool again = done.error().throttled() || done.error().status == 0 ||
                       done.error().status >= 500 || done.error().denied();
    return again ? Told::later : Told::never;
}

IncidentWatch::Told IncidentWatch::post(const Config& config, const aws::IncidentEvent& event,
                                        std::string& error) const {
    const IncidentsConfig& incidents = config.aws.incidents;
    aws::HttpCall call;
    call.method = "POST";
    call.url = incidents.webhook;
    call.body =
        aws::webhook_body(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    call.headers = aws::webhook_headers(call.body, incidents.secret, incidents.token, unix_ms());
    call.connect_timeout = 3s;
    call.timeout = 15s;
    const auto answer = aws::perform(call, thread_.stopping());
    if (!answer) {
        error = answer.error().message;
        return Told::later;
    }
    if (answer->status >= 200 && answer->status < 300) {
        return Told::yes;
    }
    error = "status " + std::to_string(answer->status);
    return answer->status == 429 || answer->status >= 500 ? Told::later : Told::never;
}

std::string incidents_json(const std::vector<aws::Incident>& incidents, bool watched) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const aws::Incident& one : incidents) {
        list.push_back({{"id", one.id},
                        {"state", one.resolved == 0 ? "open" : "resolved"},
                        {"priority", one.condition.priority},
                        {"title", one.condition.title},
                        {"description", one.condition.description},
                        {"opened", one.opened},
                        {"updated", one.updated},
                        {"resolved", one.resolved},
                        {"data", one.condition.data}});
    }
    return nlohmann::ordered_json{{"watched", watched}, {"incidents", list}}.dump(
        -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace weir::gateway
