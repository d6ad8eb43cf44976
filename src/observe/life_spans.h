// From what is kept of a request to its spans, by OpenTelemetry's semantic conventions for
// generative AI (docs/operations.md, "OpenTelemetry"). Never a prompt, an answer or a key.
#pragma once

#include "observe/life.h"
#include "observe/otlp.h"
#include "observe/trace_context.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// gen_ai.operation.name of an inference call, by AWS's name of the operation and the model; empty:
/// it is none.
std::string_view gen_ai_operation(std::string_view operation, std::string_view model);

/// Of a Region's endpoint.
struct ServerAddress {
    std::string host;  ///< empty: not known
    std::uint16_t port = 0;
};
using AddressOf = std::function<ServerAddress(std::string_view region, std::string_view endpoint)>;

/// One of kind SERVER for the request, and below it one of kind CLIENT for each attempt. All lie
/// within the request's.
std::vector<Span> spans_of(const Life& life, const RequestTrace& trace, const AddressOf& address);

}  // namespace weir::observe
