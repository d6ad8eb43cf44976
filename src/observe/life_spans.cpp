#include "observe/life_spans.h"

#include <weir/models.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace weir::observe {
namespace {

constexpr std::string_view kProvider = "aws.bedrock";
/// What weir writes into the log for a client that has left, which no client has got.
constexpr int kNobodyLeft = 499;

class Attributes {
public:
    void text(const char* key, std::string_view value) {
        if (!value.empty()) {
            list_.push_back({key, std::string(value)});
        }
    }
    void number(const char* key, std::uint64_t value) {
        list_.push_back({key, static_cast<std::int64_t>(value)});
    }
    void number_if(const char* key, std::uint64_t value) {
        if (value > 0) {
            number(key, value);
        }
    }
    void seconds(const char* key, Moment micros) {
        if (micros != kNever) {
            list_.push_back({key, static_cast<double>(micros) / 1e6});
        }
    }
    void flag_if(const char* key, bool value) {
        if (value) {
            list_.push_back({key, true});
        }
    }
    OtlpAttributes take() { return std::move(list_); }

private:
    OtlpAttributes list_;
};

/// Which limit, how large and how full it is, and what was asked of it.
void add_limit(Attributes& to, LimitKind kind, std::uint64_t limit, std::uint64_t used,
               std::uint64_t cost) {
    if (kind == LimitKind::none) {
        return;
    }
    to.text("weir.limit.kind", to_string(kind));
    to.number_if("weir.limit.value", limit);
    to.number("weir.limit.used", used);
    to.number("weir.limit.needed", cost);
}

void add_usage(Attributes& to, const Usage& usage) {
    if (!usage.known) {
        return;
    }
    // The conventions' input tokens include cached ones, the service's do not.
    to.number("gen_ai.usage.input_tokens", usage.input + usage.cache_read + usage.cache_write);
    to.number("gen_ai.usage.output_tokens", usage.output);
    to.number_if("gen_ai.usage.cache_read.input_tokens", usage.cache_read);
    to.number_if("gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
}

bool is_attempt(const Step& step) {
    return std::holds_alternative<AttemptStep>(step);
}

class Builder {
public:
    Builder(const Life& life, const RequestTrace& trace, const AddressOf& address)
        : life_(life),
          trace_(trace),
          address_(address),
          steps_(unpack_steps(life.steps)),
          operation_(gen_ai_operation(life.operation, life.model)) {}

    std::vector<Span> build() {
        std::vector<Span> spans;
        spans.push_back(request());
        const auto last = std::ranges::find_if(steps_.rbegin(), steps_.rend(), is_attempt);
        for (auto step = steps_.begin(); step != steps_.end(); ++step) {
            if (const auto* one = std::get_if<AttemptStep>(&*step)) {
                const bool ends_it = last != steps_.rend() && &*last == &*step;
                spans.push_back(attempt(*one, ends_it));
            }
        }
        return spans;
    }

private:
    Span request() {
        Span span = common(0, life_.ended);
        span.id = trace_.span;
        span.parent = trace_.caller.parent;
        span.name = name(life_.model);
        span.kind = SpanKind::server;
        Attributes to;
        add_gen_ai(to);
        to.text("gen_ai.request.model", life_.model);
        to.number_if("http.response.status_code",
                     life_.status == kNobodyLeft ? 0 : static_cast<std::uint64_t>(life_.status));
        const bool failed = life_.outcome != "ok";
        if (failed) {
            to.text("error.type", life_.error.empty() ? life_.outcome : life_.error);
        }
        // As for any server: what the caller has asked wrongly, or left, is no fault of this span.
        const bool callers = life_.outcome == "client_error" || life_.outcome == "cancelled";
        span.status = failed && !callers ? SpanStatus::error : SpanStatus::unset;
        to.text("weir.request_id", life_.id);
        to.text("weir.operation", life_.operation);
        to.text("weir.client", life_.client);
        to.text("weir.outcome", life_.outcome);
        to.text("weir.refusal.reason", life_.reason);
        to.text("weir.home_region", life_.home_region);
        if (life_.limited) {
            to.text("weir.priority", to_string(life_.priority));
            to.number("weir.estimated_input_tokens", life_.input_estimate);
        }
        to.seconds("weir.queue.duration", waited());
        to.number("weir.attempts",
                  static_cast<std::uint64_t>(std::ranges::count_if(steps_, is_attempt)));
        to.text("weir.sdk.invocation_id", life_.sdk_invocation);
        to.number_if("weir.sdk.attempt",
                     static_cast<std::uint64_t>(std::max(life_.sdk_attempt, 0)));
        to.number_if("weir.steps_left_out", life_.left_out);
        span.attributes = to.take();
        span.events = events();
        return span;
    }

    Span attempt(const AttemptStep& step, bool ends_it) {
        Span span = common(step.from, step.to == kNever ? life_.ended : step.to);
        span.id = attempt_span(trace_.span, step.number);
        span.parent = trace_.span;
        span.name = name(step.model);
        span.kind = SpanKind::client;
        const bool failed = step.result != "ok";
        Attributes to;
        add_gen_ai(to);
        to.text("gen_ai.request.model", step.model);
        to.flag_if("gen_ai.request.stream", life_.stream);
        to.number_if("gen_ai.request.max_tokens", step.why.output);
        if (ends_it) {
            add_usage(to, life_.usage);
            to.text("aws.request_id", life_.upstream_id);
        }
        if (ends_it && life_.stream && life_.first_content != kNever) {
            to.seconds("gen_ai.response.time_to_first_chunk",
                       std::max<Moment>(life_.first_content - step.from, 0));
        }
        to.number_if("http.response.status_code",
                     step.status == kNobodyLeft ? 0 : static_cast<std::uint64_t>(step.status));
        to.number_if("http.request.resend_count", step.number > 0 ? step.number - 1 : 0);
        if (failed) {
            to.text("error.type", step.error.empty() ? step.result : step.error);
            span.status = step.result == "cancelled" ? SpanStatus::unset : SpanStatus::error;
        }
        to.text("cloud.region", step.region);
        if (address_) {
            const ServerAddress server = address_(step.region, step.endpoint);
            to.text("server.address", server.host);
            to.number_if("server.port", server.port);
        }
        to.text("weir.account", step.account);
        to.text("weir.endpoint", step.endpoint);
        to.text("weir.tier", step.tier);
        to.text("weir.choice", to_string(step.why.choice));
        to.text("weir.result", step.result);
        to.number_if("weir.reserved_tokens", step.reservation);
        to.flag_if("weir.right_sized", step.right_sized);
        span.attributes = to.take();
        if (step.sent != kNever) {
            span.events.push_back({"weir.sent", at(step.sent), {}});
        }
        if (step.head != kNever) {
            span.events.push_back({"weir.answer_head", at(step.head), {}});
        }
        return span;
    }

    std::vector<SpanEvent> events() const {
        std::vector<SpanEvent> list;
        const AttemptStep* before = nullptr;
        for (const Step& step : steps_) {
            if (const auto* wait = std::get_if<WaitStep>(&step)) {
                list.push_back(event_of(*wait));
            } else if (const auto* refusal = std::get_if<RefusalStep>(&step)) {
                list.push_back(event_of(*refusal));
            } else {
                const auto& attempt = std::get<AttemptStep>(step);
                if (auto event = event_of(attempt, before)) {
                    list.push_back(std::move(*event));
                }
                before = &attempt;
            }
        }
        if (life_.first_content != kNever) {
            list.push_back({"weir.first_content", at(life_.first_content), {}});
        }
        return list;
    }

    SpanEvent event_of(const WaitStep& wait) const {
        Attributes to;
        to.seconds("weir.wait.duration", length(wait));
        to.text("weir.wait.cause", to_string(wait.cause));
        to.text("cloud.region", wait.region);
        to.text("gen_ai.request.model", wait.model);
        add_limit(to, wait.limit_kind, wait.limit, wait.used, wait.cost);
        to.number_if("weir.wait.calls_before", wait.calls_before);
        to.seconds("weir.wait.expected", wait.turn);
        return {"weir.wait", at(wait.from), to.take()};
    }

    SpanEvent event_of(const RefusalStep& refusal) const {
        Attributes to;
        to.text("weir.refusal.reason", to_string(refusal.reason));
        to.text("cloud.region", refusal.region);
        to.text("gen_ai.request.model", refusal.model);
        add_limit(to, refusal.limit_kind, refusal.limit, refusal.used, refusal.cost);
        if (refusal.retry_after > 0) {
            to.seconds("weir.refusal.retry_after", refusal.retry_after);
        }
        to.flag_if("weir.refusal.repeated", refusal.repeated);
        return {"weir.refusal", at(refusal.at), to.take()};
    }

    /// What this attempt is after the one before: another try, at the same place or elsewhere.
    std::optional<SpanEvent> event_of(const AttemptStep& attempt, const AttemptStep* before) const {
        Attributes to;
        to.text("cloud.region", attempt.region);
        to.text("gen_ai.request.model", attempt.model);
        if (before != nullptr) {
            to.text("weir.after", before->error.empty() ? before->result : before->error);
            const bool same = before->region == attempt.region && before->model == attempt.model &&
                              before->account == attempt.account &&
                              before->endpoint == attempt.endpoint;
            return SpanEvent{same ? "weir.retry" : "weir.fallback", at(attempt.from), to.take()};
        }
        if (attempt.why.choice != Choice::spilled) {
            return std::nullopt;
        }
        to.text("weir.spill.cause", to_string(attempt.why.first_hindered));
        return SpanEvent{"weir.spill", at(attempt.from), to.take()};
    }

    Span common(Moment from, Moment to) const {
        Span span;
        span.trace = trace_.caller.trace;
        span.state = trace_.state;
        span.flags = (trace_.sampled ? 1U : 0U) | (trace_.caller.random ? 2U : 0U);
        span.start_unix_ns = at(from);
        span.end_unix_ns = std::max(at(to), span.start_unix_ns);
        return span;
    }

    void add_gen_ai(Attributes& to) const {
        if (!operation_.empty()) {
            to.text("gen_ai.operation.name", operation_);
            to.text("gen_ai.provider.name", kProvider);
        }
    }

    std::string name(std::string_view model) const {
        std::string text(operation_.empty() ? life_.operation : operation_);
        if (text.empty()) {
            text = "request";
        }
        return model.empty() ? text : text.append(" ").append(model);
    }

    Moment length(const WaitStep& wait) const {
        return std::max<Moment>((wait.to == kNever ? life_.ended : wait.to) - wait.from, 0);
    }

    Moment waited() const {
        Moment all = 0;
        for (const Step& step : steps_) {
            if (const auto* wait = std::get_if<WaitStep>(&step)) {
                all += length(*wait);
            }
        }
        return all;
    }

    /// Wall time of a moment, within the request.
    std::int64_t at(Moment moment) const {
        const Moment end = std::max<Moment>(life_.ended, 0);
        return life_.unix_ms * 1'000'000 + std::clamp<Moment>(moment, 0, end) * 1'000;
    }

    const Life& life_;
    const RequestTrace& trace_;
    const AddressOf& address_;
    std::vector<Step> steps_;
    std::string_view operation_;
};

}  // namespace

std::string_view gen_ai_operation(std::string_view operation, std::string_view model) {
    static constexpr std::array kChats{"Converse", "ConverseStream", "ChatCompletions", "Responses",
                                       "Messages"};
    if (std::ranges::find(kChats, operation) != kChats.end()) {
        return "chat";
    }
    if (!operation.starts_with("InvokeModel")) {
        return {};
    }
    const std::string_view base = split_model(model).base;
    const auto named = [base](auto... parts) { return (base.contains(parts) || ...); };
    if (named("embed")) {
        return "embeddings";
    }
    if (named("rerank")) {
        return "rerank";  // the conventions have no word for it
    }
    if (named("image", "canvas", "stability.", "reel", "luma.")) {
        return "generate_content";
    }
    return base.starts_with("anthropic.") || base.starts_with("amazon.nova") ? "chat"
                                                                             : "text_completion";
}

std::vector<Span> spans_of(const Life& life, const RequestTrace& trace, const AddressOf& address) {
    return Builder(life, trace, address).build();
}

}  // namespace weir::observe
