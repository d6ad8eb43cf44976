// What the admin port has to tell of a running gateway, and what it may change.
#include "gateway/clock.h"
#include "gateway/costs_reply.h"
#include "gateway/gateway_impl.h"
#include "gateway/inquiry.h"
#include "observe/scrape.h"

#include <utility>

namespace weir::gateway {
namespace {

constexpr std::string_view kStopping = "weir: it is stopping";

}  // namespace

void Gateway::Impl::offer_admin() {
    AdminParts& parts = listeners.admin_parts;
    parts.ready = [this] { return shared.ready.load(std::memory_order_relaxed); };
    parts.metrics = [this](bool open_metrics) {
        const auto families = scrape();
        return open_metrics ? metrics.open_metrics(families) : observe::to_text(families);
    };
    parts.incidents = [this] { return incidents(); };
    parts.status = [this] {
        const Status now = status();
        std::string text = observe::status_json(now, shadow->rows(), in_force.status(),
                                                shadow->advice(), budgets());
        text.pop_back();
        return text + ",\"unused\":" + observe::unused_json(in_force.snapshot()->config, now) + "}";
    };
    parts.explain = [this, started = unix_ms()](std::string id,
                                                std::function<void(ExplainAnswer)> done) {
        auto inquiry = std::make_unique<Inquiry>();
        inquiry->id = std::move(id);
        inquiry->snapshot = in_force.snapshot();
        inquiry->started_unix_ms = started;
        inquiry->done = std::move(done);
        explain(workers, 0, std::move(inquiry));
    };
    parts.requests = [this](std::string_view target,
                            std::function<void(std::string)> done) -> Result<void> {
        auto query = recent_query(target);
        if (!query) {
            return std::unexpected(query.error());
        }
        auto survey = std::make_unique<Survey>(
            Survey{observe::RecentRequests(std::move(*query)), std::move(done)});
        list_requests(workers, 0, std::move(survey));
        return {};
    };
    if (options.read_config || !in_force.snapshot()->config.admin.empty()) {
        background = std::make_unique<BackgroundThread>();
    }
    parts.costs = [this](std::string query, std::function<void(CostsReply)> done) {
        const bool taken = background->run([this, query = std::move(query), done] {
            done(costs_reply(kept.ledger.days(), query, unix_ms() / 1000));
        });
        if (!taken) {
            done({.text = std::string(kStopping)});
        }
    };
    if (options.read_config) {
        parts.reload = [this](std::string_view peer, std::function<void(ReloadAnswer)> done) {
            const bool taken = background->run([this, by = "POST /reload from " + std::string(peer),
                                                done] {
                const auto& reloading = options.reloading;
                if (reloading) {
                    reloading(true);
                }
                auto answer = reload(options.read_config(), by);
                if (reloading) {
                    reloading(false);
                }
                done(answer ? std::move(*answer) : ReloadAnswer{.error = answer.error().message});
            });
            if (!taken) {
                done(ReloadAnswer{.error = std::string(kStopping)});
            }
        };
    }
    parts.order = [this](const OrderText& text) { return order(text); };
    parts.alarms = [this] {
        const std::lock_guard lock(aws.mutex);
        return aws.actions;
    };
}

std::vector<policy::BudgetStatus> Gateway::Impl::budgets() const {
    return books.budgets->status(unix_ms() / 1000);
}

void Gateway::Impl::feed_page() {
    LiveFeed::Parts parts;
    parts.snapshot = [this] { return in_force.snapshot(); };
    parts.configuration = [this] { return in_force.status(); };
    parts.status = [this] { return status(); };
    parts.scrape = [this] { return scrape(); };
    parts.incidents = [this] { return incidents(); };
    parts.budgets = [this] { return budgets(); };
    parts.spent = [this](std::string_view client, std::int64_t unix_seconds) {
        return kept.ledger.spent(client, unix_seconds);
    };
    parts.instance = shared.instance;
    parts.reload_offered = listeners.admin_parts.reload != nullptr;
    listeners.feed = std::make_unique<LiveFeed>(std::move(parts), *loops.front());
    listeners.admin_parts.events = [this](net::Downstream& downstream) {
        return listeners.feed->answer_events(downstream);
    };
    listeners.admin_parts.history = [this](net::Downstream& downstream) {
        return listeners.feed->answer_history(downstream);
    };
}

}  // namespace weir::gateway
