// The script that keeps the books of one quota in the store.
#pragma once

#include <string>
#include <string_view>

namespace weir::shared {

/// Lua 5.1 as Redis 7 and Valkey 8 run it; src/plan/book_model.cpp is the same in C++, and tests
/// hold them against each other. Its keys: KEYS[1], and with one more letter the instances (i),
/// their leases (l), when they were seen (s), when they count as silent (q), the heads that wait
/// (w), the counters (c), closed targets (t). All have the hash tag of KEYS[1].
std::string books_script();

/// Its two parts: what the books hold once it has taken what the instance tells, and who gets what
/// of that.
extern const std::string_view kBooksState;
extern const std::string_view kBooksGrants;

}  // namespace weir::shared
