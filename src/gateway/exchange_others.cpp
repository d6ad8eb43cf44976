// A refusal that an SDK got from one instance holds at the others.
#include "gateway/exchange.h"

#include <optional>
#include <string>
#include <utility>

namespace weir::gateway {

/// An SDK's later try may be of an invocation that another instance has refused.
net::Task<void> Exchange::ask_others(const Call& asked) {
    OtherInstances* others = worker_.shared.others;
    if (others == nullptr || request_.directives.sdk_attempt <= 1 || asked.invocation.empty() ||
        worker_.shared.gate->refused(asked.client, asked.invocation)) {
        co_return;
    }
    auto found = [&worker = worker_, id = id_](std::optional<PastRefusal> past) {
        if (CallUnderWay* call = worker.calls.find(id)) {
            call->refused_elsewhere(std::move(past));
        }
    };
    others->ask(worker_.loop, std::string(asked.client), std::string(asked.invocation),
                std::move(found));
    while (!told_ && !stop_.raised() && !stopping()) {
        co_await signal_.wait();
    }
    if (told_ && *told_) {
        worker_.shared.gate->remember(asked.client, asked.invocation, **told_);
    }
}

/// The SDK's next try may come to another instance.
void Exchange::tell_others(const Refusal& refusal) {
    OtherInstances* others = worker_.shared.others;
    const std::string_view invocation = request_.directives.invocation;
    if (others == nullptr || refusal.repeated || invocation.empty()) {
        return;
    }
    const std::string_view client = request_.identity.name;
    if (auto past = worker_.shared.gate->refused(client, invocation)) {
        others->tell(std::string(client), std::string(invocation), std::move(*past));
    }
}

}  // namespace weir::gateway
