#include "cli/admin_call.h"

#include "cli/health_command.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <ostream>

namespace weir::cli {

std::variant<aws::HttpCall, int> admin_call(const AdminPort& port, const std::string& path,
                                            const std::string& command, const Getenv& getenv,
                                            std::ostream& err) {
    aws::HttpCall call;
    call.url = port.url;
    if (call.url.empty()) {
        const LoadedConfig loaded = load_config(port.config, getenv);
        if (!loaded.complaints.empty()) {
            for (const Complaint& complaint : loaded.complaints) {
                err << to_string(complaint) << '\n';
            }
            return 2;
        }
        if (loaded.config.admin.empty()) {
            err << command << ": `admin` is off in this configuration\n";
            return 2;
        }
        const auto url = health_url(loaded.config);
        if (!url) {
            err << command << ": " << url.error().message << '\n';
            return 2;
        }
        call.url = *url;
    }
    while (call.url.ends_with('/')) {
        call.url.pop_back();
    }
    call.url += path;
    call.direct = true;
    if (const auto key = getenv("WEIR_ADMIN_KEY"); key && !key->empty()) {
        call.headers.push_back("Authorization: Bearer " + *key);
    }
    return call;
}

std::variant<std::string, int> ask_admin(const aws::HttpCall& call, const std::string& command,
                                         std::ostream& err) {
    const std::atomic<bool> stop{false};
    auto answer = aws::perform(call, stop);
    if (!answer) {
        err << command << ": " << call.url << ": " << answer.error().message << '\n';
        return 1;
    }
    if (answer->status == 200) {
        return std::move(answer->body);
    }
    const auto body = nlohmann::json::parse(answer->body, nullptr, false);
    const std::string message =
        body.is_object() && body.contains("message") && body["message"].is_string()
            ? ": " + body["message"].get<std::string>().substr(0, 500)
            : std::string();
    err << command << ": " << call.url << " answers " << answer->status << message
        << (answer->status == 401 ? "; WEIR_ADMIN_KEY is to hold the admin key" : "") << '\n';
    return 1;
}

}  // namespace weir::cli
