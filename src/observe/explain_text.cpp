#include "observe/costs.h"
#include "observe/explain.h"
#include "observe/figures.h"
#include "policy/tariff.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace weir::observe {
namespace {

std::string time_text(std::int64_t unix_ms) {
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm parts{};
    std::array<char, 32> text{};
    gmtime_r(&seconds, &parts);
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 8> ms{};
    std::snprintf(ms.data(), ms.size(), ".%03dZ", static_cast<int>(unix_ms % 1000));
    return std::string(text.data(), size) + ms.data();
}

std::string use_text(LimitKind kind, std::uint64_t used, std::uint64_t limit) {
    return limit == 0 ? figure(used) + " " + std::string(limit_text(kind)) +
                            " were used and the limit was not known"
                      : figure(used) + " of " + figure(limit) + " " +
                            std::string(limit_text(kind)) + " were used";
}

std::string need_text(std::uint64_t used, std::uint64_t cost, std::uint64_t limit) {
    return " and it needed " + figure(cost) +
           (fits_the_whole(used, cost, limit) ? " (0.5 % is left unused)" : "");
}

std::string with_need(const WaitStep& wait) {
    return use_text(wait.limit_kind, wait.used, wait.limit) +
           (counts_calls(wait.limit_kind) ? "" : need_text(wait.used, wait.cost, wait.limit));
}

std::string cause_text(const WaitStep& wait) {
    const std::string place = place_text(wait.model, wait.region);
    switch (wait.cause) {
        case Hindrance::quota:
            return "of " + place + " " + with_need(wait);
        case Hindrance::client_limit:
            return "of this client's own limit " + with_need(wait);
        case Hindrance::in_flight:
            return "of " + place + " " + use_text(LimitKind::in_flight, wait.used, wait.limit);
        case Hindrance::throttled:
            return "calls to " + place +
                   " went a few at a time: the service had refused some, or what was used before "
                   "the start was not known";
        case Hindrance::other_weirs:
            return "the instances that share the quota of " + place +
                   " had room for others first: " + with_need(wait);
        case Hindrance::connections:
            return "as many calls as pool.max_connections were under way in " +
                   std::string(wait.region);
        case Hindrance::held:
            return place + " was closed or drained by an operator or an alarm";
        case Hindrance::breaker:
            return "the breaker of " + place + " was open or probing";
        case Hindrance::day:
            return "the day's tokens of " + place + " were used up";
        case Hindrance::unfit:
            return place + " refuses such calls of this client";
        case Hindrance::failed:
            return "it had failed at " + place + " and paused before the next attempt";
        case Hindrance::none:
        case Hindrance::line:
            break;
    }
    return "others were before it at " + place;
}

std::string wait_text(const WaitStep& wait, const Life& life) {
    std::string text = (wait.to == kNever ? "It has been in the queue for " : "It waited ") +
                       duration_text(waited(wait, life)) + " from ";
    text += duration_text(wait.from) + " on, because " + cause_text(wait) + ".";
    if (wait.calls_before > 0) {
        text += wait.calls_before == 1 ? " One call was before it"
                                       : " " + figure(wait.calls_before) + " calls were before it";
        text += ", expected to take " + figure(wait.tokens_before) + " tokens.";
    }
    if (wait.turn != kNever) {
        text += " Its turn was expected after " + duration_text(wait.turn) + ".";
    }
    return text;
}

std::string_view hindrance_text(Hindrance hindrance) {
    switch (hindrance) {
        case Hindrance::quota:
            return "its quota had no room";
        case Hindrance::throttled:
            return "calls went there a few at a time";
        case Hindrance::other_weirs:
            return "other instances had its quota";
        case Hindrance::client_limit:
            return "the client's own limit had no room";
        case Hindrance::in_flight:
        case Hindrance::connections:
            return "as many calls as may be were under way there";
        case Hindrance::held:
            return "an operator or an alarm held it closed or drained";
        case Hindrance::breaker:
            return "its breaker was open";
        case Hindrance::day:
            return "its tokens of the day were used up";
        case Hindrance::unfit:
            return "it refuses such calls";
        case Hindrance::failed:
            return "the call had failed there";
        case Hindrance::none:
        case Hindrance::line:
            break;
    }
    return "others were before it there";
}

std::string choice_text(const AttemptStep& attempt, const AttemptStep* before) {
    const std::string failed =
        before == nullptr
            ? std::string()
            : " after " + std::string(before->error.empty() ? before->result : before->error) +
                  " from " + place_text(before->model, before->region, before->account);
    switch (attempt.why.choice) {
        case Choice::as_it_came:
            return "passed on as it came";
        case Choice::first:
            return "the first choice of its route";
        case Choice::drawn:
            return "one of several equal targets of its route, by weight and load";
        case Choice::prompt_cache:
            return "which holds the prompt cache of this conversation";
        case Choice::spilled:
            return "spilled there because the first choice could not take it in time: " +
                   std::string(hindrance_text(attempt.why.first_hindered));
        case Choice::again:
            return "a retry" + failed;
        case Choice::elsewhere:
            return "a fallback" + failed;
    }
    return "";
}

std::string attempt_text(const AttemptStep& attempt, int number, const AttemptStep* before) {
    std::string text = "Attempt " + std::to_string(number) + " went to " +
                       place_text(attempt.model, attempt.region, attempt.account) + " at " +
                       duration_text(attempt.from) + ", " + choice_text(attempt, before);
    if (attempt.to == kNever) {
        return text + ". It is under way.";
    }
    const std::string took = duration_text(attempt.to - attempt.from);
    if (attempt.result == "ok") {
        return text + ". It was answered with " + std::to_string(attempt.status) + " after " +
               took + ".";
    }
    text += ". It ended after " + took + ": " + std::string(attempt.result);
    if (attempt.status > 0) {
        text += ", status " + std::to_string(attempt.status);
    }
    if (!attempt.error.empty()) {
        text += " " + std::string(attempt.error);
    }
    return text + ".";
}

std::string refusal_text(const RefusalStep& refusal) {
    std::string text = "Weir gave up at " + duration_text(refusal.at) + ": ";
    text += to_string(refusal.reason);
    if (refusal.limit_kind != LimitKind::none) {
        const bool own = refusal.reason == RefusalReason::client_limit;
        text += "; of " +
                (own ? "this client's own limit" : place_text(refusal.model, refusal.region)) +
                " " + use_text(refusal.limit_kind, refusal.used, refusal.limit);
        if (!counts_calls(refusal.limit_kind)) {
            text += need_text(refusal.used, refusal.cost, refusal.limit);
        }
    }
    if (refusal.repeated) {
        text += "; an earlier request of the same SDK invocation had been told the same";
    }
    text += ".";
    if (refusal.retry_after > 0) {
        text += " Room was expected after " + duration_text(refusal.retry_after) + ".";
    }
    return text;
}

std::string estimate_text(const Life& life, const AttemptStep* attempt) {
    std::string text = "Weir counted about " + figure(life.input_estimate) +
                       " tokens of input in a body of " + figure(life.bytes) + " bytes";
    if (attempt == nullptr) {
        return text + (life.max_tokens ? "; max_tokens is " + figure(*life.max_tokens) + "."
                                       : "; it names no max_tokens.");
    }
    const Reasons& why = attempt->why;
    text += ", expected " + figure(why.input_expected) + " as far as earlier answers have shown";
    if (why.input_known > 0) {
        text += " (" + figure(why.input_known) +
                " of them the service has counted earlier in this conversation)";
    }
    text += ", and held " + figure(why.input_held) + " with a margin for 99 of 100 calls.";
    if (!life.max_tokens) {
        text += " It names no max_tokens, so the model's " + figure(why.output) + " counts.";
    } else if (attempt->right_sized) {
        text += " Its max_tokens of " + figure(*life.max_tokens) + " was lowered to " +
                figure(why.output) + " (right_size).";
    } else if (why.output < *life.max_tokens) {
        text += " Its max_tokens of " + figure(*life.max_tokens) + " was lowered to the limit of " +
                figure(why.output) + ".";
    } else {
        text += " Its max_tokens is " + figure(why.output) + ".";
    }
    return text + " So it held " + figure(attempt->reservation) + " tokens of the quota.";
}

std::string settlement_text(const Life& life, const Settled& settled) {
    const Usage& usage = life.usage;
    if (!usage.known) {
        return "The service told no usage, so what was held counts as used.";
    }
    std::string text = "The service counted " + figure(usage.input) + " tokens of input and " +
                       figure(usage.output) + " of output";
    if (settled.answers > 1) {
        text += " in " + std::to_string(settled.answers) + " answers";
    }
    if (usage.cache_read + usage.cache_write > 0) {
        text += ", " + figure(usage.cache_read) + " read from and " + figure(usage.cache_write) +
                " written to the prompt cache";
        if (usage.cache_write_1h > 0) {
            text += ", " + figure(usage.cache_write_1h) + " of them for an hour";
        }
    }
    if (life.output_burndown == 0) {
        return text + ".";
    }
    text += ": " + figure(settled.quota_tokens) + " of the quota";
    if (life.output_burndown > 1 && settled.answers == 1) {
        text += " (a token of output counts " + std::to_string(life.output_burndown) + ")";
    }
    text +=
        settled.quota_tokens <= settled.reserved
            ? "; " + figure(settled.reserved - settled.quota_tokens) + " held in vain went back."
            : "; " + figure(settled.quota_tokens - settled.reserved) + " more than was held.";
    if (life.cost_nanodollars) {
        text += " It cost " + dollars_text(*life.cost_nanodollars) + " US dollars.";
    }
    return text;
}

std::string arrival_text(const Life& life) {
    std::string text =
        life.client.empty() ? "A client without a name" : "Client " + std::string(life.client);
    text += " sent " + std::string(life.operation);
    if (!life.model.empty()) {
        text += " for " + std::string(life.model);
    }
    text += " at " + time_text(life.unix_ms);
    if (!life.home_region.empty()) {
        text += ", home Region " + std::string(life.home_region);
    }
    if (life.limited) {
        text += ", priority " + std::string(to_string(life.priority));
    }
    if (!life.tag.empty()) {
        text += ", tag " + std::string(life.tag);
    }
    if (life.sdk_attempt > 1) {
        text += ", the SDK's attempt " + std::to_string(life.sdk_attempt);
    }
    return text + ".";
}

std::string end_text(const Life& life, Moment queued, Moment failed, Moment served) {
    if (life.ended == kNever) {
        return "It has not ended.";
    }
    std::string text = life.outcome == "cancelled" ? "The client left"
                       : life.status == 0          ? "It ended without an answer"
                                          : "The client got status " + std::to_string(life.status);
    if (!life.error.empty()) {
        text += " " + std::string(life.error);
    }
    if (life.outcome != "ok" && life.outcome != "cancelled") {
        text += " (" + std::string(life.outcome) +
                (life.reason.empty() ? "" : ", " + std::string(life.reason)) + ")";
    }
    text += " after " + duration_text(life.ended) + ": " + duration_text(queued) +
            " in the queue, " + duration_text(failed) + " in attempts that failed, " +
            duration_text(served) + " with the service, " +
            duration_text(std::max<Moment>(life.ended - queued - failed - served, 0)) +
            " with weir and the client.";
    if (life.first_content != kNever) {
        text += " The first content came after " + duration_text(life.first_content) + ".";
    }
    return text;
}

}  // namespace

std::string duration_text(Moment micros) {
    std::array<char, 48> text{};
    const auto value = static_cast<double>(std::max<Moment>(micros, 0));
    if (value < 999.5) {
        return value == 0 ? "0 s" : std::to_string(static_cast<int>(value)) + " µs";
    }
    if (value < 999'500) {
        std::snprintf(text.data(), text.size(), value < 9950 ? "%.1f ms" : "%.0f ms", value / 1e3);
    } else {
        std::snprintf(text.data(), text.size(), value < 99'950'000 ? "%.1f s" : "%.0f s",
                      value / 1e6);
    }
    return text.data();
}

std::string_view limit_text(LimitKind kind) {
    switch (kind) {
        case LimitKind::requests:
            return "requests a minute";
        case LimitKind::daily_tokens:
            return "tokens a day";
        case LimitKind::input_tokens:
            return "input tokens a minute";
        case LimitKind::output_tokens:
            return "output tokens a minute";
        case LimitKind::in_flight:
            return "calls at once";
        case LimitKind::none:
        case LimitKind::tokens:
            break;
    }
    return "tokens a minute";
}

bool counts_calls(LimitKind kind) {
    return kind == LimitKind::requests || kind == LimitKind::in_flight;
}

std::string place_text(std::string_view model, std::string_view region, std::string_view account) {
    std::string text(model.empty() ? "the service" : model);
    if (!region.empty()) {
        text += " in " + std::string(region);
    }
    if (!plain_account(account).empty()) {
        text += " of account " + std::string(account);
    }
    return text;
}

Settled settled_of(const Life& life, std::span<const Step> steps) {
    Settled settled;
    const AttemptStep* last = nullptr;
    for (const Step& step : steps) {
        if (const auto* attempt = std::get_if<AttemptStep>(&step)) {
            last = attempt;
            if (attempt->quota_tokens) {
                settled.quota_tokens += *attempt->quota_tokens;
                settled.reserved += attempt->reservation;
                ++settled.answers;
            }
        }
    }
    if (settled.answers == 0 && last != nullptr) {
        settled = {policy::quota_tokens(life.usage, life.output_burndown), last->reservation, 1};
    }
    return settled;
}

std::vector<std::string> sentences(const Life& life, std::span<const Step> steps) {
    std::vector<std::string> told{arrival_text(life)};
    const AttemptStep* first = nullptr;
    const AttemptStep* last = nullptr;
    const AttemptStep* given = nullptr;  // whose answer the client got
    for (const Step& step : steps) {
        if (const auto* attempt = std::get_if<AttemptStep>(&step)) {
            first = first == nullptr ? attempt : first;
            last = attempt;
            // One that was cut short is given after all where nothing better came.
            const bool cut = life.outcome == "ok" && attempt->result == "truncated";
            given = attempt->result == life.outcome || cut ? attempt : given;
        }
    }
    if (life.limited && life.input_estimate > 0) {
        told.push_back(estimate_text(life, first));
    }
    Moment queued = 0;
    Moment failed = 0;
    Moment served = 0;
    int number = 0;
    const AttemptStep* before = nullptr;
    for (const Step& step : steps) {
        if (const auto* wait = std::get_if<WaitStep>(&step)) {
            told.push_back(wait_text(*wait, life));
            queued += waited(*wait, life);
        } else if (const auto* refusal = std::get_if<RefusalStep>(&step)) {
            told.push_back(refusal_text(*refusal));
        } else {
            const auto& attempt = std::get<AttemptStep>(step);
            told.push_back(attempt_text(attempt, ++number, before));
            const Moment took = attempt.to == kNever ? 0 : attempt.to - attempt.from;
            (&attempt == given ? served : failed) += took;
            before = &attempt;
        }
    }
    if (life.left_out > 0) {
        told.push_back(figure(life.left_out) + " later steps are not kept.");
    }
    if (life.limited && life.ended != kNever && last != nullptr &&
        (life.usage.known || last->result == "ok")) {
        told.push_back(settlement_text(life, settled_of(life, steps)));
    }
    told.push_back(end_text(life, queued, failed, served));
    return told;
}

std::string unknown_text(std::string_view id, const Kept& kept, std::int64_t started_unix_ms) {
    std::string text = "weir: nothing is kept of request " + std::string(id) + ". ";
    if (kept.requests == 0) {
        return text + "No request has been kept since weir started at " +
               time_text(started_unix_ms) + "; explain.memory and explain.requests bound what is.";
    }
    const auto since = [&](std::int64_t ms) {
        return ms == 0 ? "weir started at " + time_text(started_unix_ms) : time_text(ms);
    };
    return text + "Kept are " + figure(kept.requests) + " requests: all since " +
           since(std::max(kept.since_unix_ms, kept.eventful_since_unix_ms)) + ", and the " +
           figure(kept.eventful) + " among them that waited, failed or were refused since " +
           since(kept.eventful_since_unix_ms) + ". A larger explain.memory keeps more.";
}

}  // namespace weir::observe
