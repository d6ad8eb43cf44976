// What an admitted call gets: an answer, whole or as a stream, or the fault that was asked for.
#include "simulator/exchange_impl.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

namespace weir::simulator {
namespace {

constexpr double kPieceSeconds = 0.02;  // no more than fifty events a second
constexpr double kSlowness = 10;

/// What a call had used up by this time: its input, and the tokens produced so far.
TokenUse used_by(const Generation& generation, Instant started, Instant at) {
    TokenUse use = generation.use;
    const double producing = to_seconds(at - started - generation.ttft);
    const double produced = std::max(0.0, producing) * generation.rate;
    use.output = std::min(use.output, static_cast<std::uint64_t>(produced));
    return use;
}

}  // namespace

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

}  // namespace weir::simulator
