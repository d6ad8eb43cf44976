// Opens and resolves incidents and tells an SNS topic and a DevOps Agent of them, on a thread of
// its own.
#pragma once

#include "aws/api.h"
#include "aws/incidents.h"
#include "gateway/incident_conditions.h"
#include "gateway/periodic_thread.h"
#include "gateway/snapshot.h"

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::gateway {

class IncidentWatch {
public:
    struct Parts {
        std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
        std::function<Status()> status;
        std::function<std::vector<aws::Sample>()> samples;
        std::function<std::optional<double>()> expiry;
        std::function<std::shared_ptr<KeySource>()> keys;  // those in force; may block
        std::string instance;
        aws::IncidentTiming timing;
        LogSink log;
    };
    explicit IncidentWatch(Parts parts);

    std::vector<aws::Incident> list() const;

private:
    /// One way to tell, with what it has still to tell.
    struct Outlet {
        std::deque<aws::IncidentEvent> queue;
        std::int64_t not_before = 0;
        std::int64_t delay = 0;
    };
    enum class Told : std::uint8_t { yes, never, later };

    Duration once();
    void look(const Config& config);
    void tell(Outlet& outlet, const char* name,
              const std::function<Told(const aws::IncidentEvent&, std::string&)>& send);
    Told publish(const Config& config, const aws::IncidentEvent& event, std::string& error);
    Told post(const Config& config, const aws::IncidentEvent& event, std::string& error) const;
    void log(LogLevel level, const std::string& text) const;

    Parts parts_;
    IncidentConditions conditions_;
    mutable std::mutex book_mutex_;
    aws::IncidentBook book_;
    Outlet topic_;
    Outlet webhook_;
    PeriodicThread thread_{[this](bool) { return once(); }};  // last: uses all
};

/// {"watched": true, "incidents": [...]} for the admin port.
std::string incidents_json(const std::vector<aws::Incident>& incidents, bool watched);

}  // namespace weir::gateway
