#include "gateway/inquiry.h"

#include "gateway/query.h"
#include "observe/explain.h"
#include "policy/outcome.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace weir::gateway {
namespace {

/// Of a worker, for one list: telling of each takes its time.
constexpr std::size_t kMostUnderWay = 500;

std::optional<std::string> found_by(const Worker& worker, std::string_view id) {
    std::optional<std::string> found;
    worker.calls.for_each([&](const CallUnderWay& call) {
        if (!found) {
            found = call.tell(id);
        }
    });
    return found ? found : worker.lives.find(id);
}

ExplainAnswer told(const std::string& packed, const Inquiry& inquiry) {
    const auto life = observe::unpack(packed);
    if (!life) {
        return {};
    }
    const auto others = other_regions(inquiry.snapshot->config, life->model, life->home_region);
    return {true, observe::explain_json(*life, others)};
}

bool is_outcome(std::string_view name) {
    return name.empty() || name == observe::RecentQuery::kAll ||
           name == observe::RecentQuery::kUnderWay ||
           std::ranges::any_of(policy::kOutcomes,
                               [&](const auto& one) { return one.second == name; });
}

}  // namespace

std::vector<std::string> other_regions(const Config& config, std::string_view model,
                                       std::string_view home_region) {
    std::vector<std::string> others;
    const auto route = std::ranges::find(config.routes, model, &RouteConfig::model);
    for (const auto& [name, region] : config.regions) {
        const bool target = route == config.routes.end()
                                ? name == home_region
                                : std::ranges::any_of(route->targets, [&](const auto& one) {
                                      return one.region == name;
                                  });
        if (!target) {
            others.push_back(name);
        }
    }
    return others;
}

void explain(const std::vector<std::unique_ptr<Worker>>& workers, std::size_t next,
             std::unique_ptr<Inquiry> inquiry) {
    if (next >= workers.size()) {
        ExplainAnswer answer;
        answer.text = observe::unknown_text(inquiry->id, inquiry->kept, inquiry->started_unix_ms);
        inquiry->done(std::move(answer));
        return;
    }
    net::Loop& loop = workers[next]->loop;
    loop.post([&workers, next, mine = std::move(inquiry)]() mutable {
        const Worker& worker = *workers[next];
        if (const auto packed = found_by(worker, mine->id)) {
            mine->done(told(*packed, *mine));
            return;
        }
        mine->kept.add(worker.lives.kept());
        explain(workers, next + 1, std::move(mine));
    });
}

void list_requests(const std::vector<std::unique_ptr<Worker>>& workers, std::size_t next,
                   std::unique_ptr<Survey> survey) {
    if (next >= workers.size()) {
        survey->done(survey->requests.json());
        return;
    }
    net::Loop& loop = workers[next]->loop;
    loop.post([&workers, next, mine = std::move(survey)]() mutable {
        const Worker& worker = *workers[next];
        if (mine->requests.query().outcome == observe::RecentQuery::kUnderWay) {
            std::size_t left = kMostUnderWay;
            worker.calls.for_each([&](const CallUnderWay& call) {
                if (left > 0) {
                    --left;
                    mine->requests.add(call.tell({}).value_or(std::string()));
                }
            });
        } else {
            mine->requests.add(worker.lives);
        }
        list_requests(workers, next + 1, std::move(mine));
    });
}

Result<observe::RecentQuery> recent_query(std::string_view target) {
    using observe::RecentQuery;
    const auto bad = [] {
        return failure(
            "weir: /requests takes client=, account=, region=, model=, outcome= (of "
            "weir_requests_total, all or under_way) and limit= (1 to " +
            std::to_string(RecentQuery::kMost) + ")");
    };
    const auto values = query_values(target);
    if (!values) {
        return bad();
    }
    RecentQuery query;
    const std::array<std::pair<std::string_view, std::string RecentQuery::*>, 5> texts{
        {{"client", &RecentQuery::client},
         {"account", &RecentQuery::account},
         {"region", &RecentQuery::region},
         {"model", &RecentQuery::model},
         {"outcome", &RecentQuery::outcome}}};
    for (const auto& [name, value] : *values) {
        const auto text = std::ranges::find(texts, name, [](const auto& one) { return one.first; });
        if (text != texts.end()) {
            query.*text->second = value;
            if (name == "outcome" && !is_outcome(value)) {
                return bad();
            }
            continue;
        }
        const char* const end = value.data() + value.size();
        const auto read = std::from_chars(value.data(), end, query.limit);
        if (name != "limit" || read.ec != std::errc{} || read.ptr != end || query.limit == 0 ||
            query.limit > RecentQuery::kMost) {
            return bad();
        }
    }
    return query;
}

}  // namespace weir::gateway
