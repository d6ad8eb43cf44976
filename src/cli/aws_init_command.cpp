#include "cli/aws_init_command.h"

#include "aws/sts.h"
#include "aws/usage_reader.h"
#include "cli/alarms_command.h"
#include "cli/aws_access.h"
#include "cli/aws_init.h"
#include "cli/exit_codes.h"
#include "cli/iam_policy.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>

namespace weir::cli {

namespace {

namespace fs = std::filesystem;

std::string today() {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    return minute_text(now).substr(0, 10);
}

RegionFound look_into(AwsAccess& access, const std::string& name) {
    RegionFound found;
    const aws::ApiClient& api = access.api(name);
    auto quotas = aws::read_quotas(api, name, access.stop());
    auto profiles = aws::list_profiles(api, name, access.control_endpoint(name), access.stop());
    if (!quotas && !profiles) {
        found.problem = quotas.error().text();
        return found;
    }
    found.quotas = quotas ? std::move(*quotas) : aws::QuotaReading{};
    if (profiles) {
        found.profiles = std::move(*profiles);
    }
    if (auto used = aws::read_used_models(api, name, access.stop())) {
        found.used = std::move(*used);
    }
    return found;
}

/// The home Region's first, since its profiles name the others.
AccountFound look_around(AwsAccess& access, const AwsInitOptions& options) {
    AccountFound found;
    const Config& config = access.config();
    found.settings = config;
    found.asked = options.models;
    found.date = today();
    std::vector<std::string> names = options.regions.empty() ? access.regions() : options.regions;
    if (names.empty()) {
        names = {"us-east-1"};
    }
    found.home = std::ranges::find(names, config.default_region) != names.end()
                     ? config.default_region
                     : names.front();
    found.regions.emplace(found.home, look_into(access, found.home));
    if (options.regions.empty() && config.regions.empty()) {
        const auto more = neighbours(found.home, found.regions.at(found.home).profiles);
        names.insert(names.end(), more.begin(), more.end());
    }
    for (const std::string& name : names) {
        if (!found.regions.contains(name)) {
            found.regions.emplace(name, look_into(access, name));
        }
    }
    if (auto caller = aws::caller_of(access.api(found.home), found.home, access.stop())) {
        found.account = std::move(caller->account);
    }
    return found;
}

bool write(const fs::path& path, const std::string& text, std::ostream& err) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) {
        err << "weir aws init: " << path.string() << " cannot be written\n";
    }
    return static_cast<bool>(file);
}

/// A file beside the one that will be: the other commands read it before it is in force.
class Draft {
public:
    explicit Draft(fs::path path) : path_(std::move(path)) {}
    ~Draft() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

}  // namespace

int run_aws_init(const AwsInitOptions& options, const Getenv& getenv, std::ostream& out,
                 std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return kWrongUse;
    }
    const fs::path folder(options.out);
    std::error_code error;
    fs::create_directories(folder, error);
    if (!fs::is_directory(folder, error)) {
        err << "weir aws init: " << options.out << " is no folder\n";
        return kWrongUse;
    }
    const AccountFound found = look_around(*access, options);
    const RegionFound& home = found.regions.at(found.home);
    if (std::ranges::all_of(found.regions,
                            [](const auto& region) { return !region.second.problem.empty(); })) {
        err << "weir aws init: AWS tells nothing in " << found.home << ": " << home.problem
            << "\n`weir doctor` finds out why\n";
        return kFailed;
    }
    const auto routes = init_routes(found);
    const Draft draft(folder / ".weir.yaml.draft");
    const std::string yaml = init_yaml(found, routes);
    if (!write(draft.path(), yaml, err)) {
        return kFailed;
    }
    std::vector<std::pair<fs::path, std::string>> files{{folder / "weir.yaml", yaml}};
    std::ostringstream policy;
    IamPolicyOptions policy_of;
    policy_of.config = draft.path().string();
    policy_of.account_id = found.account;
    policy_of.all_models = routes.empty();
    if (run_iam_policy(policy_of, getenv, policy, err) != 0) {
        return kFailed;
    }
    files.emplace_back(folder / "iam-policy.json", policy.str());
    std::ostringstream plan;
    std::ostringstream why;
    AlarmsOptions alarms;
    alarms.config = draft.path().string();
    if (run_alarms_plan(alarms, getenv, plan, why) == 0) {
        files.emplace_back(folder / "alarms-plan.txt", plan.str());
    } else {
        err << "weir aws init: no alarms-plan.txt: " << why.str();
    }
    std::string there;
    for (const auto& [path, text] : files) {
        if (fs::exists(path, error)) {
            there += (there.empty() ? "" : ", ") + path.string();
        }
    }
    if (!there.empty()) {
        if (const auto code =
                not_agreed("aws init", "Overwrite " + there + "?", options.yes, out, err)) {
            return *code;
        }
    }
    for (const auto& [path, text] : files) {
        if (!write(path, text, err)) {
            return kFailed;
        }
        out << path.string() << '\n';
    }
    for (const auto& [name, region] : found.regions) {
        if (!region.problem.empty()) {
            err << "weir aws init: " << name << " is left out: " << region.problem << '\n';
        }
    }
    out << "Review them. Then: weir check " << (folder / "weir.yaml").string()
        << ", weir doctor, weir alarms apply\n";
    return 0;
}

AwsInitCommand::AwsInitCommand(CLI::App& app) {
    CLI::App* group = app.add_subcommand("aws", "Begin with an AWS account");
    group->require_subcommand(1);
    command_ = group->add_subcommand(
        "init", "Write a configuration, an IAM policy and an alarms plan for what the account has");
    command_->add_option("-c,--config", options_.config,
                         "weir.yaml whose credentials, Regions and endpoints count; default: "
                         "built-in settings");
    command_->add_option("--out", options_.out, "Folder for the files")->capture_default_str();
    command_
        ->add_option("--region", options_.regions,
                     "Look into this Region; repeatable, the first is home; default: those "
                     "configured, else AWS_REGION and where its inference profiles run")
        ->allow_extra_args(false);
    command_
        ->add_option("--model", options_.models,
                     "A route for this model; repeatable; default: those used lately, else those "
                     "with the largest quotas")
        ->allow_extra_args(false);
    command_->add_flag("--yes", options_.yes, "Overwrite files without asking");
    command_->footer(
        "It changes nothing in the account. It needs servicequotas:List*, "
        "bedrock:ListInferenceProfiles, cloudwatch:ListMetrics and,\nfor the alarms plan, "
        "cloudwatch:DescribeAlarms.\n"
        "Exit code: 0 done; 1 AWS told nothing, or nothing was written; 2 wrong usage.");
}

std::optional<int> AwsInitCommand::run(const Getenv& getenv, std::ostream& out,
                                       std::ostream& err) const {
    return command_->parsed() ? std::optional(run_aws_init(options_, getenv, out, err))
                              : std::nullopt;
}

}  // namespace weir::cli
