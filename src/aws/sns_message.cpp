#include "aws/sns_message.h"

#include "aws/json_read.h"
#include "aws/text.h"
#include "codec/base64.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace weir::aws {

namespace {

using nlohmann::json;

constexpr std::size_t kLongestUrl = 2048;
constexpr std::size_t kMostReason = 200;

std::optional<SnsType> type_of(std::string_view name) {
    if (name == "Notification") {
        return SnsType::notification;
    }
    if (name == "SubscriptionConfirmation") {
        return SnsType::subscribed;
    }
    if (name == "UnsubscribeConfirmation") {
        return SnsType::unsubscribed;
    }
    return std::nullopt;
}

std::string_view name_of(SnsType type) {
    switch (type) {
        case SnsType::notification:
            return "Notification";
        case SnsType::subscribed:
            return "SubscriptionConfirmation";
        case SnsType::unsubscribed:
            return "UnsubscribeConfirmation";
    }
    return "";
}

bool is_host_text(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

bool is_on_this_machine(std::string_view endpoint) {
    return std::ranges::any_of(
        std::array<std::string_view, 3>{"http://127.0.0.1", "http://localhost", "http://[::1]"},
        [&](std::string_view start) {
            return endpoint == start ||
                   (endpoint.starts_with(start) &&
                    (endpoint[start.size()] == ':' || endpoint[start.size()] == '/'));
        });
}

/// What follows scheme and host of a URL that is one of `endpoint`'s; nullopt: it is not.
std::optional<std::string_view> below(std::string_view endpoint, std::string_view url) {
    while (endpoint.ends_with('/')) {
        endpoint.remove_suffix(1);
    }
    if (endpoint.empty() || !url.starts_with(endpoint)) {
        return std::nullopt;
    }
    const std::string_view rest = url.substr(endpoint.size());
    return rest.starts_with('/') || rest.starts_with('?') ? std::optional(rest) : std::nullopt;
}

std::optional<std::string_view> below_sns(std::string_view url) {
    constexpr std::string_view kScheme = "https://";
    if (!url.starts_with(kScheme)) {
        return std::nullopt;
    }
    const std::string_view rest = url.substr(kScheme.size());
    const std::size_t end = rest.find_first_of("/?");
    return end != std::string_view::npos && is_sns_host(rest.substr(0, end))
               ? std::optional(rest.substr(end))
               : std::nullopt;
}

}  // namespace

Result<SnsMessage> read_sns_message(std::string_view text) {
    const json all = parse_json(text);
    if (!all.is_object()) {
        return failure("the body is no JSON object");
    }
    SnsMessage m;
    const auto type = type_of(text_of(all, "Type"));
    if (!type) {
        return failure(
            "`Type` is to be Notification, SubscriptionConfirmation or "
            "UnsubscribeConfirmation");
    }
    m.type = *type;
    const bool confirms = m.type != SnsType::notification;
    m.id = text_of(all, "MessageId", 100);
    m.topic = text_of(all, "TopicArn", 400);
    m.timestamp = text_of(all, "Timestamp", 40);
    m.token = text_of(all, "Token");
    m.subscribe_url = text_of(all, "SubscribeURL", kLongestUrl);
    m.certificate_url = text_of(all, "SigningCertURL", kLongestUrl);
    for (const auto& [name, value, wanted] :
         {std::tuple("MessageId", &m.id, true), std::tuple("TopicArn", &m.topic, true),
          std::tuple("Timestamp", &m.timestamp, true), std::tuple("Token", &m.token, confirms),
          std::tuple("SubscribeURL", &m.subscribe_url, confirms),
          std::tuple("SigningCertURL", &m.certificate_url, true)}) {
        if (wanted && value->empty()) {
            return failure("`" + std::string(name) + "` is missing, or no plain text");
        }
    }
    const json& message = member(all, "Message");  // may hold control characters
    if (!message.is_string()) {
        return failure("`Message` is missing, or no text");
    }
    m.message = message.get<std::string>();
    if (const json& subject = member(all, "Subject"); subject.is_string()) {
        m.subject = subject.get<std::string>();
    } else if (!subject.is_null()) {
        return failure("`Subject` is no text");
    }
    const auto sent = parse_timestamp(m.timestamp);
    if (!sent) {
        return failure("`Timestamp` is no time");
    }
    m.sent_at = std::chrono::duration_cast<std::chrono::seconds>(sent->time_since_epoch()).count();
    const std::string version = text_of(all, "SignatureVersion");
    if (version != "1" && version != "2") {
        return failure("`SignatureVersion` is to be 1 or 2");
    }
    m.hash = version == "1" ? codec::SignatureHash::sha1 : codec::SignatureHash::sha256;
    const std::string signature = text_of(all, "Signature");
    const std::size_t valid = codec::append_base64_decoded(m.signature, signature);
    if (m.signature.empty() || signature.find_first_not_of('=', valid) != std::string::npos) {
        return failure("`Signature` is no base64");
    }
    return m;
}

std::string signed_text(const SnsMessage& m) {
    std::string text;
    const auto add = [&text](std::string_view name, std::string_view value) {
        text.append(name).append("\n").append(value).append("\n");
    };
    add("Message", m.message);
    add("MessageId", m.id);
    if (m.type == SnsType::notification) {
        if (m.subject) {
            add("Subject", *m.subject);
        }
    } else {
        add("SubscribeURL", m.subscribe_url);
    }
    add("Timestamp", m.timestamp);
    if (m.type != SnsType::notification) {
        add("Token", m.token);
    }
    add("TopicArn", m.topic);
    add("Type", name_of(m.type));
    return text;
}

bool is_sns_host(std::string_view host) {
    constexpr std::string_view kStart = "sns.";
    if (!host.starts_with(kStart) || !is_host_text(host)) {
        return false;
    }
    host.remove_prefix(kStart.size());
    for (const std::string_view end : {".amazonaws.com", ".amazonaws.com.cn"}) {
        if (host.ends_with(end)) {
            const std::string_view region = host.substr(0, host.size() - end.size());
            return region.size() >= 3 && region.find('.') == std::string_view::npos;
        }
    }
    return false;
}

bool may_fetch(const std::string& url, SnsLink what, const std::string& endpoint) {
    const bool plain = std::ranges::all_of(
        url, [](char c) { return c > ' ' && c < '\x7f' && c != '\\' && c != '#' && c != '@'; });
    if (!plain || url.size() > kLongestUrl) {
        return false;
    }
    std::optional<std::string_view> rest = below_sns(url);
    if (!rest && (endpoint.starts_with("https://") || is_on_this_machine(endpoint))) {
        rest = below(endpoint, url);
    }
    if (!rest || what == SnsLink::confirmation) {
        return rest.has_value();
    }
    return rest->starts_with('/') && rest->ends_with(".pem") &&
           rest->find("..") == std::string_view::npos &&
           rest->find_first_of("?%;") == std::string_view::npos;
}

std::optional<AlarmNews> read_alarm_news(std::string_view message) {
    const json all = parse_json(message);
    AlarmNews news{text_of(all, "AlarmName", 255), text_of(all, "NewStateValue", 40), {}};
    if (news.alarm.empty() || news.state.empty()) {
        return std::nullopt;
    }
    if (const json& reason = member(all, "NewStateReason"); reason.is_string()) {
        news.reason = excerpt(reason.get<std::string>(), kMostReason);
    }
    return news;
}

}  // namespace weir::aws
