#include "simulator/catalogue.h"

#include "simulator/answer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;
using Answer = std::expected<std::string, ErrorAnswer>;

constexpr std::string_view kAccount = "123456789012";
constexpr std::int64_t kAsyncSeconds = 2;
constexpr std::size_t kMaxInvocations = 1000;

std::unexpected<ErrorAnswer> not_found(std::string_view what) {
    return std::unexpected(make_error(404, "ResourceNotFoundException", what));
}

/// `us.anthropic.x` is the profile of `anthropic.x`; an id without a geography is no profile.
std::string_view base_of(std::string_view model) {
    static constexpr std::array<std::string_view, 13> kGeographies = {
        "us.", "eu.", "apac.", "jp.", "au.", "us-gov.", "global.",
        "ca.", "sa.", "me.",   "af.", "il.", "mx."};
    for (const std::string_view geo : kGeographies) {
        if (model.starts_with(geo)) {
            return model.substr(geo.size());
        }
    }
    return model;
}

std::string model_arn(const std::string& region, std::string_view base) {
    return "arn:aws:bedrock:" + region + "::foundation-model/" + std::string(base);
}

Json profile_summary(const std::string& region, const std::string& model) {
    return {{"inferenceProfileName", model},
            {"inferenceProfileId", model},
            {"inferenceProfileArn", "arn:aws:bedrock:" + region + ":" + std::string(kAccount) +
                                        ":inference-profile/" + model},
            {"description", "Routes requests to " + std::string(base_of(model))},
            {"createdAt", "2025-09-29T00:00:00Z"},
            {"updatedAt", "2025-09-29T00:00:00Z"},
            {"models", Json::array({{{"modelArn", model_arn(region, base_of(model))}}})},
            {"status", "ACTIVE"},
            {"type", "SYSTEM_DEFINED"}};
}

Json model_summary(const std::string& region, std::string_view base) {
    return {{"modelArn", model_arn(region, base)},
            {"modelId", base},
            {"modelName", base},
            {"providerName", base.substr(0, base.find('.'))},
            {"inputModalities", Json::array({"TEXT", "IMAGE"})},
            {"outputModalities", Json::array({"TEXT"})},
            {"responseStreamingSupported", true},
            {"customizationsSupported", Json::array()},
            {"inferenceTypesSupported", Json::array({"ON_DEMAND", "INFERENCE_PROFILE"})},
            {"modelLifecycle", {{"status", "ACTIVE"}}}};
}

Answer apply_guardrail(std::string_view body) {
    const Json document = Json::parse(body, nullptr, false);
    if (!document.is_object() || !document.contains("content")) {
        return std::unexpected(make_error(400, "ValidationException", "content is required"));
    }
    return dump({{"action", "NONE"},
                 {"outputs", Json::array()},
                 {"assessments", Json::array()},
                 {"usage",
                  {{"topicPolicyUnits", 0},
                   {"contentPolicyUnits", 1},
                   {"wordPolicyUnits", 0},
                   {"sensitiveInformationPolicyUnits", 0},
                   {"sensitiveInformationPolicyFreeUnits", 0},
                   {"contextualGroundingPolicyUnits", 0}}}});
}

}  // namespace

bool is_profile(std::string_view model) {
    return base_of(model).size() != model.size();
}

std::string iso_date(std::int64_t unix_seconds) {
    const std::time_t time = unix_seconds;
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::array<char, 32> text{};
    const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), n};
}

Catalogue::Catalogue(std::string region, std::vector<std::string> models)
    : region_(std::move(region)), models_(std::move(models)) {}

Answer Catalogue::start_async(std::string_view body, const std::string& fresh_id,
                              std::int64_t unix_seconds) {
    const Json document = Json::parse(body, nullptr, false);
    const auto text = [&](const char* pointer) -> std::string {
        const Json::json_pointer path(pointer);
        if (!document.is_object() || !document.contains(path) || !document[path].is_string()) {
            return {};
        }
        return document[path].get<std::string>();
    };
    Invocation invocation{.arn = "arn:aws:bedrock:" + region_ + ":" + std::string(kAccount) +
                                 ":async-invoke/" + fresh_id.substr(0, 8) + fresh_id.substr(9, 4),
                          .model = text("/modelId"),
                          .token = text("/clientRequestToken"),
                          .s3_uri = text("/outputDataConfig/s3OutputDataConfig/s3Uri"),
                          .started = unix_seconds};
    if (invocation.model.empty() || invocation.s3_uri.empty()) {
        return std::unexpected(
            make_error(400, "ValidationException", "modelId and outputDataConfig are required"));
    }
    const std::lock_guard lock(mutex_);
    const auto same = std::find_if(invocations_.begin(), invocations_.end(), [&](const auto& old) {
        return !old.token.empty() && old.token == invocation.token;
    });
    if (same != invocations_.end()) {
        return dump({{"invocationArn", same->arn}});
    }
    if (invocations_.size() >= kMaxInvocations) {
        invocations_.pop_front();
    }
    invocations_.push_back(invocation);
    return dump({{"invocationArn", invocation.arn}});
}

void Catalogue::keep_response(const std::string& id, std::string body, std::uint64_t tokens) {
    const std::lock_guard lock(mutex_);
    if (kept_.size() >= kMaxInvocations) {
        kept_.pop_front();
    }
    kept_.push_back({id, std::move(body), tokens});
}

std::optional<std::uint64_t> Catalogue::kept_tokens(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(kept_, id, &Kept::id);
    return found == kept_.end() ? std::nullopt : std::optional(found->tokens);
}

Answer Catalogue::kept_response(const Path& path) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(kept_, path.id, &Kept::id);
    if (found == kept_.end()) {
        return not_found("Response with id '" + path.id + "' not found.");
    }
    if (path.action == Action::response_get) {
        return found->body;
    }
    kept_.erase(found);
    return dump({{"id", path.id}, {"object", "response"}, {"deleted", true}});
}

Answer Catalogue::answer(const Path& path, std::string_view body, const std::string& fresh_id,
                         std::int64_t unix_seconds) {
    const auto describe = [&](const Invocation& invocation) {
        const bool done = unix_seconds >= invocation.started + kAsyncSeconds;
        Json json{{"invocationArn", invocation.arn},
                  {"modelArn", model_arn(region_, invocation.model)},
                  {"clientRequestToken", invocation.token},
                  {"status", done ? "Completed" : "InProgress"},
                  {"submitTime", iso_date(invocation.started)},
                  {"lastModifiedTime",
                   iso_date(done ? invocation.started + kAsyncSeconds : invocation.started)},
                  {"outputDataConfig", {{"s3OutputDataConfig", {{"s3Uri", invocation.s3_uri}}}}}};
        if (done) {
            json["endTime"] = iso_date(invocation.started + kAsyncSeconds);
        }
        return json;
    };
    switch (path.action) {
        case Action::response_get:
        case Action::response_delete:
            return kept_response(path);
        case Action::guardrail:
            return apply_guardrail(body);
        case Action::async_start:
            return start_async(body, fresh_id, unix_seconds);
        case Action::async_get: {
            const std::lock_guard lock(mutex_);
            for (const Invocation& invocation : invocations_) {
                if (invocation.arn == path.id) {
                    return dump(describe(invocation));
                }
            }
            return not_found("Could not find the invocation " + path.id);
        }
        case Action::async_list: {
            const std::lock_guard lock(mutex_);
            Json list = Json::array();
            for (const Invocation& invocation : invocations_) {
                list.push_back(describe(invocation));
            }
            return dump({{"asyncInvokeSummaries", list}});
        }
        case Action::profiles: {
            Json list = Json::array();
            for (const std::string& model : models_) {
                if (is_profile(model)) {
                    list.push_back(profile_summary(region_, model));
                }
            }
            return dump({{"inferenceProfileSummaries", list}});
        }
        case Action::profile:
            for (const std::string& model : models_) {
                if (is_profile(model) && model == model_of(path.id)) {
                    return dump(profile_summary(region_, model));
                }
            }
            return not_found("The inference profile does not exist.");
        case Action::models: {
            Json list = Json::array();
            for (const std::string& model : models_) {
                list.push_back(model_summary(region_, base_of(model)));
            }
            return dump({{"modelSummaries", list}});
        }
        case Action::model:
            for (const std::string& model : models_) {
                if (base_of(model) == model_of(path.id)) {
                    return dump({{"modelDetails", model_summary(region_, base_of(model))}});
                }
            }
            return not_found("The model does not exist.");
        default:
            return std::unexpected(unknown_operation());
    }
}

}  // namespace weir::simulator
