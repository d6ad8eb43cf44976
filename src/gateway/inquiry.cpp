#include "gateway/inquiry.h"

#include "observe/explain.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::gateway {
namespace {

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

}  // namespace weir::gateway
