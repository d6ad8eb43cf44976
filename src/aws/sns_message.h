// What SNS posts to an HTTPS subscription: read, and held to its signature.
#pragma once

#include "codec/certificate.h"

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::aws {

enum class SnsType : std::uint8_t { notification, subscribed, unsubscribed };

struct SnsMessage {
    SnsType type = SnsType::notification;
    std::string id;
    std::string topic;  ///< its ARN
    std::optional<std::string> subject;
    std::string message;
    std::string timestamp;      ///< as it is signed
    std::int64_t sent_at = 0;   ///< the same in seconds since 1970
    std::string token;          ///< of a confirmation
    std::string subscribe_url;  ///< likewise
    std::string certificate_url;
    std::string signature;  ///< decoded
    codec::SignatureHash hash = codec::SignatureHash::sha1;
};

/// The error names the member that is missing or wrong.
Result<SnsMessage> read_sns_message(std::string_view json);

/// What SNS signs: the members by name and value, one a line.
std::string signed_text(const SnsMessage& message);

/// An SNS host of AWS: sns.REGION.amazonaws.com or .com.cn.
bool is_sns_host(std::string_view host);

/// Whether a message may make weir fetch this: https, an SNS host, no other port, no user. A
/// certificate also has a plain path that ends with .pem. `endpoint`: of `aws.sns`, if that is
/// configured; it may be asked as well, by https, or on this machine.
enum class SnsLink : std::uint8_t { certificate, confirmation };
bool may_fetch(const std::string& url, SnsLink what, const std::string& endpoint);

/// What a CloudWatch alarm says in its message.
struct AlarmNews {
    std::string alarm;
    std::string state;   ///< ALARM, OK, INSUFFICIENT_DATA
    std::string reason;  ///< one line, shortened
};
std::optional<AlarmNews> read_alarm_news(std::string_view message);

}  // namespace weir::aws
