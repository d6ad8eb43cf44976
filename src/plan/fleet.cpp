#include "plan/fleet.h"

#include "plan/random.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>

namespace weir::plan {

namespace {
constexpr Duration kPatience = std::chrono::milliseconds(50);
}

Fleet::Fleet(const Scenario& scenario, Instant start)
    : start_(start),
      latency_(scenario.store_latency),
      seed_(seed_of("fleet", scenario.seed)),
      by_client_(scenario.by_client) {
    Config config = scenario.config;
    if (scenario.instances > 1 && !config.shared) {
        config.shared = SharedConfig{};
    }
    for (std::size_t i = 0; i < scenario.instances; ++i) {
        engines_.emplace_back(config, seed_of("engine", scenario.seed) + i, start);
    }
    shares_ = scenario.weights;
    shares_.resize(scenario.instances, scenario.weights.empty() ? 1 : 0);
    std::partial_sum(shares_.begin(), shares_.end(), shares_.begin());
    wakes_.assign(scenario.instances, Instant::max());
}

std::size_t Fleet::instance_of(std::uint64_t ordinal, std::uint32_t client) const {
    if (by_client_) {
        return client % engines_.size();
    }
    if (engines_.size() == 1) {
        return 0;
    }
    Random dice(seed_ + ordinal);
    const double draw = dice.uniform() * shares_.back();
    const auto at = std::ranges::upper_bound(shares_, draw) - shares_.begin();
    return std::min(static_cast<std::size_t>(at), engines_.size() - 1);
}

void Fleet::touched(std::size_t instance) {
    const Engine& engine = engines_[instance];
    const Instant wake = std::min(engine.next_wake().value_or(Instant::max()),
                                  engine.exchange_due().value_or(Instant::max()));
    if (wake != wakes_[instance]) {
        order_.erase({wakes_[instance], instance});
        wakes_[instance] = wake;
        if (wake != Instant::max()) {
            order_.insert({wake, instance});
        }
    }
}

Instant Fleet::next() const {
    const Instant engine = order_.empty() ? Instant::max() : order_.begin()->first;
    return messages_.empty() ? engine : std::min(engine, messages_.top()->at);
}

std::size_t Fleet::work(Instant now) {
    if (!messages_.empty() && messages_.top()->at <= now) {
        Message* message = messages_.top();
        messages_.pop();
        const std::size_t instance = message->instance;
        const bool back = message->back;
        deliver(*message, now);
        spare_.push_back(message);
        if (!back) {
            return size();
        }
        return instance;
    }
    if (order_.empty() || order_.begin()->first > now) {
        return size();
    }
    return order_.begin()->second;
}

void Fleet::deliver(Message& message, Instant now) {
    if (!message.back) {
        ++exchanges_;
        const auto store_now =
            std::chrono::duration_cast<std::chrono::microseconds>(now - start_).count() + 1;
        Message reply{now + latency_ / 2, 0, message.instance, true, false, message.asked, {}};
        reply.answer = books_[message.asked.quota].exchange(std::to_string(message.instance),
                                                            message.asked, store_now);
        send(std::move(reply));
        return;
    }
    Engine& engine = engines_[message.instance];
    if (message.lost) {
        engine.unanswered(message.asked.quota, now);
    } else {
        engine.answered(message.answer, now);
    }
}

void Fleet::send(Message message) {
    message.order = sent_++;
    if (spare_.empty()) {
        storage_.push_back(std::move(message));
        messages_.push(&storage_.back());
        return;
    }
    Message* at = spare_.back();
    spare_.pop_back();
    *at = std::move(message);
    messages_.push(at);
}

void Fleet::exchange(std::size_t instance, Instant now) {
    for (BookExchange& asked : engines_[instance].exchanges(now)) {
        const bool lost = cut_off_;
        send({now + (lost ? kPatience : latency_ / 2),
              0,
              instance,
              lost,
              lost,
              std::move(asked),
              {}});
    }
}

}  // namespace weir::plan
