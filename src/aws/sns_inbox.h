// Which messages of SNS are taken: of known topics, fresh, once, with a good signature.
#pragma once

#include "aws/sns_message.h"

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::aws {

/// What became of a message, as the metric names it.
enum class SnsResult : std::uint8_t {
    acted,
    nothing_to_do,  ///< taken, and no action is for it
    confirmed,      ///< a subscription
    malformed,
    unknown_topic,
    stale,  ///< older or newer than it may be
    repeated,
    forged,        ///< wrong certificate, host or signature
    rate_limited,  ///< too many at once
    failed         ///< a fetch or an action that did not work
};
constexpr std::size_t kSnsResults = 10;
std::string_view to_string(SnsResult result);

/// Time is an argument, in seconds since 1970. Not thread-safe.
///
/// A message costs no fetch and no signature check until its topic, its age and its URLs are as
/// they must be. Only messages whose signature holds are remembered, so nobody else can fill the
/// memory.
class SnsInbox {
public:
    static constexpr std::int64_t kOldest = 15 * 60;
    static constexpr std::int64_t kEarliest = 5 * 60;
    static constexpr std::size_t kMostIds = 1000;

    /// Ten a second in the mean, twenty at once.
    bool admits(double now);
    /// Six certificates a minute.
    bool may_fetch_certificate(std::int64_t now);

    /// What speaks against it before its signature is looked at. `topics`: the ARNs that may act.
    std::optional<SnsResult> objection(const SnsMessage& message,
                                       const std::vector<std::string>& topics,
                                       const std::string& endpoint, std::int64_t now) const;
    /// After verification: it is taken, unless it was before, or too many are remembered.
    std::optional<SnsResult> take(const SnsMessage& message, std::int64_t now);
    /// What it asks for could not be done: SNS delivers it again.
    void forget(const SnsMessage& message);

    /// One that was fetched less than a day ago; null: none.
    const codec::Certificate* certificate(const std::string& url, std::int64_t now) const;
    void keep(const std::string& url, codec::Certificate certificate, std::int64_t now);

private:
    struct Kept {
        codec::Certificate certificate;
        std::int64_t since;
    };

    double tokens_ = 20;
    double counted_ = 0;
    std::deque<std::int64_t> fetches_;
    std::deque<std::pair<std::int64_t, std::string>> ids_;  // by the time when they were taken
    std::map<std::string, Kept> certificates_;
};

/// The certificate is valid and has signed the message.
bool verifies(const SnsMessage& message, const codec::Certificate& certificate, std::int64_t now);

}  // namespace weir::aws
