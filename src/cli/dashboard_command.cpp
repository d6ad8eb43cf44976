#include "cli/dashboard_command.h"

#include "aws/dashboard.h"
#include "aws/log_queries.h"
#include "aws/watched.h"
#include "cli/aws_access.h"
#include "cli/exit_codes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <ostream>

namespace weir::cli {

namespace {

using Json = nlohmann::json;

constexpr int kMostPages = 100;
constexpr std::string_view kFolder = "weir/";  // of query definitions

bool is_dashboard_name(const std::string& name) {
    return name.size() <= 255 && std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
           });
}

std::string region_of(const std::string& asked, const Config& config) {
    return asked.empty() ? aws::metrics_region(config) : asked;
}

int no_region(std::string_view command, std::ostream& err) {
    err << "weir " << command
        << ": no Region: set --region, aws.metrics.region or default_region\n";
    return kWrongUse;
}

/// Ids of the definitions in our folder, by name.
aws::ApiResult<std::map<std::string, std::string>> existing_queries(const aws::ApiClient& api,
                                                                    const aws::ApiPlace& place) {
    std::map<std::string, std::string> out;
    Json input{{"queryDefinitionNamePrefix", kFolder}, {"maxResults", 100}};
    for (int page = 0; page < kMostPages; ++page) {
        const auto answer = api.json(place, "DescribeQueryDefinitions", input, stop_at_signal());
        if (!answer) {
            return std::unexpected(answer.error());
        }
        for (const Json& one : answer->value("queryDefinitions", Json::array())) {
            if (one.is_object() && one.value("name", Json()).is_string() &&
                one.value("queryDefinitionId", Json()).is_string()) {
                out[one["name"].get<std::string>()] = one["queryDefinitionId"].get<std::string>();
            }
        }
        const Json next = answer->value("nextToken", Json());
        if (!next.is_string() || next.get<std::string>().empty()) {
            break;
        }
        input["nextToken"] = next;
    }
    return out;
}

std::vector<aws::LogQuery> chosen(const std::string& name) {
    std::vector<aws::LogQuery> out;
    for (const aws::LogQuery& query : aws::log_queries()) {
        if (name.empty() || query.name == name) {
            out.push_back(query);
        }
    }
    return out;
}

int put_queries(const std::vector<aws::LogQuery>& queries, const LogQueriesOptions& options,
                AwsAccess& access, std::ostream& out, std::ostream& err) {
    const std::string region = region_of(options.region, access.config());
    if (region.empty()) {
        return no_region("logs-queries", err);
    }
    const aws::ApiPlace place{aws::ApiService::logs, region};
    const auto existing = existing_queries(access.api(), place);
    if (!existing) {
        err << "weir logs-queries: " << access.explain(existing.error()) << '\n';
        return kFailed;
    }
    for (const aws::LogQuery& query : queries) {
        const bool there = existing->contains(std::string(kFolder) + std::string(query.name));
        out << fmt::format("{} {}{} in {}\n", there ? '~' : '+', kFolder, query.name, region);
    }
    out << "Query definitions cost nothing; a query costs 0.005 USD for each GB that it reads "
           "(us-east-1, price list of 2026-11).\n";
    if (options.dry_run) {
        return kDone;
    }
    if (const auto code =
            not_agreed("logs-queries", "Save these queries?", options.yes, out, err)) {
        return *code;
    }
    for (const aws::LogQuery& query : queries) {
        const std::string name = std::string(kFolder) + std::string(query.name);
        Json input{{"name", name}, {"queryString", query.text}};
        const auto& groups =
            query.name.starts_with("bedrock-") ? options.bedrock_groups : options.log_groups;
        if (!groups.empty()) {
            input["logGroupNames"] = groups;
        }
        if (const auto at = existing->find(name); at != existing->end()) {
            input["queryDefinitionId"] = at->second;
        }
        const auto done = access.api().json(place, "PutQueryDefinition", input, stop_at_signal());
        if (!done) {
            err << "weir logs-queries: " << name << ": " << access.explain(done.error()) << '\n';
            return kFailed;
        }
    }
    out << "Done.\n";
    return kDone;
}

}  // namespace

int run_dashboard(const DashboardOptions& options, const Getenv& getenv, std::ostream& out,
                  std::ostream& err) {
    if (!is_dashboard_name(options.put)) {
        err << "weir dashboard: --put: a name has letters, digits, '-' and '_'\n";
        return kWrongUse;
    }
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return kWrongUse;
    }
    const auto body = aws::make_dashboard(access->config(), std::chrono::system_clock::now());
    if (!body) {
        err << "weir dashboard: " << body.error().message << '\n';
        return kWrongUse;
    }
    if (options.put.empty()) {
        out << body->dump(2) << '\n';
        return kDone;
    }
    const std::string region = region_of(options.region, access->config());
    if (region.empty()) {
        return no_region("dashboard", err);
    }
    out << fmt::format(
        "Dashboard {} in {}: {} widgets. An existing one of that name is replaced.\n"
        "Cost: 3.00 USD a month for each dashboard beyond the first three of an account (price "
        "list of 2026-11).\n",
        options.put, region, (*body)["widgets"].size());
    if (options.dry_run) {
        return kDone;
    }
    if (const auto code = not_agreed("dashboard", "Put it?", options.yes, out, err)) {
        return *code;
    }
    const auto done = access->api().json(
        {aws::ApiService::cloudwatch, region}, "PutDashboard",
        {{"DashboardName", options.put}, {"DashboardBody", body->dump()}}, stop_at_signal());
    if (!done) {
        err << "weir dashboard: " << access->explain(done.error()) << '\n';
        return kFailed;
    }
    for (const Json& one : done->value("DashboardValidationMessages", Json::array())) {
        err << "weir dashboard: CloudWatch says: " << one.dump() << '\n';
    }
    out << "Done.\n";
    return kDone;
}

int run_log_queries(const LogQueriesOptions& options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err) {
    const auto queries = chosen(options.name);
    if (queries.empty()) {
        err << "weir logs-queries: no query is called " << options.name.substr(0, 100)
            << "; `weir logs-queries` lists them\n";
        return kWrongUse;
    }
    if (options.put) {
        const auto access = open_access(options.config, getenv, err);
        return access ? put_queries(queries, options, *access, out, err) : kWrongUse;
    }
    if (!options.name.empty()) {
        out << queries.front().text << '\n';
        return kDone;
    }
    for (const aws::LogQuery& query : queries) {
        out << fmt::format("# {}: {}\n{}\n\n", query.name, query.about, query.text);
    }
    return kDone;
}

}  // namespace weir::cli
