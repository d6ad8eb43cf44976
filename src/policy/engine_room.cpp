// Who may wait when the queue is full: each client has room by its share.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr int kMostTurnedOut = 64;  // for one large call
}  // namespace

/// The newest waiting call of the client that holds most for its share, if that is more than the
/// client of `call` would hold with it; null: nobody does.
CallRecord* Engine::Impl::newest_of_largest(const CallRecord* call, bool by_bytes) {
    const auto held = [&](const ClientState& client) {
        const std::uint64_t amount = by_bytes ? client.waiting_bytes : client.waiting;
        return static_cast<double>(amount) / client.share;
    };
    ClientState* own = call->client;
    double most = held(*own) + static_cast<double>(by_bytes ? call->bytes : 1) / own->share;
    const ClientState* largest = nullptr;
    for (const auto& [name, client] : clients_) {
        if (client.get() != own && held(*client) > most) {
            most = held(*client);
            largest = client.get();
        }
    }
    if (largest == nullptr) {
        return nullptr;
    }
    // Its least urgent class first.
    const auto later = [](const CallRecord* a, const CallRecord* b) {
        return a->priority != b->priority ? a->priority > b->priority : a->arrival > b->arrival;
    };
    CallRecord* newest = nullptr;
    for (const Lane* lane : largest->lanes) {
        for (CallRecord* waiting : lane->calls.items()) {
            if (newest == nullptr || later(waiting, newest)) {
                newest = waiting;
            }
        }
    }
    return newest;
}

/// Room in the queue for one more call, if need be by turning out calls of clients that hold more
/// than their share of it; false: there is none for this client.
bool Engine::Impl::make_room(const CallRecord* call, Instant now) {
    if (call->bytes > config_.limits.max_buffered) {
        return false;
    }
    for (int turned_out = 0;; ++turned_out) {
        const bool calls_full = waiting_ >= config_.queue.max_waiting;
        const bool bytes_full = waiting_bytes_ + call->bytes > config_.limits.max_buffered;
        if (!calls_full && !bytes_full) {
            return true;
        }
        CallRecord* out =
            turned_out < kMostTurnedOut ? newest_of_largest(call, !calls_full) : nullptr;
        if (out == nullptr) {
            return false;
        }
        Refusal r = refusal(RefusalReason::queue_full, out, 0);
        const Instant turn = turn_in_lane(out, 1, now);
        r.retry_after = turn == Instant::max() ? Duration::zero() : turn - now;
        dequeue(out, now);
        doomed_.emplace_back(out->id, std::move(r));
    }
}

}  // namespace weir
