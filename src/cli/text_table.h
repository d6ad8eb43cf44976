// Columns for people.
#pragma once

#include <string>
#include <vector>

namespace weir::cli {

/// Columns as wide as their widest cell, two spaces apart. The first `left` of them are aligned to
/// the left, the others to the right.
std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left);

}  // namespace weir::cli
