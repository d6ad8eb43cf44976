#include "cli/aws_access.h"

#include "aws/credentials.h"
#include "cli/exit_codes.h"
#include "gateway/process_keys.h"

#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <ctime>
#include <iostream>
#include <utility>

namespace weir::cli {

struct AwsAccess::Keys {
    Keys(const gateway::KeysWanted& wanted, aws::BaseKeys base)
        : provider(gateway::make_provider(wanted, std::move(base), nullptr)) {
        provider->start();
    }
    std::unique_ptr<aws::CredentialsProvider> provider;
};

AwsAccess::AwsAccess(Config config) : config_(std::move(config)) {
    for (const auto& [name, region] : config_.regions) {
        regions_.push_back(name);
    }
    if (regions_.empty() && !config_.default_region.empty()) {
        regions_.push_back(config_.default_region);
    }
}

AwsAccess::~AwsAccess() = default;

AwsAccess::Keys& AwsAccess::keys_of(const std::string& name, const CredentialsConfig& credentials) {
    auto& keys = keys_[name];
    if (keys == nullptr) {
        auto wanted = gateway::KeysWanted::of(config_);
        wanted.credentials = credentials;
        keys = std::make_unique<Keys>(wanted, nullptr);
    }
    return *keys;
}

/// A role is taken on with the file's own keys, or with those of the account's profile.
AwsAccess::Keys& AwsAccess::keys_of(const std::string& name, const AccountConfig& account) {
    if (const auto found = keys_.find(name); found != keys_.end()) {
        return *found->second;
    }
    const auto wanted = gateway::KeysWanted::of(config_, account);
    aws::BaseKeys base;
    if (wanted.role) {
        Keys* from = nullptr;
        if (account.profile.empty()) {
            from = &keys_of("", config_.credentials);
        } else {
            auto plain = wanted;
            plain.role.reset();
            auto& keys = keys_["base of " + name];
            keys = std::make_unique<Keys>(plain, nullptr);
            from = keys.get();
        }
        base = [from] { return from->provider->get(); };
    }
    return *keys_.emplace(name, std::make_unique<Keys>(wanted, std::move(base))).first->second;
}

const aws::ApiClient& AwsAccess::api(const std::string& region, const std::string& account) {
    const std::pair key(account, region);
    if (const auto found = clients_.find(key); found != clients_.end()) {
        return found->second;
    }
    const auto declared = config_.regions.find(region);
    const bool own = declared != config_.regions.end() && declared->second.credentials;
    const auto other = config_.accounts.find(account);
    Keys& keys = other != config_.accounts.end() ? keys_of("account " + account, other->second)
                 : own                           ? keys_of(region, *declared->second.credentials)
                                                 : keys_of("", config_.credentials);
    return clients_
        .emplace(std::piecewise_construct, std::forward_as_tuple(key),
                 std::forward_as_tuple(config_.aws, aws::Environment::of_process(),
                                       [from = &keys] { return from->provider->get(); }))
        .first->second;
}

std::string AwsAccess::control_endpoint(const std::string& region) const {
    const auto declared = config_.regions.find(region);
    return declared == config_.regions.end() ? "" : declared->second.control_endpoint;
}

std::string AwsAccess::explain(const aws::ApiError& error) const {
    const auto file = keys_.find("");
    if (error.status != 0 || error.message != "no credentials" || file == keys_.end()) {
        return error.text();
    }
    std::string text = "no credentials";
    for (const aws::SourceReport& one : file->second->provider->report()) {
        text += "\n  " + one.source + ": " + one.outcome;
    }
    return text;
}

std::unique_ptr<AwsAccess> open_access(const std::string& path, const Getenv& getenv,
                                       std::ostream& err) {
    LoadedConfig loaded = load_config(path, getenv);
    for (const Complaint& complaint : loaded.complaints) {
        err << to_string(complaint) << '\n';
    }
    return loaded.complaints.empty() ? std::make_unique<AwsAccess>(std::move(loaded.config))
                                     : nullptr;
}

const std::atomic<bool>& stop_at_signal() {
    static std::atomic<bool> stopped{false};
    for (const int number : {SIGINT, SIGTERM}) {
        struct sigaction action{};
        action.sa_handler = [](int) { stopped = true; };
        sigaction(number, &action, nullptr);
    }
    return stopped;
}

bool consents(std::string_view question, std::istream& in, std::ostream& out) {
    out << question << " [y/N] " << std::flush;
    std::string answer;
    return std::getline(in, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

std::optional<int> not_agreed(std::string_view command, std::string_view question, bool yes,
                              std::ostream& out, std::ostream& err) {
    if (!yes && isatty(STDIN_FILENO) == 0) {
        err << "weir " << command
            << ": there is no terminal to ask on; --yes answers, --dry-run changes nothing\n";
        return kWrongUse;
    }
    if (!yes && !consents(question, std::cin, out)) {
        out << "Nothing was changed.\n";
        return kFailed;
    }
    return std::nullopt;
}

std::string minute_text(std::int64_t at) {
    const auto time = static_cast<std::time_t>(at);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min);
}

}  // namespace weir::cli
