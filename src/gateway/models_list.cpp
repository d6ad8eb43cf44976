#include "gateway/models_list.h"

#include "gateway/client_scope.h"
#include "gateway/request.h"

#include <weir/models.h>

#include <algorithm>

namespace weir::gateway {
namespace {

/// "anthropic" of "us.anthropic.claude-...".
std::string_view maker_of(std::string_view model) {
    const auto base = split_model(model).base;
    const auto dot = base.find('.');
    return dot == std::string_view::npos ? std::string_view("amazon-bedrock") : base.substr(0, dot);
}

}  // namespace

std::vector<std::string_view> models_for(const Config& config, const ClientConfig* client) {
    std::vector<std::string_view> models;
    const auto add = [&](std::string_view model) {
        if (std::ranges::find(models, model) == models.end() &&
            may_use_model(config, client, model, strip_arn(model))) {
            models.push_back(model);
        }
    };
    for (const auto& route : config.routes) {
        if (std::ranges::any_of(route.targets, [&](const auto& target) {
                return may_use_region(client, target.region);
            })) {
            add(route.model);
        }
    }
    for (const auto& quota : config.quotas) {
        // A model at bedrock-mantle is asked for by its route's name.
        if (quota.endpoint == Endpoint::runtime &&
            (quota.region.empty() || may_use_region(client, quota.region))) {
            std::ranges::for_each(quota.models, add);
        }
    }
    return models;
}

std::string model_body(bedrock::Dialect dialect, std::string_view model) {
    if (dialect == bedrock::Dialect::anthropic) {
        return R"({"type":"model","id":)" + json_text(model) + R"(,"display_name":)" +
               json_text(model) + R"(,"created_at":"1970-01-01T00:00:00Z"})";
    }
    return R"({"id":)" + json_text(model) + R"(,"object":"model","created":0,"owned_by":)" +
           json_text(maker_of(model)) + "}";
}

std::string models_body(bedrock::Dialect dialect, const std::vector<std::string_view>& models) {
    std::string data;
    for (const auto model : models) {
        data += (data.empty() ? "" : ",") + model_body(dialect, model);
    }
    if (dialect != bedrock::Dialect::anthropic) {
        return R"({"object":"list","data":[)" + data + "]}";
    }
    const auto id_or_null = [](bool some, std::string_view id) {
        return some ? json_text(id) : std::string("null");
    };
    const bool some = !models.empty();
    return R"({"data":[)" + data + R"(],"has_more":false,"first_id":)" +
           id_or_null(some, some ? models.front() : "") + R"(,"last_id":)" +
           id_or_null(some, some ? models.back() : "") + "}";
}

std::expected<std::string, ErrorAnswer> models_answer(const Request& request) {
    const auto models = models_for(request.snapshot->config, request.identity.client);
    if (request.operation() == bedrock::Operation::list_models) {
        return models_body(request.dialect, models);
    }
    const auto found = std::ranges::find(models, request.match.item);
    if (found == models.end()) {
        return refused(404, "ResourceNotFoundException",
                       "weir: the model " + request.match.item.substr(0, 200) +
                           " is not configured, or not for this client");
    }
    return model_body(request.dialect, *found);
}

}  // namespace weir::gateway
