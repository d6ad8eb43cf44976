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

}  // namespace weir::gateway::test
