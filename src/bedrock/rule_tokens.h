// What is charged by rule and not by its bytes: frames, tools, media. In tokens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace weir::bedrock {

constexpr double kRequestTokens = 8;    // what frames every prompt
constexpr double kMessageTokens = 4;    // role and turn marks
constexpr double kToolsTokens = 350;    // the instructions that come with tools (Claude: 313-346)
constexpr double kImageTokens = 1'600;  // Claude: width * height / 750, scaled down to about 1,600

/// PDF, Office: a page of 50-100 KB is read as text and image.
inline double document_tokens(std::size_t bytes) {
    return std::min(300'000.0, 1'500 + 0.03 * static_cast<double>(bytes));
}

/// Text, Markdown, CSV, HTML, mostly behind base64.
inline double text_document_tokens(std::size_t bytes) {
    return 0.33 * static_cast<double>(bytes);
}

/// Video and sound: Nova takes 288 tokens a second of video.
inline double recording_tokens(std::size_t bytes) {
    return std::min(300'000.0, 2'000 + 0.005 * static_cast<double>(bytes));
}

inline bool is_text_format(std::string_view format) {
    return format == "txt" || format == "md" || format == "csv" || format == "html" ||
           format.starts_with("text/");
}

/// A long string of an unknown family, of letters that base64 is written in.
inline bool looks_like_base64(std::string_view text) {
    return text.size() > 4'096 && std::ranges::all_of(text.substr(0, 512), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/' || c == '=' || c == '-' || c == '_';
           });
}

}  // namespace weir::bedrock
