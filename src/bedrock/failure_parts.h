// Parts of reading a failure that answers and streams share.
#pragma once

#include "codec/http1.h"

#include <weir/time.h>
#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

/// The HTTP status that an exception in a stream would have had as an answer.
int modelled_status(std::string_view error_type);

/// Class of a failure inside a stream. A throttle there is about the service's capacity, because
/// the account's quota has admitted the call.
FailureClass stream_class(int status, std::string_view error_type, std::string_view message);

/// x-amz-retry-after (ms) before Retry-After (seconds or a date), capped at an hour. Zero, a past
/// date and other text are ignored.
std::optional<Duration> retry_after(const codec::Head& head, std::int64_t unix_now);

}  // namespace weir::bedrock
