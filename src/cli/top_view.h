// What `weir top` shows, as lines of styled text for a screen of any size: without a terminal.
#pragma once

#include "cli/gateway_view.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

enum class Style : std::uint8_t { plain, dim, bold, title, good, warn, bad };

struct Span {
    std::string text;
    Style style = Style::plain;

    bool operator==(const Span&) const = default;
};
using Line = std::vector<Span>;

struct ScreenSize {
    std::size_t width = 80;
    std::size_t height = 24;

    bool operator==(const ScreenSize&) const = default;
};

enum class TopSort : std::uint8_t { trouble, name, in_flight };
enum class TopPage : std::uint8_t { targets, clients };

/// What the keys have set.
struct TopState {
    TopSort sort = TopSort::trouble;
    TopPage page = TopPage::targets;
    std::size_t scroll = 0;
    bool quit = false;

    bool operator==(const TopState&) const = default;
};

enum class TopKey : std::uint8_t { other, quit, sort, page, up, down, page_up, page_down, home };
/// `rows`: that there are; `room`: that fit on the screen.
TopState pressed(TopState state, TopKey key, std::size_t rows, std::size_t room);
/// Rows of the page that is shown, and how many fit.
std::size_t rows_of(const GatewayView& view, const TopState& state);
std::size_t room_for_rows(const GatewayView& view, ScreenSize size);

/// What is known of the gateway.
struct TopNews {
    const GatewayView* view = nullptr;  // null: none has come yet
    std::string error;                  // empty: it answered when asked last
    std::string clock;                  // when that was
    std::string url;
};

/// `size.height` lines, none wider than `size.width`; every character is one column wide.
std::vector<Line> top_lines(const TopNews& news, const TopState& state, ScreenSize size,
                            bool unicode);

/// Printable ASCII of the text: another character becomes `?`.
std::string clean(std::string_view text);
/// Cut in its middle where it is too wide.
std::string fitted(std::string_view text, std::size_t width);
/// The name of a target, without the version of its model where there is no room for it.
std::string short_name(std::string_view name, std::size_t width);
/// 950, 12.3k, 2.0M.
std::string short_figure(std::uint64_t value);

}  // namespace weir::cli
