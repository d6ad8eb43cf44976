// Requests and answers as text, for the ends of a World.
#pragma once

#include "world.h"

#include <string>
#include <string_view>

namespace weir::gateway::test {

constexpr std::string_view kModel = "anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view kAnswer =
    R"({"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn",)"
    R"("usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})";

inline Config two_regions() {
    Config config;
    config.regions["us-east-1"].endpoint = "http://127.0.0.1:1";
    config.regions["us-west-2"].endpoint = "http://127.0.0.1:2";
    config.default_region = "us-east-1";
    return config;
}

inline std::string post(std::string_view target, std::string_view body,
                        std::string_view fields = {}) {
    return "POST " + std::string(target) +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
           std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

inline std::string get(std::string_view target, std::string_view fields = {},
                       std::string_view method = "GET") {
    return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" +
           std::string(fields) + "\r\n";
}

inline std::string converse() {
    return post("/model/" + std::string(kModel) + "/converse",
                R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})");
}

inline Script whole(std::string_view body, std::string_view status = "200 OK",
                    std::string_view fields = {}) {
    Script script;
    script.head = "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: application/json\r\n" +
                  std::string(fields) + "Content-Length: " + std::to_string(body.size()) +
                  "\r\n\r\n";
    script.body = {bytes(std::string(body))};
    return script;
}

inline QuotaConfig quota_of(std::string_view model, std::string_view region) {
    QuotaConfig quota;
    quota.models = {std::string(model)};
    quota.region = std::string(region);
    return quota;
}

/// So many attempts, with no pause between them.
inline Config in_a_row(std::uint32_t attempts) {
    Config config = two_regions();
    config.retry.max_attempts = attempts;
    config.retry.base_delay = config.retry.max_delay = Duration::zero();
    config.retry.jitter = Jitter::none;
    config.retry.budget = 10;
    return config;
}

/// kModel in us-east-1, else in us-west-2.
inline Config with_a_fallback() {
    Config config = in_a_row(3);
    config.breaker.failures = 1;  // or the first target would be asked again at once
    config.routes.resize(1);
    config.routes[0].model = std::string(kModel);
    config.routes[0].targets.resize(2);
    config.routes[0].targets[0].region = "us-east-1";
    config.routes[0].targets[1].region = "us-west-2";
    return config;
}

}  // namespace weir::gateway::test
