// A check that holds in every build: a fuzzer and a test program both end on abort.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace weir::fuzz {

inline void check(bool holds, std::source_location where = std::source_location::current()) {
    if (holds)
        return;
    std::fprintf(stderr, "%s:%u: does not hold\n", where.file_name(),
                 static_cast<unsigned>(where.line()));
    std::abort();
}

}  // namespace weir::fuzz
