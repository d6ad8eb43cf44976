// What the page at the admin port is shown of a running gateway.
#include "gateway/gateway_impl.h"

namespace weir::gateway {

void Gateway::Impl::feed_page() {
    LiveFeed::Parts parts;
    parts.snapshot = [this] { return in_force.snapshot(); };
    parts.configuration = [this] { return in_force.status(); };
    parts.status = [this] { return status(); };
    parts.scrape = [this] { return scrape(); };
    parts.incidents = [this] { return incidents(); };
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
