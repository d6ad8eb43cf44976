// Exchanges as the script's arguments, and its replies as answers.
#pragma once

#include "shared/resp.h"

#include <weir/shared_books.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

std::vector<std::string> arguments(std::string_view instance, const BookExchange& exchange);

/// A reply that is none of the script's is an error: what is wrong with it.
std::expected<BookAnswer, std::string> answer_of(std::string_view quota, const Reply& reply);

}  // namespace weir::shared
