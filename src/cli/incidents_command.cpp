#include "cli/incidents_command.h"

#include "aws/http_call.h"
#include "cli/health_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <ctime>
#include <ostream>

namespace weir::cli {

namespace {

using Json = nlohmann::json;

std::string time_text(const Json& seconds) {
    return seconds.is_number_integer()
               ? fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                             fmt::gmtime(static_cast<std::time_t>(seconds.get<std::int64_t>())))
               : "?";
}

void print(const Json& answer, std::ostream& out) {
    if (!answer.value("watched", false)) {
        out << "Nothing is watched: set aws.incidents.topic or aws.incidents.webhook.\n";
        return;
    }
    const Json list = answer.value("incidents", Json::array());
    if (list.empty()) {
        out << "No incident.\n";
    }
    for (const Json& one : list) {
        out << fmt::format("{:9} {:8} {} {}  {}\n", one.value("state", ""),
                           one.value("priority", ""), time_text(one.value("opened", Json())),
                           one.value("id", ""), one.value("title", ""));
    }
}

}  // namespace

int run_incidents(const IncidentsOptions& options, const Getenv& getenv, std::ostream& out,
                  std::ostream& err) {
    aws::HttpCall call;
    call.url = options.url;
    if (call.url.empty()) {
        const LoadedConfig loaded = load_config(options.config, getenv);
        if (!loaded.complaints.empty()) {
            for (const Complaint& complaint : loaded.complaints) {
                err << to_string(complaint) << '\n';
            }
            return 2;
        }
        if (loaded.config.admin.empty()) {
            err << "weir incidents: `admin` is off in this configuration\n";
            return 2;
        }
        const auto url = health_url(loaded.config);
        if (!url) {
            err << "weir incidents: " << url.error().message << '\n';
            return 2;
        }
        call.url = *url;
    }
    while (call.url.ends_with('/')) {
        call.url.pop_back();
    }
    call.url += "/incidents";
    call.direct = true;  // a proxy would ask another machine
    if (const auto key = getenv("WEIR_ADMIN_KEY"); key && !key->empty()) {
        call.headers.push_back("Authorization: Bearer " + *key);
    }
    const std::atomic<bool> stop{false};
    const auto answer = aws::perform(call, stop);
    if (!answer) {
        err << "weir incidents: " << call.url << ": " << answer.error().message << '\n';
        return 1;
    }
    const Json body = Json::parse(answer->body, nullptr, false);
    if (answer->status != 200 || !body.is_object()) {
        err << "weir incidents: " << call.url << " answers " << answer->status
            << (answer->status == 401 ? "; WEIR_ADMIN_KEY is to hold the admin key" : "") << '\n';
        return 1;
    }
    if (options.json) {
        out << body.dump(2) << '\n';
    } else {
        print(body, out);
    }
    return 0;
}

}  // namespace weir::cli
