// Signed calls to AWS services other than inference, for threads that may block.
#pragma once

#include "aws/credentials.h"

#include <weir/config.h>

#include <nlohmann/json_fwd.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pugi {
class xml_document;
}

namespace weir::aws {

/// Each with its wire protocol: sts and sns answer query(), bedrock and bedrock_runtime rest(), the
/// others json().
enum class ApiService : std::uint8_t {
    sts,
    sns,
    service_quotas,
    cloudwatch,
    logs,
    bedrock,
    bedrock_runtime
};

/// One service in one Region.
struct ApiPlace {
    ApiService service;
    std::string region;
    std::string endpoint = {};  // URL; empty: the configured one, else the service's own
};

/// Why a call gave nothing.
struct ApiError {
    long status = 0;         // 0: nothing was sent, or no answer came
    std::string code;        // the service's, "AccessDeniedException"; without its namespace
    std::string message;     // the service's, or ours where no answer came; safe to print
    std::string request_id;  // as support asks for it

    /// The caller may not: no better for trying again, until a policy changes.
    bool denied() const;
    /// Too many calls to this service, which has nothing to do with inference.
    bool throttled() const;
    /// "403 AccessDeniedException: User ... is not authorized ... (request 1f2e)".
    std::string text() const;
};
template <class T>
using ApiResult = std::expected<T, ApiError>;

/// How patient a call is; tests make it hurry.
struct ApiTiming {
    std::chrono::milliseconds connect{3000};
    std::chrono::milliseconds answer{15000};
    int attempts = 3;                       // throttled, 5xx, no answer
    std::chrono::milliseconds delay{1000};  // before the second; full jitter, doubles up to 20 s
};

/// Thread-safe; each call blocks its caller for at most timing's sum, and ends about a second after
/// `stop` turns true. Answers up to 8 MiB. An HTTPS_PROXY of the environment is used.
///
/// The local clock may be wrong: where a service says so, its `Date` corrects this client's
/// signatures from then on.
class ApiClient {
public:
    using Keys = BaseKeys;  // empty credentials: calls are not signed
    using Parameters = std::vector<std::pair<std::string, std::string>>;

    ApiClient(AwsConfig config, const Environment& environment, Keys keys, ApiTiming timing = {});

    /// AWS JSON 1.0 and 1.1: `operation` as "ListServiceQuotas".
    ApiResult<nlohmann::json> json(const ApiPlace& place, const std::string& operation,
                                   const nlohmann::json& input,
                                   const std::atomic<bool>& stop) const;
    /// AWS Query: `parameters` as "Tags.member.1.Key"; Action and Version are added.
    ApiResult<pugi::xml_document> query(const ApiPlace& place, const std::string& operation,
                                        const Parameters& parameters,
                                        const std::atomic<bool>& stop) const;
    /// REST with JSON. `target`: path and query, encoded once. `input` null: no body.
    ApiResult<nlohmann::json> rest(const ApiPlace& place, const std::string& method,
                                   const std::string& target, const nlohmann::json& input,
                                   const std::atomic<bool>& stop) const;

    /// Where calls for `place` go.
    std::string url(const ApiPlace& place) const;
    /// What the services' clocks are ahead of the local one; 0 until one has complained.
    std::chrono::seconds clock_skew() const { return std::chrono::seconds(skew_.load()); }

private:
    struct Exchange;
    ApiResult<std::string> send(const ApiPlace& place, const Exchange& exchange,
                                const std::atomic<bool>& stop) const;
    ApiResult<std::string> send_once(const ApiPlace& place, const Exchange& exchange,
                                     const std::atomic<bool>& stop, bool& clock_moved) const;

    AwsConfig config_;
    std::string ca_;
    bool fips_;
    Keys keys_;
    ApiTiming timing_;
    mutable std::atomic<std::int64_t> skew_{0};  // seconds
};

}  // namespace weir::aws
