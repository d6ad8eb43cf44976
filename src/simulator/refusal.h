// How the service says no: status, exception name, message, exactly as it says them.
#pragma once

#include "simulator/faults.h"
#include "simulator/quota.h"

#include <string>
#include <string_view>

namespace weir::simulator {

struct ErrorAnswer {
    int status = 500;
    std::string type;  ///< exception name, value of x-amzn-ErrorType; empty: no such header
    std::string body;
    std::string content_type = "application/json";
};

ErrorAnswer make_error(int status, std::string_view type, std::string_view message);

/// `verdict` is not `accepted`.
ErrorAnswer quota_error(Verdict verdict);

/// What a fault of this kind answers instead of an answer. Kinds that only show inside a stream
/// give what an unstreamed call gets.
ErrorAnswer fault_error(FaultKind kind, std::string_view model);

ErrorAnswer unknown_model();
ErrorAnswer unknown_operation();

/// An exception inside a stream: the member's name and its JSON payload.
struct StreamException {
    std::string name;
    std::string payload;
};
StreamException stream_exception(FaultKind kind);

}  // namespace weir::simulator
