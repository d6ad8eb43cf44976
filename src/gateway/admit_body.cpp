// What is settled only once the body is there: a client's signature; on the OpenAI and Anthropic
// paths model and stream; whose the things are that a call leans on.
#include "gateway/request.h"

#include "bedrock/body_head.h"
#include "bedrock/passed_body.h"
#include "gateway/client_scope.h"
#include "gateway/worker.h"

#include <weir/arn.h>
#include <weir/models.h>

namespace weir::gateway {
namespace {

using bedrock::Operation;

constexpr std::string_view kNotFound = "ResourceNotFoundException";

/// The caller is known from here on.
Admitted admit_signature(Request& request, Worker& worker) {
    if (request.identity.pair == nullptr || request.body.claimed == request.body.digest) {
        return {};
    }
    return check_signature(request, worker, request.body.digest);
}

/// The Region that keeps a response is the call's home, whatever its signature says. Another's
/// response is refused in the same words as one that is not there.
Admitted go_where_made(Request& request, Worker& worker, std::string_view response) {
    auto made = worker.shared.responses.find(response);
    if (made ? made->client != request.tenant() : request.others_share()) {
        const bool leans = request.operation() != Operation::stored_response;
        return refused(404, kNotFound,
                       std::string(leans ? "Previous response" : "Response") + " with id '" +
                           std::string(response) + "' not found.",
                       leans ? "previous_response" : "response");
    }
    const auto* region = made ? worker.region(made->region) : nullptr;
    if (region == nullptr) {
        return {};
    }
    if (auto admitted = admit_named_region(request, region->name); !admitted) {
        return admitted;
    }
    const auto* client = request.identity.client;
    if (!may_use_model(request.snapshot->config, client, made->model, made->model)) {
        return refused(403, "AccessDeniedException",
                       "weir: client " + client->name + " may not use model " + made->model,
                       "model");
    }
    request.home_region = region->name;
    request.kept = std::move(made);
    return {};
}

Admitted admit_named_in_body(Request& request, Worker& worker) {
    auto head = bedrock::read_body_head(request.operation(), request.body.text);
    if (!head) {
        return refused(400, "ValidationException", "weir: " + head.error().message);
    }
    request.match.model = std::move(head->model);
    request.model = request.snapshot->model_name(request.match.model);
    take_model_facts(request);
    request.stream = head->stream;
    request.stateful = head->stateful;
    request.add_usage = !head->states_usage && !request.snapshot->observes(request.model);
    if (auto admitted = admit_model(request); !admitted) {
        return admitted;
    }
    if (head->conversation &&
        request.others_share()) {  // weir does not see conversations being made
        return refused(404, "ResourceNotFoundException", "Conversation not found.", "response");
    }
    return head->previous_response.empty()
               ? Admitted()
               : go_where_made(request, worker, head->previous_response);
}

/// An asynchronous invocation or an invocation job, by its id or ARN.
Admitted admit_item(const Request& request, const Worker& worker) {
    const auto* client = request.identity.client;
    if (auto admitted = admit_named_region(request, arn_region(request.match.item)); !admitted) {
        return admitted;
    }
    const auto made = worker.shared.responses.find(strip_arn(request.match.item));
    if (!made) {
        // Made before this process, or elsewhere. To read of it does no harm, unless it may be of
        // a model that this client may not use; to stop it may be to stop another's.
        const bool few_models = client != nullptr && !client->models.empty();
        if (!few_models &&
            (request.operation() != Operation::stop_invocation_job || !request.others_share())) {
            return {};
        }
    } else if (made->client == request.tenant()) {
        if (may_use_model(request.snapshot->config, client, made->model, made->model)) {
            return {};
        }
    }
    return refused(404, kNotFound, "weir: " + std::string(request.match.item) + " is not there",
                   "response");
}

/// Anthropic's count_tokens becomes Bedrock's CountTokens, which knows models without their
/// geographic prefix.
Admitted count_in_messages(Request& request) {
    auto head = bedrock::read_body_head(Operation::messages, request.body.text);
    if (!head) {
        return refused(400, "ValidationException", "weir: " + head.error().message);
    }
    request.match.model = std::move(head->model);
    request.model = request.snapshot->model_name(request.match.model);
    if (auto admitted = admit_model(request); !admitted) {
        return admitted;
    }
    auto body =
        bedrock::count_tokens_body(request.body.text, text_of(request.head, "anthropic-beta"));
    if (!body) {
        return refused(400, "ValidationException", "weir: " + body.error().message);
    }
    request.body.text = std::move(*body);
    request.body.digest = codec::sha256(request.body.text);
    constexpr std::string_view kModel = "/model/-/count-tokens";
    request.own_target = bedrock::with_model(kModel, "-", split_model(request.model).base);
    request.target = request.own_target;
    return {};
}

/// A client's requests_per_minute counts what is passed on, and a paused client's is refused.
Admitted within_client_limit(const Request& request, Worker& worker) {
    if (request.snapshot->config.mode == Mode::observe) {
        return {};
    }
    const auto* client = request.identity.client;
    const std::string_view name = client != nullptr ? client->name : request.identity.name;
    auto refusal = worker.shared.gate->count_request(name);
    if (!refusal) {
        return {};
    }
    refusal->model = "client " + std::string(name);
    return std::unexpected(refusal_answer(*refusal, request.model));
}

Admitted admit_passed_on(Request& request, Worker& worker) {
    const auto* client = request.identity.client;
    const bool few_models = client != nullptr && !client->models.empty();
    switch (request.operation()) {
        case Operation::list_models:
        case Operation::get_model:
        case Operation::count_tokens:  // its model stands in the path
            return {};
        case Operation::count_message_tokens:
            return count_in_messages(request);
        case Operation::rerank:
        case Operation::start_async_invoke:
        case Operation::create_invocation_job: {
            auto model = bedrock::model_to_run(request.operation(), request.body.text);
            if (model) {
                request.match.model = std::move(*model);
                request.model = request.snapshot->model_name(request.match.model);
                if (auto admitted = admit_model(request); !admitted) {
                    return admitted;
                }
            } else if (few_models) {  // for others the service says what is wrong with it
                return refused(400, "ValidationException", "weir: " + model.error().message);
            }
            break;
        }
        case Operation::get_async_invoke:
        case Operation::get_invocation_job:
        case Operation::stop_invocation_job:
            if (auto admitted = admit_item(request, worker); !admitted) {
                return admitted;
            }
            break;
        case Operation::list_async_invokes:
        case Operation::list_invocation_jobs:
            if (few_models) {
                return refused(403, "AccessDeniedException",
                               "weir: client " + client->name +
                                   " may use some models only, and this list has those of all",
                               "model");
            }
            break;
        case Operation::control_plane:
            if (!request.match.item.empty() &&
                !may_read_model(request.snapshot->config, client, request.match.item,
                                request.snapshot->model_name(request.match.item))) {
                return refused(403, "AccessDeniedException",
                               "weir: client " + client->name + " may not use model " +
                                   std::string(strip_arn(request.match.item)),
                               "model");
            }
            [[fallthrough]];
        case Operation::apply_guardrail:
            if (auto admitted = admit_named_region(request, arn_region(request.match.item));
                !admitted) {
                return admitted;
            }
            break;
        case Operation::stored_response:
            if (auto admitted = go_where_made(request, worker, request.match.response); !admitted) {
                return admitted;
            }
            break;
        default:
            break;
    }
    return within_client_limit(request, worker);
}

}  // namespace

Admitted admit_body(Request& request, Worker& worker) {
    if (auto admitted = admit_signature(request, worker); !admitted) {
        return admitted;
    }
    if (bedrock::names_model_in_body(request.operation())) {
        return admit_named_in_body(request, worker);
    }
    return request.is_inference() ? Admitted() : admit_passed_on(request, worker);
}

}  // namespace weir::gateway
