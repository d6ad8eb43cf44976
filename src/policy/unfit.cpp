#include "policy/unfit.h"

#include <algorithm>
#include <span>

namespace weir::policy {

namespace {
constexpr Duration kUnfitFor = std::chrono::minutes(5);
constexpr Duration kForgetAfter = std::chrono::minutes(10);
constexpr Duration kBetweenLines = std::chrono::hours(1);
constexpr std::size_t kCallsOfOneClient = 3;
constexpr std::size_t kLongestMessage = 200;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool contains(std::string_view text, std::string_view lower_case) {
    return !std::ranges::search(text, lower_case, {}, lower).empty();
}
}  // namespace

Misfit misfit(const Failure& failure) {
    if (failure.cls == FailureClass::slow_model) {
        return Misfit::too_slow;
    }
    if (failure.cls != FailureClass::caller) {
        return Misfit::none;
    }
    switch (failure.status) {
        case 404:
            return Misfit::model_gone;
        case 403:
            return Misfit::no_access;
        case 400:
            // "Invocation of model ID X with on-demand throughput isn't supported. Retry your
            // request with the ID or ARN of an inference profile that contains this model.": the
            // apostrophe may be a typographic one.
            return contains(failure.message, "with on-demand throughput isn")
                       ? Misfit::no_throughput
                       : Misfit::none;
        default:
            return Misfit::none;
    }
}

bool UnfitRecord::refused(Witness who, Instant now) {
    if (closed(now) && (everybody_ || client_ == who.client)) {
        return false;
    }
    if (now - kForgetAfter > last_) {
        count_ = 0;
    }
    last_ = now;
    const auto end = refusals_.begin() + static_cast<std::ptrdiff_t>(count_);
    const bool known =
        std::any_of(refusals_.begin(), end, [&](const Witness& w) { return w.call == who.call; });
    if (!known) {
        if (count_ == refusals_.size()) {
            std::rotate(refusals_.begin(), refusals_.begin() + 1, refusals_.end());
            --count_;
        }
        refusals_[count_++] = who;
    }
    const auto all = std::span(refusals_).first(count_);
    const bool several =
        std::ranges::any_of(all, [&](const Witness& w) { return w.client != who.client; });
    if (!several && count_ < kCallsOfOneClient) {
        return false;
    }
    until_ = now + kUnfitFor;
    everybody_ = several;
    client_ = who.client;
    if (several) {
        count_ = 0;
    }
    return true;
}

void UnfitRecord::take_back(std::uint64_t call) {
    const auto all = std::span(refusals_).first(count_);
    count_ -= std::ranges::remove(all, call, &Witness::call).size();
}

void UnfitRecord::fits() {
    count_ = 0;
    until_ = Instant::min();
}

bool UnfitRecord::worth_a_line(Misfit kind, Instant now) {
    Instant& next = next_line_[static_cast<std::size_t>(kind)];
    if (now < next) {
        return false;
    }
    next = now + kBetweenLines;
    return true;
}

std::string describe(const Failure& failure) {
    std::string text = std::to_string(failure.status);
    const auto append = [&text](std::string_view part) {
        for (const char c : part) {
            text += static_cast<unsigned char>(c) < ' ' || c == 127 ? ' ' : c;
        }
    };
    text += ' ';
    append(std::string_view(failure.error_type).substr(0, kLongestMessage));
    if (!failure.message.empty()) {
        text += ": ";
        append(std::string_view(failure.message).substr(0, kLongestMessage));
    }
    return text;
}

}  // namespace weir::policy
