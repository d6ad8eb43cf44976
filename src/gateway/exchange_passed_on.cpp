// What weir does not limit by quota: who may ask for it, where it goes, what is remembered of it.
#include "gateway/exchange.h"

#include "bedrock/body_head.h"
#include "bedrock/passed_body.h"
#include "gateway/client_scope.h"
#include "gateway/models_list.h"

#include <weir/models.h>

#include <algorithm>

namespace weir::gateway {
namespace {

using bedrock::Operation;

constexpr std::string_view kNotFound = "ResourceNotFoundException";

}  // namespace

/// The client's `models`, and its `regions` where the model's ARN names one. False: error_ is set.
bool Exchange::admit_model() {
    const auto* client = identity_.client;
    if (!may_use_model(client, match_.model, model_)) {
        refuse(403, "AccessDeniedException",
               "weir: client " + client->name + " may not use model " + std::string(model_),
               "model");
        return false;
    }
    return admit_kept_region(arn_region(match_.model));
}

/// The client's `regions`. Empty: none is named. False: error_ is set.
bool Exchange::admit_kept_region(std::string_view region) {
    const auto* client = identity_.client;
    if (region.empty() || may_use_region(client, region)) {
        return true;
    }
    refuse(
        403, "AccessDeniedException",
        "weir: client " + client->name + " may not use Region " + std::string(region.substr(0, 40)),
        "region");
    return false;
}

/// What is settled once the caller is known and its body is there. False: error_ is set.
bool Exchange::admit_asked() {
    if (bedrock::names_model_in_body(match_.operation)) {
        return admit_body();
    }
    return bedrock::is_inference(match_.operation) || admit_passed_on();
}

bool Exchange::admit_passed_on() {
    const auto* client = identity_.client;
    const bool few_models = client != nullptr && !client->models.empty();
    switch (match_.operation) {
        case Operation::list_models:
        case Operation::get_model:
        case Operation::count_tokens:  // its model stands in the path
            return true;
        case Operation::count_message_tokens:
            return count_in_messages();
        case Operation::rerank:
        case Operation::start_async_invoke:
        case Operation::create_invocation_job: {
            auto model = bedrock::model_to_run(match_.operation, body_);
            if (model) {
                match_.model = std::move(*model);
                model_ = snapshot_->model_name(match_.model);
                if (!admit_model()) {
                    return false;
                }
            } else if (few_models) {  // for others the service says what is wrong with it
                refuse(400, "ValidationException", "weir: " + model.error().message);
                return false;
            }
            break;
        }
        case Operation::get_async_invoke:
        case Operation::get_invocation_job:
        case Operation::stop_invocation_job:
            if (!admit_item()) {
                return false;
            }
            break;
        case Operation::list_async_invokes:
        case Operation::list_invocation_jobs:
            if (few_models) {
                refuse(403, "AccessDeniedException",
                       "weir: client " + client->name +
                           " may use some models only, and this list has those of all",
                       "model");
                return false;
            }
            break;
        case Operation::control_plane:
            if (!match_.item.empty() &&
                !may_read_model(client, match_.item, snapshot_->model_name(match_.item))) {
                refuse(403, "AccessDeniedException",
                       "weir: client " + client->name + " may not use model " +
                           std::string(strip_arn(match_.item)),
                       "model");
                return false;
            }
            [[fallthrough]];
        case Operation::apply_guardrail:
            if (!admit_kept_region(arn_region(match_.item))) {
                return false;
            }
            break;
        case Operation::stored_response:
            if (!go_where_made(match_.response)) {
                return false;
            }
            break;
        default:
            break;
    }
    return within_client_limit();
}

/// Whether there are several tenants, each known by a key: then what nobody here is known to have
/// made may be another's.
bool Exchange::others_share() const {
    return snapshot_->clients.keys_required() && snapshot_->config.clients.size() > 1;
}

/// Whose the things are that this call makes.
std::string_view Exchange::tenant() const {
    return identity_.client == nullptr ? std::string_view() : identity_.client->name;
}

/// The Region that keeps a response is the call's home, whatever its signature says. False: error_
/// is set, in the same words for another's response as for one that is not there.
bool Exchange::go_where_made(std::string_view response) {
    auto made = worker_.shared.responses.find(response);
    if (made ? made->client != tenant() : others_share()) {
        const bool leans = match_.operation != Operation::stored_response;
        refuse(404, kNotFound,
               std::string(leans ? "Previous response" : "Response") + " with id '" +
                   std::string(response) + "' not found.",
               leans ? "previous_response" : "response");
        return false;
    }
    const auto* region = made ? worker_.region(made->region) : nullptr;
    if (region == nullptr) {
        return true;
    }
    if (!admit_kept_region(region->name)) {
        return false;
    }
    const auto* client = identity_.client;
    if (!may_use_model(client, made->model, made->model)) {
        refuse(403, "AccessDeniedException",
               "weir: client " + client->name + " may not use model " + made->model, "model");
        return false;
    }
    home_region_ = region->name;
    kept_ = std::move(made);
    return true;
}

/// An asynchronous invocation or an invocation job, by its id or ARN. False: error_ is set.
bool Exchange::admit_item() {
    const auto* client = identity_.client;
    if (!admit_kept_region(arn_region(match_.item))) {
        return false;
    }
    const auto made = worker_.shared.responses.find(strip_arn(match_.item));
    if (!made) {
        // Made before this process, or elsewhere. To read of it does no harm, unless it may be of
        // a model that this client may not use; to stop it may be to stop another's.
        const bool few_models = client != nullptr && !client->models.empty();
        if (!few_models &&
            (match_.operation != Operation::stop_invocation_job || !others_share())) {
            return true;
        }
    } else if (made->client == tenant()) {
        if (may_use_model(client, made->model, made->model)) {
            return true;
        }
    }
    refuse(404, kNotFound, "weir: " + std::string(match_.item) + " is not there", "response");
    return false;
}

/// Anthropic's count_tokens becomes Bedrock's CountTokens, which knows models without their
/// geographic prefix. False: error_ is set.
bool Exchange::count_in_messages() {
    auto head = bedrock::read_body_head(Operation::messages, body_);
    if (!head) {
        refuse(400, "ValidationException", "weir: " + head.error().message);
        return false;
    }
    match_.model = std::move(head->model);
    model_ = snapshot_->model_name(match_.model);
    if (!admit_model()) {
        return false;
    }
    auto body = bedrock::count_tokens_body(body_, text_of(downstream_.head(), "anthropic-beta"));
    if (!body) {
        refuse(400, "ValidationException", "weir: " + body.error().message);
        return false;
    }
    body_ = std::move(*body);
    digest_ = codec::sha256(body_);
    constexpr std::string_view kModel = "/model/-/count-tokens";
    instead_of_target_ = bedrock::with_model(kModel, "-", split_model(model_).base);
    target_ = instead_of_target_;
    return true;
}

/// A client's requests_per_minute counts what is passed on. False: error_ is set.
bool Exchange::within_client_limit() {
    const auto* client = identity_.client;
    if (client == nullptr || !client->requests_per_minute ||
        snapshot_->config.mode == Mode::observe) {
        return true;
    }
    auto refusal = worker_.shared.gate->count_request(client->name);
    if (!refusal) {
        return true;
    }
    refusal->model = "client " + client->name;
    error_ = refusal_answer(*refusal, model_);
    return false;
}

Service Exchange::service() const {
    switch (match_.operation) {
        case Operation::control_plane:
        case Operation::create_invocation_job:
        case Operation::get_invocation_job:
        case Operation::list_invocation_jobs:
        case Operation::stop_invocation_job:
            return Service::control;
        case Operation::rerank:
            return Service::agent;
        default:
            return Service::runtime;
    }
}

/// A whole answer to what was passed on is here, and not yet with the client.
void Exchange::finish_passed_on() {
    if (match_.operation == Operation::count_message_tokens) {
        answer_body_ = bedrock::anthropic_count(answer_body_);
    } else if (match_.operation == Operation::start_async_invoke ||
               match_.operation == Operation::create_invocation_job) {
        const auto arn = bedrock::made_arn(match_.operation, answer_body_);
        if (!arn.empty()) {
            worker_.shared.responses.remember(
                strip_arn(arn), {target_region_, 0, Endpoint::runtime, ApiPath::as_asked,
                                 std::string(tenant()), std::string(model_)});
        }
    }
}

/// Answered here: what is configured and this client may use.
net::Task<void> Exchange::list_models() {
    const auto models = models_for(snapshot_->config, identity_.client);
    std::string body;
    if (match_.operation == Operation::list_models) {
        body = models_body(dialect_, models);
    } else if (const auto found = std::ranges::find(models, match_.item); found != models.end()) {
        body = model_body(dialect_, *found);
    } else {
        refuse(404, kNotFound,
               "weir: the model " + match_.item.substr(0, 200) +
                   " is not configured, or not for this client");
        const ErrorAnswer error = *error_;
        co_await answer(error);
        co_return;
    }
    status_ = 200;
    fields_.clear();
    codec::append_field(fields_, "Content-Type", "application/json");
    add_weir_fields();
    const auto sent = co_await downstream_.send(status_, fields_, body);
    if (!sent) {
        outcome_ = observe::Outcome::cancelled;
    }
}

}  // namespace weir::gateway
