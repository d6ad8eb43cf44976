// The built-in facts about models: data with its date and source.
#pragma once

#include <weir/models.h>

namespace weir::bedrock {

ModelTable builtin_models();

}  // namespace weir::bedrock
