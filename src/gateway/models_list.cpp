#include "gateway/models_list.h"

#include "gateway/client_scope.h"
#include "gateway/refusal.h"

#include <weir/models.h>

#include <algorithm>

namespace weir::gateway {
namespace {

std::string quoted(std::string_view text) {
    std::string out = "\"";
    append_json_text(out, text);
    out += '"';
    return out;
}

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
            may_use_model(client, model, strip_arn(model))) {
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
        return R"({"type":"model","id":)" + quoted(model) + R"(,"display_name":)" + quoted(model) +
               R"(,"created_at":"1970-01-01T00:00:00Z"})";
    }
    return R"({"id":)" + quoted(model) + R"(,"object":"model","created":0,"owned_by":)" +
           quoted(maker_of(model)) + "}";
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
        return some ? quoted(id) : std::string("null");
    };
    const bool some = !models.empty();
    return R"({"data":[)" + data + R"(],"has_more":false,"first_id":)" +
           id_or_null(some, some ? models.front() : "") + R"(,"last_id":)" +
           id_or_null(some, some ? models.back() : "") + "}";
}

}  // namespace weir::gateway
