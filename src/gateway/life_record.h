// From a request's record to what is kept of it: observe/life.h.
#pragma once

#include "gateway/record.h"
#include "observe/life.h"

#include <optional>

namespace weir::gateway {

struct Request;

/// The wait that the record speaks of. `until` unset: it waits still.
observe::WaitStep wait_step(const Record& record, std::optional<Instant> until);
/// The attempt that the record speaks of. `sent`: when its last byte was written; not after its
/// beginning: it was not. `until` unset: it is under way. `failure` null: it has not failed.
observe::AttemptStep attempt_step(const Record& record, Instant sent, std::optional<Instant> until,
                                  const Failure* failure);
observe::RefusalStep refusal_step(const Record& record, const Refusal& refusal, Instant now);

/// `ended` unset: it is under way. `unix_ms`: wall time, now.
observe::Life life_of(const Record& record, const Request& request, std::optional<Instant> ended,
                      std::int64_t unix_ms);

/// It waited, failed, was refused, or went where its route would not have sent it at first.
bool eventful(const Record& record);

}  // namespace weir::gateway
