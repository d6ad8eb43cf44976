#include "cli/plan_command.h"

#include "cli/plan_report.h"
#include "plan/strategies.h"

#include <fmt/core.h>

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <ostream>

namespace weir::cli {
namespace {

/// Below this share of calls served, a second Region and a fallback are tried.
constexpr double kGoodEnough = 0.999;

/// A line on the terminal that is written over; nothing where nobody watches.
class ProgressBar {
public:
    ProgressBar(std::ostream& out, bool shown, std::uint64_t calls)
        : out_(out), shown_(shown), calls_(calls) {}
    ~ProgressBar() {
        if (shown_ && drawn_) {
            out_ << "\r\x1b[K" << std::flush;
        }
    }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void begin(std::string what) {
        what_ = std::move(what);
        done_ = 0;
        draw();
    }
    void step() {
        done_ += kStep;
        draw();
    }

private:
    static constexpr std::uint64_t kStep = 4096;
    static constexpr int kWidth = 40;

    void draw() {
        const auto now = std::chrono::steady_clock::now();
        if (!shown_ || (drawn_ && now - last_ < std::chrono::milliseconds(100))) {
            return;
        }
        last_ = now;
        drawn_ = true;
        const double share =
            std::min(1.0, static_cast<double>(done_) / static_cast<double>(calls_));
        const int full = static_cast<int>(share * kWidth);
        out_ << fmt::format("\r{:<22} [{}{}] {:3.0f} %", what_, std::string(full, '#'),
                            std::string(kWidth - full, '.'), share * 100)
             << std::flush;
    }

    std::ostream& out_;
    bool shown_;
    std::uint64_t calls_;
    std::uint64_t done_ = 0;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point last_;
    std::string what_;
};

using Play = std::function<Result<plan::Outcome>(const plan::Scenario&)>;

Result<PlanRow> timed(const plan::Scenario& scenario, const Play& play) {
    const auto begin = std::chrono::steady_clock::now();
    auto outcome = play(scenario);
    if (!outcome) {
        return std::unexpected(outcome.error());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return PlanRow{std::move(*outcome), took.count()};
}

Result<PlanFindings> find_out(const PlanOptions& options, PlanSetup& setup, std::ostream& err) {
    ProgressBar bar(err, isatty(STDERR_FILENO) != 0, setup.survey.all.calls);
    setup.scenario.progress = [&bar] { bar.step(); };
    std::vector<std::pair<std::string, Play>> ways{{"weir", plan::play_weir}};
    if (options.output.compare) {
        for (const plan::Loop loop :
             {plan::Loop::article, plan::Loop::sdk_standard, plan::Loop::sdk_adaptive}) {
            ways.emplace_back(loop == plan::Loop::article ? "the article's loop" : "AWS SDK",
                              [loop](const plan::Scenario& s) { return plan::play_loop(s, loop); });
        }
    }
    PlanFindings findings;
    for (const auto& [name, play] : ways) {
        bar.begin(name);
        auto row = timed(setup.scenario, play);
        if (!row) {
            return std::unexpected(row.error());
        }
        findings.rows.push_back(std::move(*row));
    }
    auto bound = plan::upper_bound(setup.scenario, setup.survey);
    if (!bound) {
        return std::unexpected(bound.error());
    }
    findings.bound = *bound;
    findings.advice = plan::advise(setup.scenario, setup.survey);
    if (findings.rows.front().outcome.all.by_count() < kGoodEnough) {
        const auto play = [&](const std::optional<plan::Wider>& wider, const char* what,
                              std::optional<PlanRow>& row, std::string& name) -> Result<void> {
            if (!wider) {
                return {};
            }
            bar.begin(what);
            auto played = timed(wider->scenario, plan::play_weir);
            if (!played) {
                return std::unexpected(played.error());
            }
            row = std::move(*played);
            name = wider->added;
            return {};
        };
        if (auto good =
                play(plan::with_second_region(setup.scenario, setup.survey), "a second Region",
                     findings.second_region, findings.second_region_name);
            !good) {
            return std::unexpected(good.error());
        }
        if (auto good = play(plan::with_fallback(setup.scenario, setup.survey), "a fallback",
                             findings.fallback, findings.fallback_name);
            !good) {
            return std::unexpected(good.error());
        }
    }
    setup.scenario.progress = {};
    return findings;
}

}  // namespace

int run_plan(const PlanOptions& options, const Getenv& getenv, std::ostream& out,
             std::ostream& err) {
    auto setup = set_up_plan(options, getenv);
    if (!setup) {
        err << "weir plan: " << setup.error().message << '\n';
        return 2;
    }
    if (setup->left_out > 0) {
        err << "weir plan: " << setup->left_out
            << " targets and quotas of bedrock-mantle and of the reserved tier are left out: a "
               "trace "
               "does not say which calls they could serve\n";
    }
    const auto findings = find_out(options, *setup, err);
    if (!findings) {
        err << "weir plan: " << findings.error().message << '\n';
        return 2;
    }
    if (!options.output.svg.empty()) {
        std::ofstream file(options.output.svg, std::ios::binary);
        file << plan_svg(*setup, *findings);
        file.flush();
        if (!file) {
            err << "weir plan: " << options.output.svg << ": cannot be written\n";
            return 1;
        }
    }
    out << (options.output.json ? plan_json(options, *setup, *findings)
                                : plan_text(options, *setup, *findings));
    return 0;
}

}  // namespace weir::cli
