#include "cli/check_command.h"

#include "aws/metric_data.h"

#include <fmt/format.h>

#include <ostream>

namespace weir::cli {

namespace {

int complain(const std::vector<Complaint>& complaints, std::ostream& err) {
    for (const Complaint& complaint : complaints)
        err << to_string(complaint) << '\n';
    return 2;
}

std::string counted(std::size_t count, std::string_view thing) {
    return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

}  // namespace

int run_check(const std::string& path, const Getenv& getenv, std::ostream& out, std::ostream& err,
              bool strict) {
    const LoadedConfig loaded = load_config(path, getenv, NamedFiles::checked);
    if (!loaded.complaints.empty())
        return complain(loaded.complaints, err);
    if (!loaded.warnings.empty()) {
        complain(loaded.warnings, err);
        if (strict)
            return 2;
    }
    const Config& config = loaded.config;
    out << fmt::format(
        "{}: good ({}, {}, {}, {}{})\n", path, counted(config.regions.size(), "Region"),
        counted(config.quotas.size(), "quota"), counted(config.routes.size(), "route"),
        counted(config.clients.size(), "client"),
        loaded.warnings.empty() ? "" : "; " + counted(loaded.warnings.size(), "warning"));
    if (config.aws.metrics.to != MetricsTo::off)
        out << "aws.metrics: " << aws::price_of_metrics(config) << '\n';
    return 0;
}

int run_print_config(const std::string& path, const Getenv& getenv, std::ostream& out,
                     std::ostream& err) {
    const LoadedConfig loaded = load_config(path, getenv);
    if (!loaded.complaints.empty())
        return complain(loaded.complaints, err);
    out << print_config(loaded.config);
    return 0;
}

}  // namespace weir::cli
