// An SVG picture: one file without scripts or fonts of its own, for light and dark screens.
#pragma once

#include <string>
#include <string_view>

namespace weir::cli {

/// Elements take their colours from classes of one style sheet, which has a light and a dark
/// half (`prefers-color-scheme`): ink (text), soft (secondary text), grid, axis, band (an outage),
/// weir and other (lines), served and failed (areas). Text given to it is escaped.
class Svg {
public:
    /// `title` and `description` are what a screen reader says.
    Svg(double width, double height, std::string_view title, std::string_view description);

    /// `attributes`: further ones, `text-anchor="end"`. Unless they name a class, text is `ink`.
    void text(double x, double y, std::string_view words, std::string_view attributes = "");
    void rect(double x, double y, double width, double height, std::string_view attributes);
    void line(double x1, double y1, double x2, double y2, std::string_view attributes);
    void path(std::string_view d, std::string_view attributes);

    std::string finish() &&;

private:
    std::string svg_;
};

/// 1, 2 or 5 times a power of ten: at most `most` such steps fit into `value`.
double axis_step(double value, int most);

/// A tick's label: 200, 50k, 1.5M.
std::string short_amount(double value);

}  // namespace weir::cli
