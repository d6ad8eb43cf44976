#include "cli/incidents_command.h"

#include "cli/gateway_admin.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>
#include <ostream>

namespace weir::cli {

namespace {

using OrderedJson = nlohmann::ordered_json;

std::string time_text(const OrderedJson& seconds) {
    return seconds.is_number_integer()
               ? fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                             fmt::gmtime(static_cast<std::time_t>(seconds.get<std::int64_t>())))
               : "?";
}

void print(const OrderedJson& answer, std::ostream& out) {
    if (!answer.value("watched", false)) {
        out << "Nothing is watched: set aws.incidents.topic or aws.incidents.webhook.\n";
        return;
    }
    const OrderedJson list = answer.value("incidents", OrderedJson::array());
    if (list.empty()) {
        out << "No incident.\n";
    }
    for (const OrderedJson& one : list) {
        out << fmt::format("{:9} {:8} {} {}  {}\n", one.value("state", ""),
                           one.value("priority", ""), time_text(one.value("opened", OrderedJson())),
                           one.value("id", ""), one.value("title", ""));
    }
}

}  // namespace

int run_incidents(const IncidentsOptions& options, const Getenv& getenv, std::ostream& out,
                  std::ostream& err) {
    const auto answer =
        read_admin(options.admin, {.path = "/incidents"}, "weir incidents", getenv, err);
    if (!answer) {
        return answer.error();
    }
    const OrderedJson& body = *answer;
    if (options.json) {
        out << body.dump(2) << '\n';
    } else {
        print(body, out);
    }
    return 0;
}

}  // namespace weir::cli
