// The end of what this instance shares with others.
#include "gateway/gateway_impl.h"
#include "gateway/poll_until.h"

namespace weir::gateway {
namespace {

constexpr Duration kFarewellPoll = std::chrono::milliseconds(5);

}  // namespace

/// What the other instances leave to this one they have back at once, if the store answers.
void Gateway::Impl::leave_books() {
    if (books.kept == nullptr) {
        return;
    }
    loops.front()->post([this] {
        gate->leave();
        shadow->leave();
    });
    poll_until([&] { return gate->left() && shadow->left(); }, kFarewellPoll, kLongestFarewell);
}

}  // namespace weir::gateway
