// Lines of a file, with their numbers.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string_view>
#include <vector>

namespace weir::plan {

/// Reads in blocks and gives out lines without their end (`\n` or `\r\n`); a byte order mark at the
/// beginning is dropped. A line may have 1 MiB.
class Lines {
public:
    explicit Lines(std::istream& input) : input_(input), buffer_(kBlock) {}

    /// False: no line is left. The view lives until the next call.
    Result<bool> next(std::string_view& line);

    /// Of the line given out last, from 1.
    std::uint64_t number() const { return number_; }
    /// The line given out last had no end: it is the file's last, and may have been torn off.
    bool torn() const { return torn_; }

private:
    static constexpr std::size_t kBlock = 64UL << 10;
    static constexpr std::size_t kLongest = 1UL << 20;

    std::istream& input_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool over_ = false;
    bool torn_ = false;
    std::uint64_t number_ = 0;
};

}  // namespace weir::plan
