#include "gateway/alarm_actions.h"

#include "aws/http_call.h"
#include "gateway/clock.h"
#include "policy/eligibility.h"

#include <algorithm>
#include <cstdlib>

namespace weir::gateway {
namespace {

using aws::SnsResult;

constexpr std::size_t kLongestCertificate = 64UL << 10;
constexpr long kOk = 200;

std::int64_t unix_seconds() {
    return unix_ms() / 1000;
}

const std::string& endpoint_of(const Config& config) {
    return config.aws.sns.empty() ? config.aws.endpoint : config.aws.sns;
}

/// SNS takes 15 s of silence for a failed delivery.
aws::HttpCall fetch_of(const std::string& url) {
    aws::HttpCall call;
    call.url = url;
    call.connect_timeout = std::chrono::seconds(2);
    call.timeout = std::chrono::seconds(4);
    call.most_bytes = kLongestCertificate;
    if (const char* bundle = std::getenv("AWS_CA_BUNDLE"); bundle != nullptr) {
        call.ca = bundle;
    }
    return call;
}

std::vector<std::string> topics_of(const Config& config) {
    std::vector<std::string> topics;
    topics.reserve(config.aws.actions.size());
    for (const ActionConfig& action : config.aws.actions) {
        topics.push_back(action.topic);
    }
    return topics;
}

const char* why(SnsResult objection) {
    switch (objection) {
        case SnsResult::unknown_topic:
            return "no action is configured for this topic";
        case SnsResult::stale:
            return "the message is older than 15 minutes, or of the future";
        case SnsResult::repeated:
            return "the message was taken before";
        case SnsResult::rate_limited:
            return "too many messages";
        default:
            return "its SigningCertURL or SubscribeURL is not an address of SNS";
    }
}

}  // namespace

std::vector<ActionConfig> actions_for(const std::vector<ActionConfig>& actions,
                                      const std::string& topic, const std::string& alarm) {
    std::vector<ActionConfig> found;
    std::ranges::copy_if(actions, std::back_inserter(found), [&](const ActionConfig& action) {
        return action.topic == topic &&
               (action.alarm.empty() || policy::glob_match(action.alarm, alarm));
    });
    return found;
}

OrderReply AlarmActions::refuse(int status, SnsResult result, std::string why) {
    count(result);
    const std::string_view type = status == 403   ? "AccessDeniedException"
                                  : status == 429 ? "ThrottlingException"
                                  : status == 503 ? "ServiceUnavailableException"
                                                  : "ValidationException";
    return {status, type, "weir: " + std::move(why)};
}

std::optional<OrderReply> AlarmActions::admit(std::string_view type, std::string_view topic,
                                              bool raw) {
    const auto now = parts_.snapshot();
    if (now->config.aws.actions.empty()) {
        return OrderReply{404, "ResourceNotFoundException", "weir: aws.actions has no action"};
    }
    if (type.empty() || topic.empty() || raw) {
        return refuse(400, SnsResult::malformed,
                      raw ? "raw message delivery carries no signature: switch it off"
                          : "this is no delivery of SNS");
    }
    const auto& actions = now->config.aws.actions;
    if (std::ranges::find(actions, topic, &ActionConfig::topic) == actions.end()) {
        return refuse(403, SnsResult::unknown_topic, why(SnsResult::unknown_topic));
    }
    if (pending_ >= kMostPending || !door_.admits(static_cast<double>(unix_ms()) / 1000)) {
        return refuse(429, SnsResult::rate_limited, why(SnsResult::rate_limited));
    }
    ++pending_;
    return std::nullopt;
}

void AlarmActions::take(std::string body, std::function<void(OrderReply)> answer) {
    thread_.run([this, body = std::move(body), answer = std::move(answer)] {
        OrderReply reply = read(body);
        done();
        answer(std::move(reply));
    });
}

OrderReply AlarmActions::read(const std::string& body) {
    const auto message = aws::read_sns_message(body);
    if (!message) {
        return refuse(400, SnsResult::malformed, message.error().message);
    }
    const auto snapshot = parts_.snapshot();
    const Config& config = snapshot->config;
    const std::int64_t now = unix_seconds();
    if (const auto objection =
            inbox_.objection(*message, topics_of(config), endpoint_of(config), now)) {
        if (*objection == SnsResult::repeated) {
            count(*objection);
            return {.body = R"({"taken":false,"because":"it was taken before"})"};
        }
        log(LogLevel::warn, "a message of SNS is refused: " + std::string(why(*objection)));
        return refuse(*objection == SnsResult::stale ? 400 : 403, *objection, why(*objection));
    }
    const codec::Certificate* signer = certificate(message->certificate_url, config, now);
    if (signer == nullptr) {
        return refuse(503, SnsResult::failed, "the signing certificate could not be fetched");
    }
    if (!aws::verifies(*message, *signer, now)) {
        log(LogLevel::warn, "a message of SNS is refused: its signature does not hold");
        return refuse(403, SnsResult::forged, "the signature does not hold");
    }
    if (const auto objection = inbox_.take(*message, now)) {
        return refuse(429, *objection, why(*objection));
    }
    OrderReply reply = message->type == aws::SnsType::subscribed ? confirm(*message, config)
                                                                 : act(*message, config);
    if (reply.status != 200) {
        inbox_.forget(*message);
    }
    return reply;
}

const codec::Certificate* AlarmActions::certificate(const std::string& url, const Config& config,
                                                    std::int64_t now) {
    if (const auto* known = inbox_.certificate(url, now)) {
        return known;
    }
    if (!aws::may_fetch(url, aws::SnsLink::certificate, endpoint_of(config)) ||
        !inbox_.may_fetch_certificate(now)) {
        return nullptr;
    }
    const auto answer = aws::perform(fetch_of(url), stop_);
    auto read =
        answer && answer->status == kOk ? codec::Certificate::read(answer->body) : std::nullopt;
    if (!read) {
        log(LogLevel::warn, "the certificate of SNS at " + url + " cannot be read" +
                                (answer ? ": status " + std::to_string(answer->status)
                                        : ": " + answer.error().message));
        return nullptr;
    }
    inbox_.keep(url, std::move(*read), now);
    return inbox_.certificate(url, now);
}

OrderReply AlarmActions::confirm(const aws::SnsMessage& message, const Config& config) {
    if (!aws::may_fetch(message.subscribe_url, aws::SnsLink::confirmation, endpoint_of(config))) {
        return refuse(403, SnsResult::forged, why(SnsResult::forged));
    }
    const auto answer = aws::perform(fetch_of(message.subscribe_url), stop_);
    if (!answer || answer->status != kOk) {
        log(LogLevel::warn,
            "the subscription to " + message.topic + " is not confirmed: " +
                (answer ? "status " + std::to_string(answer->status) : answer.error().message));
        return refuse(503, SnsResult::failed, "the subscription could not be confirmed");
    }
    count(SnsResult::confirmed);
    log(LogLevel::info, "the subscription to " + message.topic + " is confirmed");
    return {.body = R"({"taken":true,"confirmed":true})"};
}

OrderReply AlarmActions::act(const aws::SnsMessage& message, const Config& config) {
    const auto news = message.type == aws::SnsType::notification
                          ? aws::read_alarm_news(message.message)
                          : std::nullopt;
    const auto actions = news && (news->state == "ALARM" || news->state == "OK")
                             ? actions_for(config.aws.actions, message.topic, news->alarm)
                             : std::vector<ActionConfig>{};
    for (const ActionConfig& action : actions) {
        if (const std::string problem = follow(action, *news); !problem.empty()) {
            return refuse(503, SnsResult::failed, problem);
        }
    }
    count(actions.empty() ? SnsResult::nothing_to_do : SnsResult::acted);
    return {.body = R"({"taken":true,"orders":)" + std::to_string(actions.size()) + "}"};
}

/// The reason why it cannot be done; empty: done.
std::string AlarmActions::follow(const ActionConfig& action, const aws::AlarmNews& news) {
    const bool rings = news.state == "ALARM";
    const std::string by = "alarm " + news.alarm;
    EngineGate& gate = *parts_.gate;
    Order order;
    order.kind = action.act == AlarmAction::shed ? OrderKind::shed : OrderKind::hold;
    order.targets = {action.region, action.model, action.account};
    order.from = action.priority;
    order.lasts = action.lasts;
    order.reason = news.reason;
    std::size_t targets = 0;
    switch (action.act) {
        case AlarmAction::close:
        case AlarmAction::drain:
            order.hold = action.act == AlarmAction::close ? Hold::closed : Hold::drain;
            if (!rings) {
                gate.release(order.targets, by);
            } else if (!gate.hold({.hold = order.hold,
                                   .targets = order.targets,
                                   .lasts = action.lasts,
                                   .reason = order.reason,
                                   .by = by})) {
                return "200 orders are in force already";
            }
            break;
        case AlarmAction::trip:
            if (rings) {
                targets = gate.trip(order.targets);
            } else {
                gate.probe(order.targets);
            }
            log(LogLevel::warn, by + (rings ? " rings: the breakers of " + std::to_string(targets) +
                                                  " targets are opened"
                                            : " is over: open breakers may be probed now"));
            return {};
        case AlarmAction::shed:
            gate.shed({.from = action.priority,
                       .lasts = rings ? action.lasts : Duration::zero(),
                       .reason = order.reason,
                       .by = by});
            break;
    }
    log(LogLevel::warn,
        by + (rings ? " rings: " + describe(order)
                    : " is over, and no longer orders to " + describe(order).substr(0, 200)));
    return {};
}

std::vector<std::pair<std::string_view, std::uint64_t>> AlarmActions::counts() const {
    std::vector<std::pair<std::string_view, std::uint64_t>> all;
    all.reserve(counts_.size());
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        all.emplace_back(aws::to_string(static_cast<SnsResult>(i)),
                         counts_[i].load(std::memory_order_relaxed));
    }
    return all;
}

}  // namespace weir::gateway
