// How a request went: one count in the metrics, one line in the access log.
#pragma once

#include "observe/access_log.h"
#include "observe/ledger.h"
#include "observe/life.h"
#include "observe/metrics.h"
#include "observe/trace_context.h"

#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

struct Request;

/// What a request is doing.
struct Doing {
    bool waiting = false;                // in the queue, and
    const Standing* standing = nullptr;  // why
    bool sending = false;                // an attempt is under way
    Instant since{};
    Instant head{};  // of the attempt's answer; not after `since`: it has not come
};

/// What the client is told with its answer, where there is something to tell.
struct Told {
    bool account = false;     // there are several
    std::string_view budget;  // how its own stands; empty: fine, or none
};

/// Of an attempt that was not the last, although the service answered it, or may have.
struct PaidAnswer {
    Target at;
    Usage usage;
    std::uint32_t output_burndown = 0;
    observe::Costs costs;  // set at the request's end
};

struct Record {
    std::string id;           // weir's own
    std::string upstream_id;  // of the last answer that came
    Instant started{};
    Duration queued{};
    Duration upstream_time{};
    std::optional<Duration> first_token;  // of a stream
    std::uint32_t attempts = 0;
    Target at;    // where the last attempt went
    Grant grant;  // with this permission
    Usage usage;
    bool maybe_served = false;  // the service has answered the last attempt, or may have
    std::vector<PaidAnswer> answers_before;  // the last attempt's
    bool begun = false;                      // a good answer has gone to the client
    int status = 0;                          // what the client was told; 0: nothing
    observe::Outcome outcome = observe::Outcome::ok;
    std::string reason;  // of a refusal by weir
    std::string error_name;
    observe::Costs costs;  // of the last attempt; set at the request's end
    bool repeated = false;
    Told told;
    observe::Trail trail;                        // what it has done, and
    Doing doing;                                 // does
    std::optional<observe::RequestTrace> trace;  // unset: traces are off

    /// An attempt begins.
    void begin(const Grant& with);
    /// The attempt under way is not the last.
    void set_aside();
    /// Of all answers.
    Usage all_usage() const;
    observe::Costs all_costs() const;
};

/// The fields of weir's own that go with every answer; `good`: one that the service gave.
void append_weir_fields(std::string& out, const Record& record, bool good);

/// Whether the access log has a line for it, where log.sample is `sample`.
bool is_logged(const Record& record, double sample);

/// Where it is written. Null: nowhere.
struct RecordSinks {
    observe::Metrics& metrics;
    observe::LedgerBook* ledger = nullptr;
    observe::LineWriter* log = nullptr;
};

/// `record.costs` are set. `unix_ms`: wall time.
void write_record(const Record& record, const Request& request, Instant now, std::int64_t unix_ms,
                  const RecordSinks& sinks);

}  // namespace weir::gateway
