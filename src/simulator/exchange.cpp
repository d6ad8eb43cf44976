#include "simulator/exchange.h"

#include "simulator/exchange_impl.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace weir::simulator {
namespace {

constexpr std::size_t kMaxBody = 25'000'000;

std::int64_t wall_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

net::Task<bool> Exchange::read() {
    codec::Sha256 digest;
    std::size_t bytes = 0;
    for (;;) {
        const auto piece = co_await down_.read_body();
        if (!piece) {
            co_return false;
        }
        if (piece->empty()) {
            break;
        }
        bytes += piece->size();
        if (bytes <= kMaxBody) {  // what is too long is read to its end, to be refused in words
            body_.append(*piece);
            digest.update(*piece);
        }
    }
    path_ = parse_path(down_.head().method, down_.head().target);
    if (const auto own = desk_.accounts.find(access_key(down_.head()));
        own != desk_.accounts.end()) {
        desk_.ledger = own->second.get();
    }
    request_id_ = desk_.ledger->draw_request_id();
    std::optional<ErrorAnswer> refusal;
    if (bytes > kMaxBody) {
        refusal = make_error(400, "ValidationException",
                             "1 validation error detected: Value at 'body' failed to satisfy "
                             "constraint: Member must have length less than or equal to 25000000");
    } else if (desk_.verifier != nullptr) {
        refusal = desk_.verifier->check(down_.head(), digest.finish(), wall_seconds());
    }
    if (refusal) {
        co_await refuse(std::move(*refusal));
        co_return false;
    }
    co_return true;
}

net::Task<void> Exchange::refuse(ErrorAnswer answer) {
    answer = in_words_of(path_.action, std::move(answer));
    std::string head = fields(answer.content_type);
    if (!answer.type.empty()) {
        head += "x-amzn-ErrorType: " + answer.type + "\r\n";
    }
    co_await down_.send(answer.status, head, answer.body);
}

net::Task<void> Exchange::say(std::string body, std::string_view extra) {
    std::string head = fields("application/json");
    head += extra;
    co_await down_.send(200, head, body);
}

net::Task<void> Exchange::run() {
    const bool good = co_await read();
    if (!good) {
        co_return;
    }
    if (desk_.ledger->side() == Side::mantle && !is_body_api(path_.action) &&
        !is_kept_response(path_.action)) {
        path_.action = Action::unknown;
    }
    switch (path_.action) {
        case Action::converse:
        case Action::converse_stream:
        case Action::invoke:
        case Action::invoke_stream:
        case Action::chat:
        case Action::responses:
        case Action::messages:
            co_await infer();
            break;
        case Action::count_tokens:
            co_await count_tokens();
            break;
        default: {
            const auto fault = desk_.ledger->draw_fault({}, now());
            if (fault == FaultKind::reset) {
                down_.abort();
                co_return;
            }
            auto answer = fault && at_the_door(*fault)
                              ? std::unexpected(fault_error(*fault, {}))
                              : desk_.catalogue.answer(path_, body_, request_id_, wall_seconds());
            if (answer) {
                co_await say(std::move(*answer), std::string_view());
            } else {
                co_await refuse(std::move(answer.error()));
            }
        }
    }
}

net::Task<void> Exchange::count_tokens() {
    const auto model = desk_.ledger->find(path_.id);
    const auto tokens = read_count(body_, language_of(path_.id));
    if (!model || !tokens) {
        ErrorAnswer answer = model ? make_error(400, "ValidationException", tokens.error().message)
                                   : unknown_model();
        co_await refuse(std::move(answer));
    } else {
        co_await say("{\"inputTokens\":" + std::to_string(*tokens) + "}", std::string_view());
    }
}

/// Model and language, from path or body.
std::optional<ErrorAnswer> Exchange::find_model() {
    std::string_view id = path_.id;
    if (is_body_api(path_.action)) {
        auto ask = read_body_ask(body_);
        if (!ask) {
            return make_error(400, "ValidationException", "you must provide a model parameter");
        }
        body_ask_ = std::move(*ask);
        id = body_ask_.model;
        language_ = language_of(path_.action);
    }
    const bool mantle = desk_.ledger->side() == Side::mantle;
    auto model = mantle && is_profile(id) ? std::nullopt : desk_.ledger->find(id);
    if (!model) {
        return unknown_model();
    }
    model_ = std::move(*model);
    if (mantle && !path_.openai.empty() &&
        path_.openai != desk_.ledger->settings(model_).mantle_path) {
        return make_error(400, "ValidationException",
                          "model `" + model_ + "` isn't supported on this route");
    }
    if (body_ask_.background) {
        return make_error(400, "ValidationException", "background mode is not supported");
    }
    if (!is_body_api(path_.action)) {
        const bool converse =
            path_.action == Action::converse || path_.action == Action::converse_stream;
        language_ = converse ? Language::converse : language_of(model_);
    }
    return std::nullopt;
}

void Exchange::keep() {
    if (path_.action == Action::responses && body_ask_.store) {
        const Generation& made = admission_.generation;
        desk_.catalogue.keep_response(response_id(made), api_answer(path_.action, made),
                                      ask_.input + made.use.output);
    }
}

/// Reads what is asked; an answer here is the caller's own error.
std::optional<ErrorAnswer> Exchange::prepare() {
    if (auto refusal = find_model()) {
        return refusal;
    }
    const bool wordless = is_wordless(model_);
    if (wordless && path_.action != Action::invoke) {
        return make_error(
            400, "ValidationException",
            "This action doesn't support the model that you provided. Try again with a "
            "supported text or chat model.");
    }
    auto ask = wordless ? read_wordless(body_, model_) : read_body(body_, language_);
    if (!ask) {
        return make_error(400, "ValidationException", ask.error().message);
    }
    ask_ = std::move(*ask);
    std::string().swap(body_);
    if (auto refusal = read_fields()) {
        return refusal;
    }
    if (!body_ask_.previous_response.empty()) {
        const auto kept = desk_.catalogue.kept_tokens(body_ask_.previous_response);
        if (!kept) {
            return make_error(
                400, "ValidationException",
                "Previous response with id '" + body_ask_.previous_response + "' not found.");
        }
        ask_.input += *kept;
    }
    const std::uint64_t most = wordless ? 0 : maximum_output(model_);
    maximum_ = ask_.max_output.value_or(most);
    if (maximum_ > most) {
        return make_error(400, "ValidationException",
                          "The maximum tokens you requested exceeds the model limit of " +
                              std::to_string(most) +
                              ". Try again with a maximum tokens value that is lower than " +
                              std::to_string(most) + ".");
    }
    return std::nullopt;
}

/// What some bodies say stands in header fields for others.
std::optional<ErrorAnswer> Exchange::read_fields() {
    if (const std::string_view* guardrail =
            down_.head().find("x-amzn-bedrock-guardrailidentifier")) {
        ask_.guardrail = *guardrail;
    }
    if (const std::string_view* tier = down_.head().find("x-amzn-bedrock-service-tier");
        tier != nullptr && ask_.tier.empty()) {
        ask_.tier = *tier;
    }
    if (!ask_.tier.empty() && !is_tier(ask_.tier)) {
        return make_error(
            400, "ValidationException",
            "Value '" + ask_.tier +
                "' at 'serviceTier' failed to satisfy constraint: Member must satisfy "
                "enum value set: [priority, default, flex, reserved]");
    }
    if (desk_.ledger->side() == Side::mantle && !ask_.guardrail.empty()) {
        return make_error(400, "ValidationException", "Guardrails are not supported");
    }
    return std::nullopt;
}

net::Task<void> Exchange::infer() {
    if (auto refusal = prepare()) {
        if (!model_.empty()) {
            desk_.ledger->count_rejected(model_);
        }
        co_await refuse(std::move(*refusal));
        co_return;
    }
    fault_ = ask_.directives.fault;
    if (!fault_) {
        fault_ = desk_.ledger->draw_fault(model_, now());
    }
    if (fault_ && at_the_door(*fault_)) {
        desk_.ledger->count_faulted(model_);
        if (*fault_ == FaultKind::reset) {
            down_.abort();
        } else {
            ErrorAnswer answer = fault_error(*fault_, model_);
            co_await refuse(std::move(answer));
        }
        co_return;
    }
    started_ = now();
    admission_ = desk_.ledger->admit(model_, ask_, maximum_, started_);
    if (admission_.verdict != Verdict::accepted) {
        ErrorAnswer answer = quota_error(admission_.verdict);
        co_await refuse(std::move(answer));
        co_return;
    }
    admission_.generation.request_id = request_id_;
    co_await produce();
}

net::Task<void> serve(net::Downstream& down, Desk desk) {
    Exchange exchange(down, desk);
    co_await exchange.run();
}

}  // namespace weir::simulator
