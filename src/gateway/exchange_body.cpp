// What is settled only once the body is there: a client's signature; on the OpenAI and Anthropic
// paths model, stream, and where what they lean on is kept.
#include "gateway/exchange.h"

#include "bedrock/body_head.h"

#include <algorithm>

namespace weir::gateway {

/// The caller is known from here on. False: error_ is set.
bool Exchange::admit_signature() {
    if (identity_.pair == nullptr) {
        return true;
    }
    auto fault = codec::check_claim(worker_.verifier, downstream_.head(), identity_.claim,
                                    identity_.pair->key, digest_);
    if (fault) {
        identity_.client = nullptr;
        refuse(403, fault->type, "weir: " + fault->message, "key");
        return false;
    }
    identity_.name = identity_.client->name;
    return true;
}

/// False: error_ is set.
bool Exchange::admit_body() {
    auto head = bedrock::read_body_head(match_.operation, body_);
    if (!head) {
        refuse(400, "ValidationException", "weir: " + head.error().message);
        return false;
    }
    match_.model = std::move(head->model);
    model_ = snapshot_->model_name(match_.model);
    family_ = snapshot_->config.models.facts(model_).family;
    stream_ = head->stream;
    stateful_ = head->stateful;
    add_usage_ = !head->states_usage && !snapshot_->observes(model_);
    if (!admit_client()) {
        return false;
    }
    if (!head->previous_response.empty()) {
        go_where_made(head->previous_response);
    }
    return true;
}

/// The Region that keeps a response is the call's home, whatever its signature says.
void Exchange::go_where_made(std::string_view response) {
    if (const auto made = worker_.shared.responses.find(response)) {
        if (const auto* region = worker_.region(made->region)) {
            home_region_ = region->name;
            kept_tokens_ = made->tokens;
        }
    }
}

void Exchange::remember_response(std::string_view id) {
    if (!id.empty()) {
        worker_.shared.responses.remember(
            id, {target_region_,
                 usage_.input + usage_.cache_read + usage_.cache_write + usage_.output});
    }
}

/// The body as this attempt sends it; `changed` holds it where it is not body_.
std::string_view Exchange::body_for(const Grant& grant, std::string& changed) const {
    bool as_it_came = true;
    const auto current = [&] { return as_it_came ? std::string_view(body_) : changed; };
    if (grant.max_output) {
        changed =
            bedrock::with_max_output(body_, facts_, match_.operation, family_, *grant.max_output);
        as_it_came = false;
    }
    if (bedrock::names_model_in_body(match_.operation)) {
        if (renamed(grant)) {
            changed = bedrock::with_body_model(current(), grant.target->model);
            as_it_came = false;
        }
        if (add_usage_) {
            changed = bedrock::with_stated_usage(current());
            as_it_came = false;
        }
    }
    return current();
}

/// Another model than the caller wrote: a fallback's, or what a nickname stands for.
bool Exchange::renamed(const Grant& grant) const {
    return grant.substituted ||
           (!match_.model.starts_with("arn:") && match_.model != grant.target->model);
}

}  // namespace weir::gateway
