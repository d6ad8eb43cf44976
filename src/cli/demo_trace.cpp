#include "cli/demo_trace.h"

#include "simulator/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <tuple>

namespace weir::cli {
namespace {

using simulator::Random;

constexpr double kMeanCalm = 24;
constexpr double kMeanBurst = 8;
constexpr double kCalmRate = 0.5;   // times the mean
constexpr double kBurstRate = 2.5;  // so that the mean over both is 1
constexpr double kHeavyShare = 0.5;
constexpr double kStreamShare = 0.2;
constexpr double kMeanInput = 800;
constexpr double kInputSpread = 0.7;
constexpr double kMeanOutput = 250;
constexpr double kOutputSpread = 0.6;
constexpr std::uint64_t kMaxTokens = 1000;
constexpr std::uint64_t kBurndown = 5;

std::uint64_t draw(Random& random, double mean, double spread, double least, double most) {
    return static_cast<std::uint64_t>(
        std::llround(std::clamp(random.log_normal(mean, spread), least, most)));
}

/// Arrivals of one client: a Poisson process whose rate has two states.
void add_client(DemoTrace& trace, std::uint32_t client, double rate, Random& random) {
    bool burst = random.uniform() < kMeanBurst / (kMeanBurst + kMeanCalm);
    double at = 0;
    double until = random.exponential(burst ? kMeanBurst : kMeanCalm);
    while (at < trace.seconds) {
        const double next = at + random.exponential(1 / (rate * (burst ? kBurstRate : kCalmRate)));
        if (next >= until) {
            at = until;
            burst = !burst;
            until += random.exponential(burst ? kMeanBurst : kMeanCalm);
            continue;
        }
        at = next;
        if (at < trace.seconds) {
            trace.calls.push_back(
                {.at = at,
                 .client = client,
                 .input = draw(random, kMeanInput, kInputSpread, 20, 8000),
                 .output = draw(random, kMeanOutput, kOutputSpread, 5, kMaxTokens),
                 .stream = random.uniform() < kStreamShare});
        }
    }
}

}  // namespace

DemoTrace make_trace(std::uint64_t seed, double seconds, double calls_per_second, double load) {
    DemoTrace trace;
    trace.clients = {"etl", "chat", "search", "mail", "review", "notes"};
    trace.seconds = seconds;
    trace.max_tokens = kMaxTokens;
    trace.burndown = kBurndown;
    trace.load = load;
    Random random(seed);
    const auto light = static_cast<double>(trace.clients.size() - 1);
    for (std::uint32_t i = 0; i < trace.clients.size(); ++i) {
        const double share = i == 0 ? kHeavyShare : (1 - kHeavyShare) / light;
        add_client(trace, i, calls_per_second * share, random);
    }
    std::sort(trace.calls.begin(), trace.calls.end(), [](const DemoCall& a, const DemoCall& b) {
        return std::tie(a.at, a.client) < std::tie(b.at, b.client);
    });
    // The quota follows from the load as it was drawn, so that "1.2 times" is no matter of luck.
    double cost = 0;
    for (const DemoCall& call : trace.calls) {
        cost += static_cast<double>(call.input + kBurndown * call.output);
    }
    trace.tokens_per_minute =
        std::max<std::uint64_t>(20'000, static_cast<std::uint64_t>(cost / seconds * 60 / load));
    return trace;
}

std::string make_prompt(const DemoCall& call) {
    static constexpr std::array<std::string_view, 12> kWords{
        "Read ", "the ", "minutes ", "of ",  "the ",    "meeting ",
        "and ",  "say ", "what ",    "was ", "decided", ".\n"};
    std::string text = "[[output=" + std::to_string(call.output) + "]] ";
    const std::size_t characters = std::max<std::size_t>(text.size(), call.input * 4);
    for (std::size_t i = 0; text.size() < characters; ++i) {
        text += kWords[(i + call.input) % kWords.size()];
    }
    text.resize(characters);
    return text;
}

}  // namespace weir::cli
