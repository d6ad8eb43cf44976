#include "aws/sns_inbox.h"

#include <algorithm>

namespace weir::aws {

namespace {

constexpr double kBurst = 20;
constexpr double kPerSecond = 10;
constexpr std::size_t kFetches = 6;
constexpr std::int64_t kFetchWindow = 60;
constexpr std::size_t kMostCertificates = 8;
constexpr std::int64_t kCertificateFor = 24 * 3600;

}  // namespace

std::string_view to_string(SnsResult result) {
    switch (result) {
        case SnsResult::acted:
            return "acted";
        case SnsResult::nothing_to_do:
            return "nothing_to_do";
        case SnsResult::confirmed:
            return "confirmed";
        case SnsResult::malformed:
            return "malformed";
        case SnsResult::unknown_topic:
            return "unknown_topic";
        case SnsResult::stale:
            return "stale";
        case SnsResult::repeated:
            return "repeated";
        case SnsResult::forged:
            return "forged";
        case SnsResult::rate_limited:
            return "rate_limited";
        case SnsResult::failed:
            return "failed";
    }
    return "failed";
}

bool SnsInbox::admits(double now) {
    tokens_ = std::min(kBurst, tokens_ + std::max(0.0, now - counted_) * kPerSecond);
    counted_ = now;
    if (tokens_ < 1) {
        return false;
    }
    tokens_ -= 1;
    return true;
}

bool SnsInbox::may_fetch_certificate(std::int64_t now) {
    std::erase_if(fetches_, [&](std::int64_t at) { return at <= now - kFetchWindow || at > now; });
    if (fetches_.size() >= kFetches) {
        return false;
    }
    fetches_.push_back(now);
    return true;
}

std::optional<SnsResult> SnsInbox::objection(const SnsMessage& message,
                                             const std::vector<std::string>& topics,
                                             const std::string& endpoint, std::int64_t now) const {
    if (std::ranges::find(topics, message.topic) == topics.end()) {
        return SnsResult::unknown_topic;
    }
    if (message.sent_at < now - kOldest || message.sent_at > now + kEarliest) {
        return SnsResult::stale;
    }
    if (std::ranges::any_of(ids_, [&](const auto& taken) { return taken.second == message.id; })) {
        return SnsResult::repeated;
    }
    const bool fetchable = may_fetch(message.certificate_url, SnsLink::certificate, endpoint) &&
                           (message.type != SnsType::subscribed ||
                            may_fetch(message.subscribe_url, SnsLink::confirmation, endpoint));
    return fetchable ? std::nullopt : std::optional(SnsResult::forged);
}

std::optional<SnsResult> SnsInbox::take(const SnsMessage& message, std::int64_t now) {
    // Older ones are stale by their own time.
    std::erase_if(ids_, [&](const auto& taken) { return taken.first < now - kOldest - kEarliest; });
    if (std::ranges::any_of(ids_, [&](const auto& taken) { return taken.second == message.id; })) {
        return SnsResult::repeated;
    }
    if (ids_.size() >= kMostIds) {
        return SnsResult::rate_limited;
    }
    ids_.emplace_back(now, message.id);
    return std::nullopt;
}

void SnsInbox::forget(const SnsMessage& message) {
    std::erase_if(ids_, [&](const auto& taken) { return taken.second == message.id; });
}

const codec::Certificate* SnsInbox::certificate(const std::string& url, std::int64_t now) const {
    const auto found = certificates_.find(url);
    return found != certificates_.end() && found->second.since <= now &&
                   now - found->second.since < kCertificateFor
               ? &found->second.certificate
               : nullptr;
}

void SnsInbox::keep(const std::string& url, codec::Certificate certificate, std::int64_t now) {
    if (certificates_.size() >= kMostCertificates && !certificates_.contains(url)) {
        certificates_.erase(std::ranges::min_element(
            certificates_, {}, [](const auto& kept) { return kept.second.since; }));
    }
    certificates_.insert_or_assign(url, Kept{std::move(certificate), now});
}

bool verifies(const SnsMessage& message, const codec::Certificate& certificate, std::int64_t now) {
    return certificate.valid_at(now) &&
           certificate.verifies(signed_text(message), message.signature, message.hash);
}

}  // namespace weir::aws
