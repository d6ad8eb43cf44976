#include "simulator/exchange.h"

#include "simulator/body_api.h"
#include "simulator/wordless.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace weir::simulator {
namespace {

constexpr std::size_t kMaxBody = 25'000'000;
constexpr double kPieceSeconds = 0.02;  // no more than fifty events a second
constexpr double kSlowness = 10;

Instant now() {
    return std::chrono::steady_clock::now();
}

std::int64_t wall_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// What a call had used up by this time: its input, and the tokens produced so far.
TokenUse used_by(const Generation& generation, Instant started, Instant at) {
    TokenUse use = generation.use;
    const double producing = to_seconds(at - started - generation.ttft);
    const double produced = std::max(0.0, producing) * generation.rate;
    use.output = std::min(use.output, static_cast<std::uint64_t>(produced));
    return use;
}

/// One exchange. Invariant: an admission ends exactly once; ended_ says whether it has.
class Exchange {
public:
    Exchange(net::Downstream& down, Desk desk)
        : down_(down), desk_(desk), pause_(down, desk.pauses) {}

    net::Task<void> run();

private:
    net::Task<bool> read();
    net::Task<void> refuse(ErrorAnswer answer);
    net::Task<void> say(std::string body, std::string_view extra);
    net::Task<void> count_tokens();
    net::Task<void> infer();
    net::Task<void> produce();
    net::Task<void> answer_whole();
    net::Task<void> answer_stream();
    net::Task<bool> fail_inside();
    net::Task<void> break_whole(std::string body);
    std::optional<ErrorAnswer> prepare();
    void settle(const TokenUse& used) {
        desk_.ledger.settle(model_, admission_.ticket, used, now());
    }
    void end(const TokenUse& used, Ending ending) { desk_.ledger.end(model_, used, ending); }
    void settle_and_end(const TokenUse& used, Ending ending) {
        settle(used);
        end(used, ending);
    }
    bool streams() const {
        return path_.action == Action::converse_stream || path_.action == Action::invoke_stream ||
               body_ask_.stream;
    }
    bool speaks_sse() const { return is_body_api(path_.action); }
    std::string stream_begin() const {
        return speaks_sse() ? api_stream_head(path_.action, admission_.generation)
                            : stream_head(admission_.generation, language_);
    }
    std::string stream_text(std::string_view text) const {
        return speaks_sse() ? api_stream_piece(path_.action, admission_.generation, text)
                            : stream_piece(admission_.generation, language_, text);
    }
    std::string stream_end() const {
        return speaks_sse()
                   ? api_stream_tail(path_.action, admission_.generation, body_ask_.include_usage)
                   : stream_tail(admission_.generation, language_);
    }
    std::string stream_failure() const {
        if (speaks_sse()) {
            return api_stream_error(path_.action, *fault_);
        }
        const StreamException exception = stream_exception(*fault_);
        return stream_error(exception.name, exception.payload);
    }
    std::string garbage() const;
    void keep();
    std::optional<ErrorAnswer> find_model();
    std::optional<ErrorAnswer> read_fields();
    std::string fields(std::string_view content_type) const {
        return "x-amzn-RequestId: " + request_id_ +
               "\r\nContent-Type: " + std::string(content_type) + "\r\n";
    }

    /// The tier that serves the call, where its body does not say it.
    std::string tier_field() const {
        const bool says =
            !admission_.generation.tier.empty() &&
            (path_.action == Action::invoke || path_.action == Action::invoke_stream ||
             path_.action == Action::messages);
        return says ? "X-Amzn-Bedrock-Service-Tier: " + admission_.generation.tier + "\r\n"
                    : std::string();
    }

    net::Downstream& down_;
    Desk desk_;
    Pause pause_;
    std::string body_;
    Path path_;
    std::string request_id_;
    std::string model_;  // empty until found
    Language language_ = Language::converse;
    Ask ask_;
    BodyAsk body_ask_;
    std::uint64_t maximum_ = 0;
    std::optional<FaultKind> fault_;
    Ledger::Admission admission_;
    Instant started_{};
};

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
    request_id_ = desk_.ledger.draw_request_id();
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
    if (desk_.ledger.side() == Side::mantle && !is_body_api(path_.action) &&
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
            const auto fault = desk_.ledger.draw_fault({}, now());
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
    const auto model = desk_.ledger.find(path_.id);
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
    const bool mantle = desk_.ledger.side() == Side::mantle;
    auto model = mantle && is_profile(id) ? std::nullopt : desk_.ledger.find(id);
    if (!model) {
        return unknown_model();
    }
    model_ = std::move(*model);
    if (mantle && !path_.openai.empty() &&
        path_.openai != desk_.ledger.settings(model_).mantle_path) {
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

/// An event whose bytes have suffered.
std::string Exchange::garbage() const {
    std::string bad = stream_text(make_text(admission_.generation, 0, 1));
    if (speaks_sse()) {
        bad.resize(bad.size() / 2);  // nothing guards its bytes: it can only be cut short
    } else {
        bad.back() = static_cast<char>(bad.back() ^ 0x55);  // its checksum is wrong now
    }
    return bad;
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
    if (desk_.ledger.side() == Side::mantle && !ask_.guardrail.empty()) {
        return make_error(400, "ValidationException", "Guardrails are not supported");
    }
    return std::nullopt;
}

net::Task<void> Exchange::infer() {
    if (auto refusal = prepare()) {
        if (!model_.empty()) {
            desk_.ledger.count_rejected(model_);
        }
        co_await refuse(std::move(*refusal));
        co_return;
    }
    fault_ = ask_.directives.fault;
    if (!fault_) {
        fault_ = desk_.ledger.draw_fault(model_, now());
    }
    if (fault_ && at_the_door(*fault_)) {
        desk_.ledger.count_faulted(model_);
        if (*fault_ == FaultKind::reset) {
            down_.abort();
        } else {
            ErrorAnswer answer = fault_error(*fault_, model_);
            co_await refuse(std::move(answer));
        }
        co_return;
    }
    started_ = now();
    admission_ = desk_.ledger.admit(model_, ask_, maximum_, started_);
    if (admission_.verdict != Verdict::accepted) {
        ErrorAnswer answer = quota_error(admission_.verdict);
        co_await refuse(std::move(answer));
        co_return;
    }
    admission_.generation.request_id = request_id_;
    co_await produce();
}

net::Task<void> Exchange::produce() {
    Generation& generation = admission_.generation;
    if (fault_ == FaultKind::slow) {
        generation.ttft *= static_cast<int>(kSlowness);
        generation.rate /= kSlowness;
    }
    const bool failed = co_await fail_inside();
    if (failed) {
        co_return;
    }
    if (streams()) {
        co_await answer_stream();
    } else {
        co_await answer_whole();
    }
}

/// Faults of an admitted call that come in place of any answer. True: it has been dealt with.
net::Task<bool> Exchange::fail_inside() {
    const Generation& generation = admission_.generation;
    TokenUse input_only = generation.use;
    input_only.output = 0;
    if (fault_ == FaultKind::hang) {
        co_await pause_.for_ever();
        settle_and_end(input_only, Ending::broken);
        down_.abort();
        co_return true;
    }
    const bool error_status =
        fault_ == FaultKind::model_timeout || fault_ == FaultKind::model_error ||
        (!streams() && (fault_ == FaultKind::garbage || fault_ == FaultKind::first_event ||
                        fault_ == FaultKind::mid_stream));
    if (!error_status) {
        co_return false;
    }
    const bool there = co_await pause_.until(started_ + generation.ttft);
    settle_and_end(input_only, there ? Ending::broken : Ending::cancelled);
    if (there) {
        ErrorAnswer answer = fault_error(*fault_, model_);
        co_await refuse(std::move(answer));
    } else {
        down_.abort();
    }
    co_return true;
}

net::Task<void> Exchange::break_whole(std::string body) {
    const std::string head = fields("application/json");
    const auto begun = co_await down_.begin(200, head, body.size());
    if (begun) {
        co_await down_.write(std::string_view(body).substr(0, body.size() / 2));
    }
    down_.abort();
}

net::Task<void> Exchange::answer_whole() {
    const Generation& generation = admission_.generation;
    const bool there = co_await pause_.until(started_ + generation.duration());
    if (!there) {
        settle_and_end(used_by(generation, started_, now()), Ending::cancelled);
        down_.abort();
        co_return;
    }
    const bool wordless = is_wordless(model_);
    std::string body = speaks_sse() ? api_answer(path_.action, generation)
                       : wordless   ? wordless_answer(generation)
                                    : answer_body(generation, language_);
    if (fault_ == FaultKind::mid_stream_reset) {
        settle_and_end(generation.use, Ending::broken);
        co_await break_whole(std::move(body));
        co_return;
    }
    const std::string head = fields("application/json") +
                             (wordless                         ? wordless_fields(generation)
                              : path_.action == Action::invoke ? count_fields(generation)
                                                               : std::string()) +
                             tier_field();
    settle(generation.use);
    keep();
    const auto sent = co_await down_.send(200, head, body);
    end(generation.use, sent ? Ending::delivered : Ending::cancelled);
}

net::Task<void> Exchange::answer_stream() {
    const Generation& generation = admission_.generation;
    TokenUse used = generation.use;
    used.output = 0;
    const bool there = co_await pause_.until(started_ + generation.ttft);
    if (!there) {
        settle_and_end(used, Ending::cancelled);
        down_.abort();
        co_return;
    }
    std::string head =
        fields(speaks_sse() ? "text/event-stream" : "application/vnd.amazon.eventstream");
    if (path_.action == Action::invoke_stream) {
        head += "X-Amzn-Bedrock-Content-Type: application/json\r\n";
    }
    head += tier_field();
    const auto begun = co_await down_.begin(200, head, std::nullopt);
    if (!begun) {
        settle_and_end(used, Ending::cancelled);
        co_return;
    }
    const std::uint64_t total = generation.use.output;
    const auto step = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::llround(generation.rate * kPieceSeconds)));
    const bool breaks = fault_ == FaultKind::mid_stream || fault_ == FaultKind::mid_stream_reset;
    const std::uint64_t last = breaks ? (total + 1) / 2 : total;
    std::string out = stream_begin();
    if (fault_ == FaultKind::first_event) {
        out = stream_failure();
    } else if (fault_ == FaultKind::garbage) {
        out += garbage();
    }
    if (fault_ == FaultKind::first_event || fault_ == FaultKind::garbage) {
        settle_and_end(used, Ending::broken);
        co_await down_.write(out);
        co_await down_.end();
        co_return;
    }
    while (used.output < last) {
        const std::uint64_t tokens = std::min(step, last - used.output);
        out += stream_text(make_text(generation, used.output, tokens));
        used.output += tokens;
        const auto written = co_await down_.write(out);
        out.clear();
        const Instant next = started_ + generation.ttft +
                             from_seconds(static_cast<double>(used.output) / generation.rate);
        bool listening = written.has_value();
        if (listening) {
            listening = co_await pause_.until(next);
        }
        if (!listening) {
            settle_and_end(used, Ending::cancelled);
            down_.abort();
            co_return;
        }
    }
    if (breaks) {
        settle_and_end(used, Ending::broken);
        if (fault_ == FaultKind::mid_stream) {
            const std::string event = stream_failure();
            co_await down_.write(event);
            co_await down_.end();
        } else {
            down_.abort();
        }
        co_return;
    }
    settle(used);
    keep();
    out += stream_end();
    const auto written = co_await down_.write(out);
    const auto ended = co_await down_.end();
    end(used, written && ended ? Ending::delivered : Ending::cancelled);
}

}  // namespace

net::Task<void> serve(net::Downstream& down, Desk desk) {
    Exchange exchange(down, desk);
    co_await exchange.run();
}

}  // namespace weir::simulator
