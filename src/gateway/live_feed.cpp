#include "gateway/live_feed.h"

#include "gateway/admin.h"
#include "gateway/clock.h"
#include "gateway/pending.h"
#include "gateway/query.h"

#include <chrono>
#include <memory>
#include <utility>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFrameEvery = 1s;
/// The finest step of a history.
constexpr std::int64_t kSampleSeconds = observe::kHistorySpans.front().step;
constexpr std::string_view kHistoryFields =
    "Content-Type: application/json\r\nCache-Control: no-store\r\n";

struct HistoryQuery {
    std::string kind = "total";
    std::string name{observe::LiveHistory::kAll};
    const observe::HistorySpan* span = observe::kHistorySpans.data();
};

Result<HistoryQuery> history_query(std::string_view target) {
    const auto values = query_values(target);
    if (!values) {
        return failure("weir: the query is not NAME=VALUE&NAME=VALUE");
    }
    HistoryQuery query;
    for (const auto& [name, value] : *values) {
        if (name == "kind" &&
            (value == "total" || value == "target" || value == "client" || value == "model")) {
            query.kind = value;
        } else if (name == "name") {
            query.name = value;
        } else if (name == "span" && observe::history_span(value) != nullptr) {
            query.span = observe::history_span(value);
        } else {
            return failure(
                "weir: /history takes kind=total, target, client or model; name=NAME, as "
                "docs/operations.md has it; and span=hour or day");
        }
    }
    return query;
}

/// The text is made on another thread, and the loop serves others meanwhile.
}  // namespace

LiveFeed::LiveFeed(Parts parts, net::Loop& loop) : parts_(std::move(parts)), loop_(loop) {
    thread_.emplace([this](bool) { return once(); });
}

Duration LiveFeed::once() {
    const std::int64_t now_ms = unix_ms();
    const std::int64_t now = now_ms / 1000;
    const bool listened = listeners_.count() > 0;
    const bool due = now < sampled_ || now - sampled_ >= kSampleSeconds;
    if (!listened && !due) {
        return std::chrono::seconds(kSampleSeconds - (now - sampled_));
    }
    Status status = parts_.status();
    const auto counts = observe::LiveCounts::of(parts_.scrape());
    if (now != sampled_) {  // rates need a time between two samples
        const std::scoped_lock lock(mutex_);
        history_.add(status, counts, now);
        sampled_ = now;
    }
    if (!listened) {
        return std::chrono::seconds(kSampleSeconds);
    }
    const auto snapshot = parts_.snapshot();
    observe::LiveFrame frame;
    frame.unix_ms = now_ms;
    frame.instance = parts_.instance;
    frame.config = &snapshot->config;
    frame.configuration = parts_.configuration();
    frame.reload_offered = parts_.reload_offered;
    frame.incidents = parts_.incidents();
    frame.budgets = parts_.budgets();
    frame.spent_today = [&](std::string_view client) { return parts_.spent(client, now).day; };
    // Only this thread writes the history: it reads without the lock.
    auto text = std::make_shared<const std::string>(
        observe::live_frame_json(frame, std::move(status), counts, history_.latencies()));
    loop_.post([this, text = std::move(text)] { listeners_.publish(text); });
    return kFrameEvery;
}

net::Task<void> LiveFeed::answer_events(net::Downstream& downstream) {
    if (listeners_.full()) {
        co_await refuse_admin(downstream, 503, "ServiceUnavailableException",
                              "weir: " + std::to_string(LiveListeners::kMost) +
                                  " pages listen to /events already; close one of them");
        co_return;
    }
    co_await listeners_.serve(downstream);
}

net::Task<void> LiveFeed::answer_history(net::Downstream& downstream) {
    const auto query = history_query(downstream.head().target);
    if (!query) {
        co_await refuse_admin(downstream, 400, "ValidationException", query.error().message);
        co_return;
    }
    const auto pending = std::make_shared<Pending<std::string>>(downstream.loop());
    auto done = answer_to(pending, downstream.loop());
    answers_->run([this, query = *query, done = std::move(done)] {
        std::string text;
        {
            const std::scoped_lock lock(mutex_);
            // The kind is one of those that there are.
            text =
                observe::history_json(history_, query.kind, query.name, *query.span).value_or("");
        }
        done(std::move(text));
    });
    co_await pending->done.wait();
    co_await downstream.send(200, kHistoryFields, pending->answer);
}

void LiveFeed::cut() {
    loop_.post([this] { listeners_.cut(); });
}

void LiveFeed::stop() {
    thread_.reset();
    loop_.post([this] { listeners_.end(); });
}

}  // namespace weir::gateway
