#include "observe/recent.h"

#include "observe/or_null.h"

#include <weir/models.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace weir::observe {
namespace {

using nlohmann::ordered_json;

bool is_client(std::string_view asked, std::string_view client) {
    return asked.empty() || asked == (client.empty() ? "none" : client);
}

bool is_model(std::string_view asked, std::string_view model) {
    return asked.empty() || strip_arn(asked) == strip_arn(model);
}

bool has_outcome(std::string_view asked, const Life& life) {
    if (asked == RecentQuery::kUnderWay) {
        return life.ended == kNever;
    }
    return asked.empty() || asked == RecentQuery::kAll || asked == life.outcome;
}

struct Place {
    std::string_view account, region, model;
};

Place place_of(const Step& step) {
    if (const auto* attempt = std::get_if<AttemptStep>(&step)) {
        return {attempt->account, attempt->region, attempt->model};
    }
    if (const auto* wait = std::get_if<WaitStep>(&step)) {
        return {{}, wait->region, wait->model};
    }
    const auto& refusal = std::get<RefusalStep>(step);
    return {{}, refusal.region, refusal.model};
}

/// Whether the request had to do with the target that is asked for. A wait and a refusal name no
/// account.
bool touches(const RecentQuery& query, const Place& place, std::string_view model) {
    return (query.account.empty() || place.account.empty() || query.account == place.account) &&
           (query.region.empty() || query.region == place.region) &&
           (is_model(query.model, place.model) || is_model(query.model, model));
}

ordered_json one_json(const RecentRequest& one) {
    return {{"id", one.id},
            {"arrived_unix_ms", one.unix_ms},
            {"client", or_null(one.client)},
            {"operation", or_null(one.operation)},
            {"model", or_null(one.model)},
            {"target_account", or_null(one.account)},
            {"target_region", or_null(one.region)},
            {"target_model", or_null(one.target_model)},
            {"stream", one.stream},
            {"outcome", or_null(one.outcome)},
            {"status", one.status == 0 ? ordered_json() : ordered_json(one.status)},
            {"error", or_null(one.error)},
            {"reason", or_null(one.reason)},
            {"attempts", one.attempts},
            {"queued_ms", ms_or_null(one.queued)},
            {"first_content_ms", ms_or_null(one.first_content)},
            {"total_ms", ms_or_null(one.ended)}};
}

}  // namespace

std::optional<RecentRequest> in_brief(std::string_view packed, const RecentQuery& query) {
    const auto life = unpack(packed);
    if (!life || !is_client(query.client, life->client) || !has_outcome(query.outcome, *life)) {
        return std::nullopt;
    }
    const std::vector<Step> steps = unpack_steps(life->steps);
    const auto meant = [&](const Step& step) {
        return touches(query, place_of(step), life->model);
    };
    const Place home{{}, life->home_region, life->model};
    if (steps.empty() ? !touches(query, home, life->model) : std::ranges::none_of(steps, meant)) {
        return std::nullopt;
    }
    RecentRequest one;
    one.unix_ms = life->unix_ms;
    one.ended = life->ended;
    one.first_content = life->first_content;
    one.status = life->status;
    one.stream = life->stream;
    one.id = life->id;
    one.client = life->client;
    one.operation = life->operation;
    one.model = life->model;
    one.outcome = life->outcome;
    one.reason = life->reason;
    one.error = life->error;
    for (const Step& step : steps) {
        if (const auto* attempt = std::get_if<AttemptStep>(&step)) {
            ++one.attempts;
            one.account = attempt->account;
            one.region = attempt->region;
            one.target_model = attempt->model;
        } else if (const auto* wait = std::get_if<WaitStep>(&step)) {
            one.queued += waited(*wait, *life);
        }
    }
    return one;
}

void RecentRequests::keep(RecentRequest&& one) {
    const auto place = std::ranges::upper_bound(found_, one.unix_ms, std::ranges::greater{},
                                                &RecentRequest::unix_ms);
    found_.insert(place, std::move(one));
    if (found_.size() > query_.limit) {
        found_.pop_back();
    }
}

void RecentRequests::add(std::string_view packed) {
    ++seen_;
    if (auto one = in_brief(packed, query_)) {
        keep(std::move(*one));
    }
}

void RecentRequests::add(const Lives& lives) {
    // What failed is eventful.
    const bool ordinary = query_.outcome == "ok" || query_.outcome == RecentQuery::kAll;
    for (const bool eventful : {true, false}) {
        if (!eventful && !ordinary) {
            break;
        }
        // Neither ring hides the other's requests.
        std::size_t left = RecentQuery::kMostSeen / (ordinary ? 2 : 1);
        std::size_t matches = 0;
        const bool all = lives.newest_first(eventful, [&](std::string_view packed) {
            if (left == 0) {
                return false;
            }
            left -= 1;
            seen_ += 1;
            if (auto one = in_brief(packed, query_)) {
                keep(std::move(*one));
                matches += 1;
            }
            return matches < query_.limit;  // older ones find no room
        });
        complete_ = complete_ && all;
    }
}

std::string RecentRequests::json() const {
    ordered_json out{{"requests", ordered_json::array()}};
    for (const RecentRequest& one : found_) {
        out["requests"].push_back(one_json(one));
    }
    out["complete"] = complete_;
    out["looked_at"] = seen_;
    return out.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace weir::observe
