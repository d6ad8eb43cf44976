#include "cli/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace weir::cli {
namespace {

/// The line and area colours of a pair differ in lightness, so that they stay apart in grey.
constexpr std::string_view kStyle = R"(<style>
.paper{fill:#fff}
.ink{fill:#222}
.soft{fill:#555}
.grid{stroke:#ddd}
.axis{stroke:#222;fill:none}
.band{fill:#888;fill-opacity:.18}
.weir{stroke:#0b4f8a;fill:none}
.other{stroke:#e08214;fill:none}
.served{fill:#2f7fc1}
.failed{fill:#c2410c}
@media (prefers-color-scheme:dark){
.paper{fill:#0d1117}
.ink{fill:#e6edf3}
.soft{fill:#a3acb5}
.grid{stroke:#30363d}
.axis{stroke:#a3acb5}
.band{fill:#aaa;fill-opacity:.2}
.weir{stroke:#6cb6ff}
.other{stroke:#f0a04b}
.served{fill:#4b97d6}
.failed{fill:#ff9466}
}
</style>
)";

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '&':
                safe += "&amp;";
                break;
            case '"':
                safe += "&quot;";
                break;
            default:
                safe += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return safe;
}

}  // namespace

Svg::Svg(double width, double height, std::string_view title, std::string_view description)
    : svg_(fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" "
                       "width=\"{0:g}\" height=\"{1:g}\" font-family=\"Helvetica, Arial, "
                       "sans-serif\" font-size=\"12\" role=\"img\" "
                       "aria-labelledby=\"title desc\">\n<title id=\"title\">{2}</title>\n"
                       "<desc id=\"desc\">{3}</desc>\n{4}<rect class=\"paper\" width=\"100%\" "
                       "height=\"100%\"/>\n",
                       width, height, escaped(title), escaped(description), kStyle)) {}

void Svg::text(double x, double y, std::string_view words, std::string_view attributes) {
    const bool plain = attributes.find("class=") == std::string_view::npos;
    svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}{}{}>{}</text>\n", x, y,
                        plain ? " class=\"ink\"" : "", attributes.empty() ? "" : " ", attributes,
                        escaped(words));
}

void Svg::rect(double x, double y, double width, double height, std::string_view attributes) {
    svg_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" {}/>\n",
                        x, y, width, height, attributes);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
    svg_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1,
                        y1, x2, y2, attributes);
}

void Svg::path(std::string_view d, std::string_view attributes) {
    svg_ += fmt::format("<path d=\"{}\" {}/>\n", d, attributes);
}

std::string Svg::finish() && {
    return std::move(svg_) + "</svg>\n";
}

double axis_step(double value, int most) {
    const double rough = std::max(value, 1e-9) / most;
    const double unit = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * unit >= rough * 0.999) {
            return factor * unit;
        }
    }
    return 10 * unit;
}

std::string short_amount(double value) {
    if (value >= 1e6) {
        return fmt::format("{:g}M", value / 1e6);
    }
    return value >= 1e4 ? fmt::format("{:g}k", value / 1e3) : fmt::format("{:g}", value);
}

}  // namespace weir::cli
