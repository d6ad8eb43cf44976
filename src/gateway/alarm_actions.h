// Lets CloudWatch alarms act on this gateway: takes what SNS posts, and gives the orders.
#pragma once

#include "aws/sns_inbox.h"
#include "gateway/background_thread.h"
#include "gateway/engine_gate.h"
#include "gateway/orders.h"
#include "gateway/snapshot.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// The orders that an alarm's news is for, in the order of the configuration.
std::vector<ActionConfig> actions_for(const std::vector<ActionConfig>& actions,
                                      const std::string& topic, const std::string& alarm);

/// Reads, fetches and verifies on a thread of its own. At most kMostPending messages are held at a
/// time, and no more than SnsInbox admits: what is more is refused before its body is read.
class AlarmActions {
public:
    static constexpr int kMostPending = 8;

    struct Parts {
        std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
        EngineGate* gate = nullptr;
        LogSink log;
    };
    explicit AlarmActions(Parts parts) : parts_(std::move(parts)) {}
    ~AlarmActions() { stop_ = true; }
    AlarmActions(const AlarmActions&) = delete;
    AlarmActions& operator=(const AlarmActions&) = delete;

    /// By the fields of its head; on one thread only. nullopt: its body may be read, and done() or
    /// take() is to follow.
    std::optional<OrderReply> admit(std::string_view type, std::string_view topic, bool raw);
    void done() { --pending_; }
    /// `answer` is called once, on the thread of this.
    void take(std::string body, std::function<void(OrderReply)> answer);

    std::vector<std::pair<std::string_view, std::uint64_t>> counts() const;

private:
    OrderReply read(const std::string& body);
    OrderReply confirm(const aws::SnsMessage& message, const Config& config);
    OrderReply act(const aws::SnsMessage& message, const Config& config);
    std::string follow(const ActionConfig& action, const aws::AlarmNews& news);
    const codec::Certificate* certificate(const std::string& url, const Config& config,
                                          std::int64_t now);
    OrderReply refuse(int status, aws::SnsResult result, std::string why);
    void count(aws::SnsResult result) {
        counts_[static_cast<std::size_t>(result)].fetch_add(1, std::memory_order_relaxed);
    }
    void log(LogLevel level, const std::string& text) const {
        if (parts_.log) {
            parts_.log(level, text);
        }
    }

    Parts parts_;
    aws::SnsInbox door_;   // admit()'s thread
    aws::SnsInbox inbox_;  // the thread of this
    std::array<std::atomic<std::uint64_t>, aws::kSnsResults> counts_{};
    std::atomic<int> pending_{0};
    std::atomic<bool> stop_{false};
    BackgroundThread thread_;  // last: uses all
};

}  // namespace weir::gateway
