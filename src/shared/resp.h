// RESP2, the protocol of Valkey and Redis: commands to bytes, bytes to replies. Sans-I/O, by
// hiredis' formatter and reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

struct Reply {
    enum class Kind : std::uint8_t { nil, integer, text, error, array };

    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text;          // of text (bulk or status) and error
    std::vector<Reply> items;  // of array

    bool operator==(const Reply&) const = default;
};

/// Appends one command in the form that servers read.
void append_command(std::string& out, std::span<const std::string_view> words);

/// Bytes in any pieces to replies in order. After an error the connection is of no use: the reader
/// stays in error. What a reply may hold is bounded, so hostile bytes cost memory up to the bound.
class ReplyReader {
public:
    static constexpr std::size_t kMostBytes = 8UL << 20;  // of one reply, as it is sent
    static constexpr std::size_t kMostItems = 1UL << 16;  // of one reply, nested ones included
    static constexpr std::size_t kMostDepth = 7;          // hiredis' own bound

    ReplyReader();
    ~ReplyReader();
    ReplyReader(const ReplyReader&) = delete;
    ReplyReader& operator=(const ReplyReader&) = delete;

    void feed(std::string_view bytes);
    /// The next whole reply; nullopt: more bytes are needed; an error: what is wrong with them.
    std::expected<std::optional<Reply>, std::string> next();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::shared
