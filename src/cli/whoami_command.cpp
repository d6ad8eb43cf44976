#include "cli/whoami_command.h"

#include "aws/text.h"
#include "cli/identities.h"
#include "cli/serving.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <ostream>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

std::string left_of(const aws::Credentials& keys) {
    if (!keys.expiry) {
        return "never";
    }
    const auto left =
        std::chrono::floor<std::chrono::minutes>(*keys.expiry - std::chrono::system_clock::now());
    return fmt::format("{} ({})", aws::timestamp_of(*keys.expiry),
                       left.count() < 0 ? "expired" : fmt::format("in {} min", left.count()));
}

std::string text_of(const Identity& identity) {
    std::string out = fmt::format("{} in {}\n", account_label(identity.account), identity.region);
    const auto line = [&](std::string_view name, std::string_view value) {
        out += fmt::format("  {:<9} {}\n", name, value);
    };
    if (identity.keys) {
        line("source", identity.keys->source);
        line("expires", left_of(*identity.keys));
    }
    if (identity.arn.empty()) {
        line("unknown", identity.why_unknown);
    } else {
        line("who", identity.arn);
        line("account", identity.account_id);
    }
    for (const aws::SourceReport& report : identity.tried) {
        if (report.outcome != "used") {
            line("not", report.source + ": " + report.outcome);
        }
    }
    return out;
}

ordered_json json_of(const Identity& identity) {
    const auto or_null = [](const std::string& text) {
        return text.empty() ? ordered_json() : ordered_json(text);
    };
    ordered_json one;
    one["account"] = account_label(identity.account);
    one["region"] = identity.region;
    one["source"] = identity.keys ? ordered_json(identity.keys->source) : ordered_json();
    one["arn"] = or_null(identity.arn);
    one["account_id"] = or_null(identity.account_id);
    one["expires"] = identity.keys && identity.keys->expiry
                         ? ordered_json(aws::timestamp_of(*identity.keys->expiry))
                         : ordered_json();
    one["error"] = or_null(identity.why_unknown);
    one["tried"] = ordered_json::array();
    for (const aws::SourceReport& report : identity.tried) {
        one["tried"].push_back({{"source", report.source}, {"outcome", report.outcome}});
    }
    return one;
}

}  // namespace

int run_whoami(const std::string& config_path, bool json, const Getenv& getenv, std::ostream& out,
               std::ostream& err) {
    const LoadedConfig loaded = load_config(config_path, getenv, NamedFiles::upstream);
    if (!loaded.complaints.empty()) {
        err << problems(loaded) << '\n';
        return 2;
    }
    if (loaded.config.credentials.source == CredentialsSource::client_bearer) {
        err << "weir whoami: with `source: client_bearer` each caller's own key is passed on\n";
        return 2;
    }
    const std::atomic<bool> stop{false};
    const auto identities = find_identities(loaded.config, stop);
    if (json) {
        ordered_json all = ordered_json::array();
        for (const Identity& identity : identities) {
            all.push_back(json_of(identity));
        }
        out << all.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    } else {
        for (const Identity& identity : identities) {
            out << text_of(identity);
        }
    }
    return std::ranges::all_of(identities, [](const Identity& one) { return !one.arn.empty(); })
               ? 0
               : 1;
}

}  // namespace weir::cli
