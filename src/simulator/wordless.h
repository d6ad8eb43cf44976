// Models that answer InvokeModel with vectors, scores or images: what they ask for and what they
// say. Rules of the simulator's own.
#pragma once

#include "simulator/answer.h"
#include "simulator/request.h"

#include <weir/result.h>

#include <string>
#include <string_view>

namespace weir::simulator {

/// Such a model, by its name.
bool is_wordless(std::string_view model);

/// The error's message is what the service says to a malformed body.
Result<Ask> read_wordless(std::string_view body, std::string_view model);

std::string wordless_answer(const Generation& generation);
/// Field lines: what was counted. Embedding models alone tell it.
std::string wordless_fields(const Generation& generation);

}  // namespace weir::simulator
