// What is settled only once the body is there: a client's signature; on the OpenAI and Anthropic
// paths model, stream, and where what they lean on is kept.
#include "gateway/exchange.h"

#include "bedrock/body_head.h"
#include "bedrock/body_parts.h"

#include <algorithm>

namespace weir::gateway {
namespace {

/// No guardrail's name: none has a space.
constexpr std::string_view kSomeGuardrail = "a guardrail";

}  // namespace

/// A head that says its body's digest is judged before the body is read: nobody without a key has
/// weir hold one. False: error_ is set.
bool Exchange::admit_claim() {
    const auto* sum = downstream_.head().find("x-amz-content-sha256");
    if (identity_.pair == nullptr || sum == nullptr) {
        return true;
    }
    claimed_ = codec::parse_digest(*sum);
    return check_signature(claimed_.value_or(codec::Digest()));
}

/// The caller is known from here on. False: error_ is set.
bool Exchange::admit_signature() {
    if (identity_.pair == nullptr || claimed_ == digest_) {
        return true;
    }
    return check_signature(digest_);
}

bool Exchange::check_signature(const codec::Digest& body) {
    auto& verifier = identity_.claim.authorization.service == "bedrock-mantle"
                         ? worker_.mantle_verifier
                         : worker_.verifier;
    auto fault = codec::check_claim(verifier, downstream_.head(), identity_.claim,
                                    identity_.pair->key, body);
    if (fault) {
        identity_.client = nullptr;
        refuse(403, fault->type, "weir: " + fault->message, "key");
        return false;
    }
    identity_.name = identity_.client->name;
    return true;
}

void Exchange::take_facts() {
    const ModelFacts facts = snapshot_->config.models.facts(model_);
    family_ = facts.family;
    says_text_ = facts.max_output > 0;
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
    take_facts();
    stream_ = head->stream;
    stateful_ = head->stateful;
    add_usage_ = !head->states_usage && !snapshot_->observes(model_);
    if (!admit_model()) {
        return false;
    }
    if (head->conversation && others_share()) {  // weir does not see conversations being made
        refuse(404, "ResourceNotFoundException", "Conversation not found.", "response");
        return false;
    }
    return head->previous_response.empty() || go_where_made(head->previous_response);
}

/// What keeps the call from going just anywhere.
void Exchange::bind(Call& call) const {
    if (bedrock::names_model_in_body(match_.operation)) {
        call.reach = !kept_                                ? Reach::both
                     : kept_->endpoint == Endpoint::mantle ? Reach::mantle
                                                           : Reach::runtime;
    }
    if (match_.model.starts_with("arn:")) {
        call.profile = match_.model;
    }
    const std::string_view by_header = text_of(downstream_.head(), bedrock::kGuardrailField);
    const std::string_view by_body =
        std::string_view(body_).substr(facts_.guardrail_at, facts_.guardrail_size);
    call.guardrail = by_body.empty() ? by_header : by_body;
    call.region_bound = facts_.region_bound || stateful_;
    if ((facts_.guarded && call.guardrail.empty()) || (!by_header.empty() && !by_body.empty())) {
        call.guardrail =
            kSomeGuardrail;  // which one is not clear, so that nothing can stand for it
    }
}

void Exchange::remember_response(std::string_view id) {
    if (!id.empty()) {
        kept_as_ = id;
        worker_.shared.responses.remember(
            id,
            {target_region_, usage_.input + usage_.cache_read + usage_.cache_write + usage_.output,
             endpoint_, grant_.path, std::string(tenant()), std::string(model_)});
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
    const auto change = [&](std::string to) {
        changed = std::move(to);
        as_it_came = false;
    };
    if (bedrock::names_model_in_body(match_.operation)) {
        if (const std::string_view other = other_model(grant); !other.empty()) {
            change(bedrock::with_body_model(current(), other));
        }
        if (add_usage_) {
            change(bedrock::with_stated_usage(current()));
        }
    }
    if (tier_ != Tier::unset && bedrock::tier_in_body(match_.operation)) {
        change(bedrock::with_tier(current(), match_.operation, to_string(tier_)));
    }
    if (!grant.guardrail.empty() && facts_.guardrail_size > 0) {
        change(bedrock::with_guardrail(current(), grant.guardrail));
    }
    return current();
}

/// The path as this attempt sends it; `changed` holds it where it is not target_.
std::string_view Exchange::path_for(const Grant& grant, std::string& changed) const {
    const std::string_view other = other_model(grant);
    if (bedrock::names_model_in_body(match_.operation)) {
        if (grant.path == ApiPath::as_asked) {
            return target_;
        }
        changed = bedrock::with_api_path(target_, grant.path);
    } else if (!other.empty()) {
        changed = bedrock::with_model(target_, match_.raw_model, other);
    } else {
        return target_;
    }
    return changed;
}

/// Header fields of the place that stand for the client's own.
void Exchange::set_instead(const Grant& grant) {
    instead_.clear();
    if (tier_ != Tier::unset && !bedrock::tier_in_body(match_.operation)) {
        instead_.push_back({bedrock::kTierField, to_string(tier_)});
    }
    if (!grant.guardrail.empty() && facts_.guardrail_size == 0) {
        instead_.push_back({bedrock::kGuardrailField, grant.guardrail});
    }
}

/// Another model than the caller wrote: a fallback's, what a nickname stands for, or the profile
/// that stands for the caller's here. Empty: as it came.
std::string_view Exchange::other_model(const Grant& grant) const {
    if (!grant.profile.empty()) {
        return grant.profile;
    }
    const bool other = grant.substituted ||
                       (!match_.model.starts_with("arn:") && match_.model != grant.target->model);
    return other ? std::string_view(grant.target->model) : std::string_view();
}

}  // namespace weir::gateway
