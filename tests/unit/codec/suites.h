// Where the test suites that others wrote are, and how to read them.
#pragma once

#include "unit/read_file.h"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace weir::testing {

inline std::filesystem::path suite(const std::string& name) {
    const char* given = std::getenv("WEIR_SUITES");
    return std::filesystem::path(given != nullptr ? given : WEIR_SUITES_DEFAULT) / name;
}

using weir::read_file;

}  // namespace weir::testing

/// Skips the test if the suite is not there, and says so.
#define WEIR_REQUIRE_SUITE(path)        \
    if (!std::filesystem::exists(path)) \
    GTEST_SKIP() << (path) << " is absent"
