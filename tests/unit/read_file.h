#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace weir {

/// All bytes of a file; none where there is no such file.
inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace weir
