#include "plan/survey.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace weir::plan {
namespace {

constexpr Duration kMinute = std::chrono::seconds(60);
/// What is kept by the minute is kept for so long; seconds read as milliseconds end here, too.
constexpr Duration kLongestTrace = std::chrono::days(31);
constexpr std::size_t kMostUses = 20'000;

/// What stands in the sliding minute for each use, each model and all, and the most there was.
class Peaks {
public:
    explicit Peaks(Survey& survey) : survey_(survey) {}

    void add(Duration at, std::uint32_t use, std::uint32_t model, std::uint64_t cost) {
        while (!recent_.empty() && recent_.front().at <= at - kMinute) {
            const Recent& old = recent_.front();
            uses_[old.use].take(old.cost);
            models_[old.model].take(old.cost);
            all_.take(old.cost);
            recent_.pop_front();
        }
        uses_.resize(std::max<std::size_t>(uses_.size(), use + 1));
        models_.resize(std::max<std::size_t>(models_.size(), model + 1));
        recent_.push_back({at, use, model, cost});
        uses_[use].put(cost, survey_.uses[use].demand);
        models_[model].put(cost, survey_.models[model]);
        all_.put(cost, survey_.all);
    }

private:
    struct Recent {
        Duration at;
        std::uint32_t use;
        std::uint32_t model;
        std::uint64_t cost;
    };
    struct Level {
        std::uint64_t calls = 0;
        std::uint64_t settled = 0;
        void put(std::uint64_t cost, Demand& demand) {
            demand.peak_calls = std::max(demand.peak_calls, ++calls);
            settled += cost;
            demand.peak_settled = std::max(demand.peak_settled, settled);
        }
        void take(std::uint64_t cost) {
            --calls;
            settled -= cost;
        }
    };

    Survey& survey_;
    std::deque<Recent> recent_;
    std::vector<Level> uses_;
    std::vector<Level> models_;
    Level all_;
};

/// The number of a client's use of a model.
class Uses {
public:
    explicit Uses(Survey& survey) : survey_(survey) {}

    std::uint32_t number(std::uint32_t model, std::uint32_t client) {
        const auto known = numbers_.find(key(model, client));
        if (known != numbers_.end()) {
            return known->second;
        }
        if (survey_.uses.size() >= kMostUses && client != Names::kOther) {
            return number(model, Names::kOther);
        }
        const auto number = static_cast<std::uint32_t>(survey_.uses.size());
        survey_.uses.push_back({model, client, {}});
        numbers_.emplace(key(model, client), number);
        return number;
    }

private:
    static std::uint64_t key(std::uint32_t model, std::uint32_t client) {
        return (std::uint64_t{model} << 32U) | client;
    }
    Survey& survey_;
    std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

void add(Demand& demand, const TraceCall& call, std::uint64_t max_tokens, std::uint64_t output,
         std::uint64_t cost, double seconds) {
    ++demand.calls;
    demand.input += call.input;
    demand.cached += call.cached;
    demand.output += output;
    demand.max_tokens += max_tokens;
    demand.settled += cost;
    demand.service_seconds += seconds;
    demand.largest_input = std::max(demand.largest_input, call.input + call.cached);
}

}  // namespace

double Survey::minutes() const {
    if (span >= kMinute || all.calls < 2) {
        return std::max(1.0, to_seconds(span) / 60);
    }
    const auto calls = static_cast<double>(all.calls);
    return std::clamp(to_seconds(span) * calls / (calls - 1), 1.0, 60.0) / 60;
}

Result<Survey> survey(const Scenario& scenario) {
    auto reader = scenario.open();
    if (!reader) {
        return std::unexpected(reader.error());
    }
    Survey survey;
    Peaks peaks(survey);
    Uses uses(survey);
    std::vector<std::uint32_t> burndowns;  // by model; 0: not looked up yet
    TraceCall call;
    for (;;) {
        const auto more = reader->next(call);
        if (!more) {
            return std::unexpected(more.error());
        }
        if (!*more) {
            break;
        }
        if (call.at > kLongestTrace) {
            return failure(
                "the trace spans more than 31 days, the longest allowed; is its time in "
                "another unit than its column says?");
        }
        if (survey.models.size() <= call.model) {
            survey.models.resize(call.model + 1);
            survey.outputs.resize(call.model + 1);
            burndowns.resize(call.model + 1);
        }
        const std::uint32_t use = uses.number(call.model, call.client);
        std::uint32_t& burndown = burndowns[call.model];
        if (burndown == 0) {
            const std::string& model = scenario.model_of(call);
            const QuotaConfig* quota =
                quota_of(scenario.service.quotas, scenario.home_region, model);
            burndown = scenario.service.models.facts(model).output_burndown;
            burndown = quota != nullptr ? quota->output_burndown.value_or(burndown) : burndown;
        }
        const std::uint64_t max_tokens = scenario.max_tokens_of(call);
        const std::uint64_t output = std::min(call.output, max_tokens);
        const std::uint64_t cost = call.input + burndown * output;
        const double seconds = to_seconds(latency_of(scenario.service, call, output).whole);
        for (Demand* demand : {&survey.all, &survey.uses[use].demand, &survey.models[call.model]}) {
            add(*demand, call, max_tokens, output, cost, seconds);
        }
        survey.outputs[call.model].add(static_cast<double>(call.output));
        peaks.add(call.at, use, call.model, cost);
        survey.longest_service = std::max(survey.longest_service, seconds);
        survey.span = call.at;
    }
    survey.notes = reader->notes();
    return survey;
}

}  // namespace weir::plan
