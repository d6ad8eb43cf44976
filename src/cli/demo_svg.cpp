// The demo's result as a picture: one strip over time for each row, its figures beside it.
#include "cli/demo_report.h"
#include "cli/svg.h"
#include "observe/figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace weir::cli {
namespace {

using observe::grouped;
using observe::percent;

constexpr double kDemoWidth = 960;
constexpr double kMargin = 24;
constexpr double kStripLeft = 252;
constexpr double kStripWidth = 372;
constexpr double kStripHeight = 46;
constexpr double kRowHeight = 62;
constexpr double kFirstRow = 128;
constexpr double kGroupGap = 16;  // between the rows without weir and those with it
constexpr double kFoot = 74;

/// A column of figures, right of the strips.
struct Column {
    double right;
    std::array<const char*, 2> heading;
    std::string (*show)(const DemoFigures&);
};

const std::array<Column, 4> kFigureColumns{{
    {700, {"calls", "answered"}, [](const DemoFigures& f) { return percent(f.answered_share()); }},
    {776,
     {"errors", "for users"},
     [](const DemoFigures& f) {
         return f.errors() == 0 ? std::string("none") : grouped(as_double(f.errors()));
     }},
    {864,
     {"90 % have an", "answer after"},
     [](const DemoFigures& f) { return demo_seconds(f.answer_p90, "never"); }},
    {936,
     {"calls sent", "in vain"},
     [](const DemoFigures& f) { return grouped(as_double(f.in_vain())); }},
}};

std::string spoken(const DemoResult& result) {
    std::string text = fmt::format(
        "{} calls in {:.0f} s at {:.1f} times the quota of one Region. {} answers 503 from {:.0f} "
        "s to {:.0f} s.",
        grouped(as_double(result.calls)), result.seconds, result.load, result.facts.home,
        result.facts.outage_from, result.facts.outage_to);
    for (const DemoFigures& row : result.rows) {
        text += fmt::format(
            " {}: {} of the calls answered, {} errors for users, 90 % of the calls "
            "have an answer after: {}, {} calls sent in vain.",
            row.name, kFigureColumns[0].show(row), kFigureColumns[1].show(row),
            kFigureColumns[2].show(row), kFigureColumns[3].show(row));
    }
    return text;
}

class DemoPicture {
public:
    explicit DemoPicture(const DemoResult& result)
        : result_(result),
          height_(kFirstRow + as_double(result.rows.size()) * kRowHeight + kGroupGap + kFoot),
          svg_(kDemoWidth, height_, "weir demo: the same load, with and without weir",
               spoken(result)) {
        for (const DemoFigures& row : result.rows) {
            for (const DemoSlot& slot : row.slots) {
                most_ = std::max(most_, slot.answered + slot.failed);
            }
        }
    }

    std::string make() && {
        head();
        double top = kFirstRow;
        bool weir = false;
        for (const DemoFigures& row : result_.rows) {
            if (row.through_weir() && !weir) {
                weir = true;
                svg_.line(kMargin, top + kGroupGap / 2 - 2, kDemoWidth - kMargin,
                          top + kGroupGap / 2 - 2, "class=\"grid\"");
                top += kGroupGap;
            }
            strip(row, top);
            figures(row, top);
            top += kRowHeight;
        }
        foot(top);
        return std::move(svg_).finish();
    }

private:
    double x_of(double seconds) const {
        return kStripLeft + kStripWidth * std::clamp(seconds / result_.seconds, 0.0, 1.0);
    }

    void head() {
        svg_.text(kMargin, 38, "The same load, with and without weir",
                  "font-size=\"20\" font-weight=\"bold\"");
        svg_.text(
            kMargin, 60,
            fmt::format("{} calls in {:.0f} s from {} clients, in bursts, at {:.1f} times the "
                        "quota of one Region. Two Regions; {} answers 503 for {:.0f} s.",
                        grouped(as_double(result_.calls)), result_.seconds, result_.clients.size(),
                        result_.load, result_.facts.home,
                        result_.facts.outage_to - result_.facts.outage_from),
            "class=\"soft\"");
        double x = kStripLeft;
        const auto key = [&](const char* colour, const std::string& words) {
            svg_.rect(x, 94, 12, 12, fmt::format("class=\"{}\"", colour));
            svg_.text(x + 17, 104.5, words);
            x += 35 + 6.2 * as_double(words.size());
        };
        key("served", "answered");
        key("failed", "error to the user");
        key("band", result_.facts.home + " down");
        for (const Column& column : kFigureColumns) {
            for (std::size_t i = 0; i < column.heading.size(); ++i) {
                svg_.text(column.right, 90 + 15 * as_double(i), column.heading[i],
                          "text-anchor=\"end\" class=\"soft\"");
            }
        }
    }

    void strip(const DemoFigures& row, double top) {
        const double bottom = top + kStripHeight;
        svg_.text(
            kMargin, top + kStripHeight / 2 + 5, row.name,
            row.through_weir() ? "font-size=\"13\" font-weight=\"bold\"" : "font-size=\"13\"");
        const double from = x_of(result_.facts.outage_from);
        svg_.rect(from, top - 4, x_of(result_.facts.outage_to) - from, kStripHeight + 4,
                  "class=\"band\"");
        const double scale = most_ > 0 ? kStripHeight / as_double(most_) : 0;
        const double gap = 0.8;
        for (std::size_t i = 0; i < row.slots.size(); ++i) {
            const double left = x_of(as_double(i) * result_.slot_seconds);
            const double right = x_of(as_double(i + 1) * result_.slot_seconds);
            const double answered = as_double(row.slots[i].answered) * scale;
            const double failed = as_double(row.slots[i].failed) * scale;
            const double width = std::max(right - left - gap, 0.5);
            if (answered > 0) {
                svg_.rect(left, bottom - answered, width, answered, "class=\"served\"");
            }
            if (failed > 0) {
                svg_.rect(left, bottom - answered - failed, width, failed, "class=\"failed\"");
            }
        }
        svg_.line(kStripLeft, bottom, kStripLeft + kStripWidth, bottom, "class=\"axis\"");
    }

    void figures(const DemoFigures& row, double top) {
        for (const Column& column : kFigureColumns) {
            svg_.text(column.right, top + kStripHeight / 2 + 6, column.show(row),
                      row.through_weir() ? "text-anchor=\"end\" font-size=\"16\" "
                                           "font-weight=\"bold\""
                                         : "text-anchor=\"end\" font-size=\"16\"");
        }
    }

    void foot(double top) {
        const double axis = top - kRowHeight + kStripHeight;
        const double step = axis_step(result_.seconds, 6);
        for (int i = 0; i * step <= result_.seconds; ++i) {
            const double x = x_of(i * step);
            svg_.line(x, axis, x, axis + 5, "class=\"axis\"");
            svg_.text(x, axis + 19, fmt::format("{:g}", i * step), "text-anchor=\"middle\"");
        }
        svg_.text(kStripLeft + kStripWidth / 2, axis + 36, "seconds; height: calls that arrived",
                  "text-anchor=\"middle\" class=\"soft\"");
        svg_.text(kMargin, height_ - 32,
                  "In vain: refusals over quota (429), and calls into the Region that is down. "
                  "never: fewer than 90 % of the calls are answered within 60 s.",
                  "class=\"soft\"");
        svg_.text(kMargin, height_ - 14,
                  fmt::format("Measured by `weir demo` against `weir sim`, {:g} times as fast as "
                              "shown; quota window: {}; seed {}.",
                              result_.facts.compression, result_.facts.window, result_.facts.seed),
                  "class=\"soft\"");
    }

    const DemoResult& result_;
    double height_;
    Svg svg_;
    std::uint64_t most_ = 0;
};

}  // namespace

std::string demo_svg(const DemoResult& result) {
    return DemoPicture(result).make();
}

}  // namespace weir::cli
