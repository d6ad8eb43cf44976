#include "cli/gateway_admin.h"

#include "aws/http_call.h"
#include "cli/health_command.h"
#include "policy/address.h"

#include <nlohmann/json.hpp>

#include <atomic>

namespace weir::cli {

Result<std::string> admin_url(const AdminAddress& options, const Getenv& getenv) {
    std::string url = options.url;
    if (url.empty()) {
        const LoadedConfig loaded = load_config(options.config, getenv, NamedFiles::ignored);
        if (!loaded.complaints.empty()) {
            return failure(to_string(loaded.complaints.front()));
        }
        if (loaded.config.admin.empty()) {
            return failure("`admin` is off in this configuration");
        }
        auto configured = health_url(loaded.config);
        if (!configured) {
            return configured;
        }
        url = std::move(*configured);
    } else if (!policy::is_http_url(url)) {
        return failure("--url: `" + url.substr(0, 200) +
                       "` is not http:// or https:// with a host");
    }
    while (url.ends_with('/')) {
        url.pop_back();
    }
    return url;
}

std::string AdminAnswer::message() const {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (json.is_object() && json.contains("message") && json["message"].is_string()) {
        return json["message"].get<std::string>();
    }
    return "the admin port answers " + std::to_string(status);
}

Result<AdminAnswer> read_admin(const std::string& url, std::string_view path, const Getenv& getenv,
                               std::chrono::milliseconds timeout) {
    aws::HttpCall call;
    call.url = url + std::string(path);
    call.direct = true;  // a proxy would ask another machine
    call.timeout = timeout;
    call.connect_timeout = timeout;
    call.most_bytes = 64 << 20;  // a status of thousands of clients
    if (const auto key = getenv("WEIR_ADMIN_KEY"); key && !key->empty()) {
        call.headers.push_back("Authorization: Bearer " + *key);
    }
    const std::atomic<bool> stop{false};
    auto answer = aws::perform(call, stop);
    if (!answer) {
        return failure(call.url + ": " + answer.error().message);
    }
    return AdminAnswer{answer->status, std::move(answer->body)};
}

}  // namespace weir::cli
