#include "plan/bound.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <set>

namespace weir::plan {
namespace {

constexpr std::size_t kBins = 430;
constexpr double kGrowth = 1.05;
constexpr std::size_t kLongestPiece = 240;  // windows
constexpr std::size_t kMostPairs = 500'000;

std::size_t bin_of(double cost) {
    if (cost <= 1) {
        return 0;
    }
    return std::min(kBins - 1, static_cast<std::size_t>(std::log(cost) / std::log(kGrowth)));
}

struct Bin {
    double calls = 0;
    double cost = 0;
    double least = HUGE_VAL;  ///< of one call

    void add(const Bin& other) {
        calls += other.calls;
        cost += other.cost;
        least = std::min(least, other.least);
    }
};

/// Calls of one window length by their least cost: only the bins that have any, for a trace may
/// have many windows.
struct Load {
    std::vector<std::pair<std::size_t, Bin>> bins;
    double beyond = 0;  ///< what is settled above the cost

    void add(double cost, double settled) {
        const std::size_t index = bin_of(cost);
        auto at = std::ranges::lower_bound(bins, index, {}, &std::pair<std::size_t, Bin>::first);
        if (at == bins.end() || at->first != index) {
            at = bins.insert(at, {index, {}});
        }
        at->second.add({1, cost, cost});
        beyond += std::max(0.0, settled - cost);
    }
};

/// The calls of several windows on end.
struct Piece {
    std::array<Bin, kBins> bins{};
    Bin all;
    double beyond = 0;

    void add(const Load& load) {
        for (const auto& [index, bin] : load.bins) {
            bins[index].add(bin);
            all.add(bin);
        }
        beyond += load.beyond;
    }
    /// The cheapest first; where a bin does not fit whole, as if each of its calls were its
    /// cheapest.
    double most_calls(double room) const {
        if (all.cost <= room) {
            return all.calls;
        }
        double fit = 0;
        for (const Bin& bin : bins) {
            if (bin.cost > room) {
                return fit + std::min(bin.calls, room / bin.least);
            }
            room -= bin.cost;
            fit += bin.calls;
        }
        return fit;
    }
    double most_tokens(double room) const { return std::min(all.cost, room) + beyond; }
};

struct PoolRoom {
    std::string region;
    std::string name;
    std::optional<double> tokens;
    std::optional<double> requests;
    Duration phase{};
};

/// Models that may end up on the same pools, and those pools.
struct Group {
    std::vector<PoolRoom> pools;
    std::vector<Load> windows;  // by whole window lengths since the start
    double held_in_vain = 0;    // at once, at most
    std::deque<std::pair<Duration, double>> recent;
    double recent_in_vain = 0;
};

class BoundMaker {
public:
    explicit BoundMaker(const Scenario& scenario, const Survey& survey)
        : scenario_(scenario), setup_(scenario.service), window_(setup_.window) {
        memory_ =
            scenario.deadline + from_seconds(survey.longest_service) + std::chrono::seconds(60);
        group_of_.resize(survey.models.size());
        burndown_.resize(survey.models.size());
        shortest_.resize(survey.models.size(), ~std::uint64_t{0});
        asked_burndown_.resize(survey.models.size());
        for (std::uint32_t model = 0; model < survey.models.size(); ++model) {
            if (survey.models[model].calls > 0) {
                join(model);
            }
        }
        // Minutes of the clock are cut where those of the first pool begin.
        if (window_.shape == Shape::clock_minute && !groups_.empty()) {
            offset_ = groups_.front().pools.front().phase;
        }
    }

    void add(const TraceCall& call) {
        const std::uint64_t most = scenario_.max_tokens_of(call);
        const std::uint64_t output = std::min(call.output, most);
        const auto settled = static_cast<double>(call.input + asked_burndown_[call.model] * output);
        calls_ += 1;
        tokens_ += settled;
        // A fallback may stop before the caller's own maximum, and its answer counts.
        const std::uint64_t least = std::min(output, shortest_[call.model]);
        const Latency latency = latency_of(setup_, call, least);
        if ((call.stream ? latency.first : latency.whole) + 2 * kWire > scenario_.deadline) {
            return;  // by nobody
        }
        const std::uint64_t burndown = burndown_[call.model];
        const auto cost = static_cast<double>(call.input + std::min(most, burndown * least));
        Group& group = groups_[group_of_[call.model]];
        const auto index = static_cast<std::size_t>((call.at + offset_) / window_.length);
        if (group.windows.size() <= index) {
            group.windows.resize(index + 1);
        }
        group.windows[index].add(cost, settled);
        if (window_.shape == Shape::bucket) {
            remember(group, call, cost, most);
        }
    }

    Bound result() const {
        Bound bound;
        for (const Group& group : groups_) {
            const auto [calls, tokens] = best_cut(group);
            bound.calls += calls;
            bound.tokens += tokens;
        }
        bound.by_count = calls_ > 0 ? std::min(1.0, bound.calls / calls_) : 1;
        bound.by_tokens = tokens_ > 0 ? std::min(1.0, bound.tokens / tokens_) : 1;
        return bound;
    }

private:
    void join(std::uint32_t number) {
        const std::string& model = scenario_.model_of(number);
        std::vector<std::pair<std::string, std::string>> targets{{scenario_.home_region, model}};
        for (const RouteConfig& route : scenario_.config.routes) {
            if (strip_arn(route.model) == strip_arn(model)) {
                for (const RouteTarget& target : route.targets) {
                    targets.emplace_back(target.region,
                                         target.model.empty() ? model : target.model);
                }
            }
        }
        Group joined;
        burndown_[number] = ~0U;
        for (const auto& [region, name] : targets) {
            const QuotaConfig* quota = quota_of(setup_.quotas, region, name);
            std::uint32_t burndown = setup_.models.facts(name).output_burndown;
            burndown = quota != nullptr ? quota->output_burndown.value_or(burndown) : burndown;
            burndown_[number] = std::min(burndown_[number], burndown);
            if (&region == &targets.front().first) {
                asked_burndown_[number] = burndown;
            } else if (strip_arn(name) != strip_arn(model)) {
                shortest_[number] =
                    std::min(shortest_[number], setup_.models.facts(name).max_output);
            }
            PoolRoom pool{region, pool_name(setup_.quotas, region, name), {}, {}, {}};
            pool.phase = phase_of(setup_, region, pool.name);
            if (quota != nullptr && quota->tokens_per_minute) {
                pool.tokens = static_cast<double>(*quota->tokens_per_minute);
            }
            if (quota != nullptr && quota->requests_per_minute) {
                pool.requests = static_cast<double>(*quota->requests_per_minute);
            }
            add_pool(joined, std::move(pool));
        }
        // Groups that share a pool with this one become one with it.
        std::vector<Group> apart;
        std::vector<std::size_t> moved(groups_.size());
        for (std::size_t i = 0; i < groups_.size(); ++i) {
            if (share_a_pool(groups_[i], joined)) {
                for (PoolRoom& pool : groups_[i].pools) {
                    add_pool(joined, std::move(pool));
                }
                moved[i] = groups_.size();
            } else {
                moved[i] = apart.size();
                apart.push_back(std::move(groups_[i]));
            }
        }
        for (std::uint32_t earlier = 0; earlier < number; ++earlier) {
            if (burndown_[earlier] > 0) {
                group_of_[earlier] = std::min(moved[group_of_[earlier]], apart.size());
            }
        }
        group_of_[number] = apart.size();
        apart.push_back(std::move(joined));
        groups_ = std::move(apart);
    }

    static bool same(const PoolRoom& a, const PoolRoom& b) {
        return a.region == b.region && a.name == b.name;
    }
    static void add_pool(Group& group, PoolRoom pool) {
        if (std::ranges::none_of(group.pools, [&](const auto& p) { return same(p, pool); })) {
            group.pools.push_back(std::move(pool));
        }
    }
    static bool share_a_pool(const Group& a, const Group& b) {
        return std::ranges::any_of(a.pools, [&](const PoolRoom& p) {
            return std::ranges::any_of(b.pools, [&](const PoolRoom& q) { return same(p, q); });
        });
    }

    void remember(Group& group, const TraceCall& call, double cost, std::uint64_t most) const {
        const double held = static_cast<double>(call.input + call.cached + most);
        group.recent.emplace_back(call.at, std::max(0.0, held - cost));
        group.recent_in_vain += group.recent.back().second;
        while (group.recent.front().first < call.at - memory_) {
            group.recent_in_vain -= group.recent.front().second;
            group.recent.pop_front();
        }
        group.held_in_vain = std::max(group.held_in_vain, group.recent_in_vain);
    }

    /// What a limit of `limit` a window can take of the calls that arrive in windows [from, to).
    double room(const PoolRoom& pool, double limit, double in_vain, std::size_t from,
                std::size_t to) const {
        const Duration begin = window_.length * static_cast<std::int64_t>(from) - offset_;
        const Duration end =
            window_.length * static_cast<std::int64_t>(to) - offset_ + scenario_.deadline - kWire;
        const double length = to_seconds(end - begin) / to_seconds(window_.length);
        switch (window_.shape) {
            case Shape::sliding:
                return limit * std::ceil(length);
            case Shape::clock_minute: {
                const auto first = std::max(begin, Duration::zero()) + pool.phase;
                const auto last = end - Duration(1) + pool.phase;
                return limit *
                       static_cast<double>(last / window_.length - first / window_.length + 1);
            }
            case Shape::bucket:
                return limit * (length + to_seconds(window_.burst) / to_seconds(window_.length)) +
                       (from == 0 ? 0 : in_vain);
        }
        return 0;
    }

    /// Unset: there is no limit of this kind everywhere.
    std::optional<double> room_of(const Group& group, std::optional<double> PoolRoom::* limit,
                                  double in_vain, std::size_t from, std::size_t to) const {
        double sum = 0;
        for (const PoolRoom& pool : group.pools) {
            const std::optional<double>& own = pool.*limit;
            if (!own) {
                return std::nullopt;
            }
            sum += room(pool, *own, in_vain, from, to);
        }
        return sum;
    }

    std::pair<double, double> best_cut(const Group& group) const {
        const std::size_t count = group.windows.size();
        const std::size_t longest = std::clamp(kMostPairs / std::max<std::size_t>(1, count),
                                               std::size_t{30}, kLongestPiece);
        std::vector<std::pair<double, double>> best(count + 1, {0, 0});
        for (std::size_t i = 1; i <= count; ++i) {
            best[i] = {HUGE_VAL, HUGE_VAL};
        }
        for (std::size_t from = 0; from < count; ++from) {
            Piece piece;
            for (std::size_t to = from + 1; to <= std::min(count, from + longest); ++to) {
                piece.add(group.windows[to - 1]);
                const auto tokens = room_of(group, &PoolRoom::tokens, group.held_in_vain, from, to);
                const auto requests = room_of(group, &PoolRoom::requests, 0, from, to);
                double calls = tokens ? piece.most_calls(*tokens) : piece.all.calls;
                calls = requests ? std::min(calls, *requests) : calls;
                const double settled =
                    tokens ? piece.most_tokens(*tokens) : piece.all.cost + piece.beyond;
                best[to].first = std::min(best[to].first, best[from].first + calls);
                best[to].second = std::min(best[to].second, best[from].second + settled);
            }
        }
        return best[count];
    }

    const Scenario& scenario_;
    const ServiceSetup& setup_;
    WindowShape window_;
    Duration memory_{};
    Duration offset_{};
    std::vector<Group> groups_;
    std::vector<std::size_t> group_of_;          // by model
    std::vector<std::uint32_t> burndown_;        // by model: the least over its targets
    std::vector<std::uint32_t> asked_burndown_;  // by model: at home
    std::vector<std::uint64_t> shortest_;        // by model: the least maximum of its fallbacks
    double calls_ = 0;
    double tokens_ = 0;
};

}  // namespace

Result<Bound> upper_bound(const Scenario& scenario, const Survey& survey) {
    auto reader = scenario.open();
    if (!reader) {
        return std::unexpected(reader.error());
    }
    BoundMaker maker(scenario, survey);
    TraceCall call;
    for (;;) {
        const auto more = reader->next(call);
        if (!more) {
            return std::unexpected(more.error());
        }
        if (!*more) {
            return maker.result();
        }
        maker.add(call);
    }
}

}  // namespace weir::plan
