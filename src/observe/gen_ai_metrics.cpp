#include "observe/gen_ai_metrics.h"

#include <optional>
#include <string>
#include <string_view>

namespace weir::observe {
namespace {

OtlpAttributes attributes_of(const GenAiNames& names, bool errors) {
    static constexpr std::array<const char*, 4> kKeys{
        "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.model", "error.type"};
    OtlpAttributes attributes{{"gen_ai.provider.name", "aws.bedrock"}};
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!names[i].empty() && (errors || i + 1 < names.size())) {
            attributes.push_back({kKeys[i], names[i]});
        }
    }
    return attributes;
}

template <std::size_t N>
std::optional<OtlpHistogram::Point> point_of(const BucketCounts<N>& counts,
                                             OtlpAttributes attributes) {
    if (!counts.any()) {
        return std::nullopt;
    }
    return OtlpHistogram::Point{
        std::move(attributes), {counts.counts.begin(), counts.counts.end()}, counts.sum};
}

}  // namespace

void GenAiTally::observe(double seconds, double first_token_seconds, const Usage& usage) {
    duration.observe(kDurationBounds, seconds);
    if (first_token_seconds >= 0) {
        first_token.observe(kFirstTokenBounds, first_token_seconds);
    }
    if (usage.known) {
        input.observe(kTokenBounds,
                      static_cast<double>(usage.input + usage.cache_read + usage.cache_write));
        output.observe(kTokenBounds, static_cast<double>(usage.output));
    }
}

void GenAiTally::add(const GenAiTally& more) {
    input.add(more.input);
    output.add(more.output);
    duration.add(more.duration);
    first_token.add(more.first_token);
}

std::vector<OtlpHistogram> gen_ai_histograms(const std::map<GenAiNames, GenAiTally>& tallies) {
    OtlpHistogram tokens{"gen_ai.client.token.usage",
                         "{token}",
                         "Number of input and output tokens used.",
                         kTokenBounds,
                         {}};
    OtlpHistogram duration{
        "gen_ai.client.operation.duration", "s", "GenAI operation duration.", kDurationBounds, {}};
    OtlpHistogram first{"gen_ai.server.time_to_first_token",
                        "s",
                        "Time to generate first token for successful responses.",
                        kFirstTokenBounds,
                        {}};
    // These two have no error.type, so that what differs in nothing else is one series.
    std::map<GenAiNames, GenAiTally> without_errors;
    for (const auto& [names, tally] : tallies) {
        if (auto point = point_of(tally.duration, attributes_of(names, true))) {
            duration.points.push_back(std::move(*point));
        }
        GenAiNames shorter = names;
        shorter.back().clear();
        without_errors[shorter].add(tally);
    }
    for (const auto& [names, tally] : without_errors) {
        const OtlpAttributes attributes = attributes_of(names, false);
        for (const auto& [type, counts] :
             {std::pair("input", &tally.input), std::pair("output", &tally.output)}) {
            OtlpAttributes typed = attributes;
            typed.push_back({"gen_ai.token.type", type});
            if (auto point = point_of(*counts, std::move(typed))) {
                tokens.points.push_back(std::move(*point));
            }
        }
        if (auto point = point_of(tally.first_token, attributes)) {
            first.points.push_back(std::move(*point));
        }
    }
    return {std::move(tokens), std::move(duration), std::move(first)};
}

}  // namespace weir::observe
