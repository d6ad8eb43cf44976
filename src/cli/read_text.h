// A file's content, up to a limit.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <string>

namespace weir::cli {

/// The error says why in words: absent, not readable, a directory, larger than `most` bytes.
/// `only_regular`: no pipes and devices, which could keep one waiting.
Result<std::string> read_text(const std::string& path, std::size_t most, bool only_regular);

}  // namespace weir::cli
