// A plan as a picture: three panels over one axis of time, to be read on paper, too.
#include "cli/plan_report.h"
#include "cli/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::cli {
namespace {

constexpr double kPlanWidth = 960;
constexpr double kLeft = 96;
constexpr double kRight = 24;
constexpr double kTop = 108;
constexpr double kPanel = 150;
constexpr double kGap = 44;
constexpr double kPlot = kPlanWidth - kLeft - kRight;
constexpr double kHeight = kTop + 3 * kPanel + 2 * kGap + 56;

struct CurveStyle {
    const char* colour;  ///< class of the style sheet
    const char* width;
};
/// weir first.
constexpr std::array<CurveStyle, 2> kStyles{{{"weir", "1.6"}, {"other", "1.1"}}};

std::string served_text(const plan::Outcome& outcome) {
    return fmt::format("{}: {:.1f} % of calls, {:.1f} % of tokens served", outcome.name,
                       outcome.all.by_count() * 100, outcome.all.by_tokens() * 100);
}

std::string description_of(const PlanSetup& setup, const PlanFindings& findings) {
    std::string text = fmt::format(
        "{} calls in {:.1f} minutes. Over time: tokens in the quota's window, calls waiting, "
        "refusals.",
        setup.survey.all.calls, to_seconds(setup.survey.span) / 60);
    for (std::size_t i = 0; i < std::min(kStyles.size(), findings.rows.size()); ++i) {
        text += " " + served_text(findings.rows[i].outcome) + ".";
    }
    return text;
}

using Value = double (*)(const plan::Moment&);

class PlanPicture {
public:
    PlanPicture(const PlanSetup& setup, const PlanFindings& findings)
        : setup_(setup),
          findings_(findings),
          svg_(kPlanWidth, kHeight, "weir plan", description_of(setup, findings)) {
        const plan::Outcome& first = findings.rows.front().outcome;
        for (std::size_t i = 0; i < rows(); ++i) {
            end_ = std::max(end_, to_seconds(findings.rows[i].outcome.end));
        }
        end_ = std::max(end_, 1.0);
        // Of the pools, the one that the first call of the trace is counted in at home.
        pool_ = first.pools.empty() ? nullptr : &first.pools.front();
    }

    std::string make() && {
        title();
        panel(
            0, "tokens held or settled in the window", top_of_tokens(),
            [](const plan::Moment& m) { return static_cast<double>(m.used); }, false);
        quota_line();
        panel(
            1, "calls waiting", 0,
            [](const plan::Moment& m) { return static_cast<double>(m.waiting); }, false);
        panel(
            2,
            fmt::format("refusals (429) in each {:g} s",
                        to_seconds(findings_.rows.front().outcome.moment)),
            0, [](const plan::Moment& m) { return static_cast<double>(m.refusals); }, true);
        time_axis();
        return std::move(svg_).finish();
    }

private:
    static double panel_top(int index) { return kTop + index * (kPanel + kGap); }
    double x_of(double seconds) const { return kLeft + kPlot * std::min(1.0, seconds / end_); }
    std::size_t rows() const { return std::min(kStyles.size(), findings_.rows.size()); }

    double capacity() const {
        if (pool_ == nullptr || !pool_->tokens_per_minute) {
            return 0;
        }
        const plan::WindowShape& shape = setup_.scenario.service.window;
        const double share = shape.shape == plan::Shape::bucket
                                 ? to_seconds(shape.burst) / to_seconds(shape.length)
                                 : 1;
        return static_cast<double>(*pool_->tokens_per_minute) * share;
    }
    double top_of_tokens() const { return capacity() * 1.08; }

    void title() {
        const plan::Survey& survey = setup_.survey;
        svg_.text(kLeft, 26,
                  pool_ != nullptr ? pool_->model + " in " + pool_->region : std::string("no pool"),
                  "font-size=\"16\" font-weight=\"bold\"");
        svg_.text(kLeft, 44,
                  fmt::format("{} calls in {:.1f} min, window {}, deadline {:g} s",
                              survey.all.calls, to_seconds(survey.span) / 60,
                              plan::to_string(setup_.scenario.service.window),
                              to_seconds(setup_.scenario.deadline)),
                  "class=\"soft\"");
        double x = kLeft;
        for (std::size_t i = 0; i < rows(); ++i) {
            const plan::Outcome& o = findings_.rows[i].outcome;
            svg_.line(x, 62, x + 26, 62,
                      fmt::format("class=\"{}\" stroke-width=\"3\"", kStyles[i].colour));
            const std::string words = served_text(o);
            svg_.text(x + 32, 66, words);
            x += 52 + 6.6 * static_cast<double>(words.size());
        }
    }

    void panel(int index, const std::string& name, double top, Value value, bool bars) {
        double most = top;
        for (std::size_t i = 0; i < rows(); ++i) {
            for (const plan::Moment& moment : findings_.rows[i].outcome.moments) {
                most = std::max(most, value(moment));
            }
        }
        most = std::max(most * (top > 0 ? 1 : 1.05), 1.0);
        const double y0 = panel_top(index) + kPanel;
        const double scale = kPanel / most;
        svg_.text(kLeft, panel_top(index) - 7, name, "font-weight=\"bold\"");
        const double step = axis_step(most, 5);
        for (int i = 0; i * step <= most * 1.0001; ++i) {
            const double tick = i * step;
            svg_.line(kLeft, y0 - tick * scale, kLeft + kPlot, y0 - tick * scale,
                      "class=\"grid\" stroke-width=\"0.8\"");
            svg_.text(kLeft - 8, y0 - tick * scale + 4, short_amount(tick), "text-anchor=\"end\"");
        }
        outage_bands(index);
        // The last strategy first, so that weir's line lies on top.
        for (std::size_t i = rows(); i-- > 0;) {
            draw(findings_.rows[i].outcome, kStyles[i], y0, scale, value, bars);
        }
        svg_.path(
            fmt::format("M{:.1f} {:.1f}V{:.1f}H{:.1f}", kLeft, panel_top(index), y0, kLeft + kPlot),
            "class=\"axis\"");
        last_scale_ = scale;
    }

    void draw(const plan::Outcome& outcome, const CurveStyle& style, double y0, double scale,
              Value value, bool bars) {
        const double moment = to_seconds(outcome.moment);
        std::string path;
        for (std::size_t i = 0; i < outcome.moments.size(); ++i) {
            const double x = x_of((static_cast<double>(i) + 0.5) * moment);
            const double y = y0 - value(outcome.moments[i]) * scale;
            if (!bars) {
                path += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", x, y);
            } else if (y < y0 - 0.05) {
                path += fmt::format("M{:.1f} {:.1f}V{:.1f}", x, y0, y);
            }
        }
        if (!path.empty()) {
            svg_.path(path,
                      fmt::format("class=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
                                  style.colour, style.width));
        }
    }

    void outage_bands(int index) {
        for (const plan::Outage& outage : setup_.scenario.service.outages) {
            const double from = x_of(to_seconds(outage.from));
            const double to = x_of(to_seconds(outage.to));
            svg_.rect(from, panel_top(index), to - from, kPanel, "class=\"band\"");
            if (index == 0) {
                svg_.text((from + to) / 2, panel_top(0) + kPanel / 2,
                          outage.region + (outage.spell ? " answers 429" : " dead"),
                          "text-anchor=\"middle\" font-size=\"11\" class=\"soft\"");
            }
        }
    }

    void quota_line() {
        if (capacity() <= 0) {
            return;
        }
        const double y = panel_top(0) + kPanel - capacity() * last_scale_;
        svg_.line(kLeft, y, kLeft + kPlot, y, "class=\"axis\" stroke-dasharray=\"6 4\"");
        const bool bucket = setup_.scenario.service.window.shape == plan::Shape::bucket;
        svg_.text(kLeft + kPlot, panel_top(0) - 7,
                  fmt::format("dashed: {} of {} tokens", bucket ? "a bucket" : "the quota",
                              short_amount(std::round(capacity() / 1000) * 1000)),
                  "text-anchor=\"end\" class=\"soft\"");
    }

    void time_axis() {
        const double minutes = end_ / 60;
        const bool in_minutes = minutes >= 3;
        const double length = in_minutes ? minutes : end_;
        const double step = axis_step(length, 12);
        const double y = panel_top(2) + kPanel;
        for (int i = 0; i * step <= length; ++i) {
            const double tick = i * step;
            const double x = x_of(in_minutes ? tick * 60 : tick);
            svg_.line(x, y, x, y + 5, "class=\"axis\"");
            svg_.text(x, y + 19, fmt::format("{:g}", tick), "text-anchor=\"middle\"");
        }
        svg_.text(kLeft + kPlot / 2, y + 40,
                  in_minutes ? "minutes since the first call" : "seconds since the first call",
                  "text-anchor=\"middle\"");
    }

    const PlanSetup& setup_;
    const PlanFindings& findings_;
    const plan::Service::PoolReport* pool_ = nullptr;
    double end_ = 0;
    double last_scale_ = 1;
    Svg svg_;
};

}  // namespace

std::string plan_svg(const PlanSetup& setup, const PlanFindings& findings) {
    return PlanPicture(setup, findings).make();
}

}  // namespace weir::cli
