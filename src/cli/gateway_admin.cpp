#include "cli/gateway_admin.h"

#include "aws/http_call.h"
#include "cli/health_command.h"
#include "policy/address.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <ostream>
#include <utility>

namespace weir::cli {

void add_admin_options(CLI::App& command, AdminAddress& address) {
    command.add_option("-c,--config", address.config, "weir.yaml that the gateway runs with");
    command.add_option("--url", address.url,
                       "Address of its admin port, instead of the configured one");
}

AdminRequest admin_order(std::string path,
                         std::initializer_list<std::pair<const char*, std::string>> members) {
    nlohmann::ordered_json body;
    for (const auto& [member, value] : members) {
        if (!value.empty()) {
            body[member] = value;
        }
    }
    return {.path = std::move(path),
            .method = "POST",
            .body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)};
}

Result<std::string> admin_url(const AdminAddress& options, const Getenv& getenv) {
    std::string url = options.url;
    if (url.empty()) {
        const LoadedConfig loaded = load_config(options.config, getenv, NamedFiles::ignored);
        if (!loaded.complaints.empty()) {
            std::string all;
            for (const Complaint& complaint : loaded.complaints) {
                all += (all.empty() ? "" : "\n") + to_string(complaint);
            }
            return failure(all);
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
    if (status == 401) {
        return "it needs the admin key: set WEIR_ADMIN_KEY";
    }
    constexpr std::size_t kLongest = 500;
    const auto json = nlohmann::json::parse(body, nullptr, false);
    const bool told = json.is_object() && json.contains("message") && json["message"].is_string();
    return told ? json["message"].get<std::string>().substr(0, kLongest)
                : "the admin port answers " + std::to_string(status);
}

Result<AdminAnswer> ask_admin(const std::string& url, const AdminRequest& request,
                              const Getenv& getenv, const std::atomic<bool>& stop) {
    aws::HttpCall call;
    call.url = url + request.path;
    call.method = request.method;
    call.body = request.body;
    call.direct = true;  // a proxy would ask another machine
    call.connect_timeout = call.timeout;
    call.most_bytes = 64 << 20;  // a status of thousands of clients
    if (!request.body.empty()) {
        call.headers.emplace_back("Content-Type: application/json");
    }
    if (const auto key = getenv("WEIR_ADMIN_KEY"); key && !key->empty()) {
        call.headers.push_back("Authorization: Bearer " + *key);
    }
    auto answer = aws::perform(call, stop);
    if (!answer) {
        return failure(call.url + ": " + answer.error().message);
    }
    return AdminAnswer{answer->status, std::move(answer->body)};
}

std::expected<nlohmann::ordered_json, int> read_admin(const AdminAddress& address,
                                                      const AdminRequest& request,
                                                      const std::string& command,
                                                      const Getenv& getenv, std::ostream& err) {
    const auto url = admin_url(address, getenv);
    if (!url) {
        err << command << ": " << url.error().message << '\n';
        return std::unexpected(2);
    }
    const auto answer = ask_admin(*url, request, getenv);
    if (!answer) {
        err << command << ": " << answer.error().message << '\n';
        return std::unexpected(1);
    }
    if (answer->status != 200) {
        err << command << ": " << *url << request.path << ": " << answer->message() << '\n';
        return std::unexpected(1);
    }
    auto body = nlohmann::ordered_json::parse(answer->body, nullptr, false);
    if (!body.is_object()) {
        err << command << ": the answer is not weir's\n";
        return std::unexpected(1);
    }
    return body;
}

std::string left_text(const nlohmann::ordered_json& seconds) {
    const auto s = seconds.is_number() ? static_cast<long>(seconds.get<double>() + 0.5) : 0L;
    return s >= 120 ? std::to_string((s + 30) / 60) + " min" : std::to_string(s) + " s";
}

}  // namespace weir::cli
