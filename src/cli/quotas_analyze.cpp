// `weir quotas analyze`: true peaks, when they were, and the quota that they call for.
#include "aws/text.h"
#include "cli/log_peaks.h"
#include "cli/quota_cases.h"
#include "cli/quotas_command.h"
#include "observe/figures.h"
#include "plan/advice.h"
#include "policy/tariff.h"

#include <weir/models.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <ostream>

namespace weir::cli {
namespace {

using Json = nlohmann::json;
using observe::grouped;

constexpr std::size_t kMostParts = 20;

struct Growth {
    std::string client;
    double factor = 1;
};

std::optional<std::vector<Growth>> growths(const std::vector<std::string>& words,
                                           std::ostream& err) {
    std::vector<Growth> all;
    for (const std::string& word : words) {
        const auto sign = word.rfind('=');
        char* end = nullptr;
        const std::string number = sign == std::string::npos ? "" : word.substr(sign + 1);
        const double factor = std::strtod(number.c_str(), &end);
        if (number.empty() || *end != '\0' || !(factor > 0) || factor > 1000) {
            err << "weir quotas analyze: --grow " << word
                << ": must be CLIENT=FACTOR, such as etl=1.5\n";
            return std::nullopt;
        }
        all.push_back({word.substr(0, sign), factor});
    }
    return all;
}

double factor_of(const std::string& client, const std::vector<Growth>& all) {
    for (const Growth& growth : all) {
        if (growth.client == client) {
            return growth.factor;
        }
    }
    return 1;
}

/// One kind of quota of one model in one Region.
struct Sum {
    std::vector<double> parts;  // of clients, grown
    double clients = 0;
    double account = 0;  // CloudWatch's highest minute, of all programs
    std::optional<std::uint64_t> limit;

    double base() const { return std::max(clients, account); }
    std::uint64_t wanted() const { return recommended(base()); }
};

std::string arithmetic(const Sum& sum, std::string_view unit) {
    std::string text;
    if (sum.base() <= 0) {
        return "";
    }
    if (sum.clients >= sum.account) {
        for (std::size_t i = 0; i < std::min(sum.parts.size(), kMostParts); ++i) {
            text += (i == 0 ? "" : " + ") + grouped(sum.parts[i]);
        }
        text += sum.parts.size() > kMostParts ? " + ..." : "";
        text += sum.parts.size() > 1 ? " = " + grouped(sum.clients) : "";
        text += fmt::format(" {} a minute when all peak at once", unit);
    } else {
        text = fmt::format("{} {} in the account's highest minute, more than weir's clients ({})",
                           grouped(sum.account), unit, grouped(sum.clients));
    }
    text += fmt::format("; x {} is {:.1f}: {}", plan::kQuotaMargin, plan::kQuotaMargin * sum.base(),
                        grouped(double(sum.wanted())));
    if (sum.limit) {
        text += *sum.limit >= sum.wanted()
                    ? fmt::format("; the quota of {} is enough", grouped(double(*sum.limit)))
                    : fmt::format("; the quota is {}: ask for {}", grouped(double(*sum.limit)),
                                  grouped(double(sum.wanted())));
    }
    return text;
}

Json sum_json(const Sum& sum) {
    return {{"clients", sum.clients},
            {"account", sum.account},
            {"margin", plan::kQuotaMargin},
            {"recommended", sum.wanted()},
            {"quota", sum.limit ? Json(*sum.limit) : Json()}};
}

struct Group {
    std::string region;
    std::string model;
    std::vector<ClientPeaks> clients;
    const QuotaCase* known = nullptr;
    Sum requests;
    Sum tokens;
};

std::vector<Group> groups_of(const LogPeaks& peaks, const std::vector<QuotaCase>& cases,
                             const std::vector<Growth>& grow) {
    std::vector<Group> groups;
    const auto group = [&](const std::string& region, const std::string& model) -> Group& {
        for (Group& one : groups) {
            if (one.region == region && one.model == model) {
                return one;
            }
        }
        return groups.emplace_back(Group{region, model, {}, nullptr, {}, {}});
    };
    for (const ClientPeaks& client : peaks.clients) {
        Group& one = group(client.region, client.model);
        const double factor = factor_of(client.client, grow);
        one.clients.push_back(client);
        one.requests.parts.push_back(client.requests.value * factor);
        one.tokens.parts.push_back(client.tokens.value * factor);
        one.requests.clients += one.requests.parts.back();
        one.tokens.clients += one.tokens.parts.back();
    }
    for (const QuotaCase& known : cases) {
        Group& one = group(known.region, known.model);
        one.known = &known;
        one.requests.account = known.peak.requests;
        one.tokens.account = known.peak.tokens;
        one.requests.limit = known.allowed(aws::QuotaKind::requests_per_minute);
        one.tokens.limit = known.allowed(aws::QuotaKind::tokens_per_minute);
    }
    return groups;
}

/// What the file says where AWS was not asked or did not answer.
void fill_limits(std::vector<Group>& groups, const Config& config) {
    for (Group& group : groups) {
        for (const QuotaConfig& quota : config.quotas) {
            if ((quota.region.empty() || quota.region == group.region) && !quota.apart() &&
                std::ranges::find(quota.models, group.model) != quota.models.end()) {
                const auto fill = [](auto& limit, const auto& value) {
                    limit = limit ? limit : value;
                };
                fill(group.requests.limit, quota.requests_per_minute);
                fill(group.tokens.limit, quota.tokens_per_minute);
            }
        }
    }
}

std::string text_of_groups(const std::vector<Group>& groups, const std::vector<Growth>& grow) {
    std::string text;
    const auto add = [&text]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
        text += '\n';
    };
    for (const Group& group : groups) {
        add("{}  {}", group.region.empty() ? "(no target)" : group.region, group.model);
        for (const ClientPeaks& client : group.clients) {
            const double factor = factor_of(client.client, grow);
            add("  {:<20} requests {} at {}; tokens {} at {}{}",
                client.client.empty() ? "(unnamed)" : client.client, grouped(client.requests.value),
                minute_text(client.requests.at), grouped(client.tokens.value),
                minute_text(client.tokens.at),
                factor == 1 ? "" : fmt::format("; x {} expected", factor));
            if (client.throttled > 0) {
                add("  {:<20} {} of {} calls answered with 429, most in a minute {} at {}", "",
                    grouped(double(client.throttled)), grouped(double(client.calls)),
                    grouped(client.throttled_most.value), minute_text(client.throttled_most.at));
            }
        }
        if (group.known != nullptr && group.known->no_usage.empty()) {
            const aws::UsagePeak& peak = group.known->peak;
            add("  {:<20} requests {}; tokens {}; throttled {}", "all programs",
                peak.requests > 0 ? grouped(peak.requests) + " at " + minute_text(peak.requests_at)
                                  : "0",
                peak.tokens > 0 ? grouped(peak.tokens) + " at " + minute_text(peak.tokens_at) : "0",
                peak.throttled > 0
                    ? grouped(peak.throttled) + ", most in a minute " +
                          grouped(peak.most_throttled) + " at " + minute_text(peak.throttled_at)
                    : "none");
        } else if (group.known != nullptr) {
            add("  all programs: unknown: CloudWatch: {}", group.known->no_usage);
        }
        if (const std::string sum = arithmetic(group.requests, "requests"); !sum.empty()) {
            add("  requests: {}", sum);
        }
        if (const std::string sum = arithmetic(group.tokens, "tokens"); !sum.empty()) {
            add("  tokens: {}", sum);
        }
    }
    return text;
}

std::string json_of_groups(const std::vector<Group>& groups, int days) {
    Json rows = Json::array();
    for (const Group& group : groups) {
        Json clients = Json::array();
        for (const ClientPeaks& client : group.clients) {
            clients.push_back({{"client", client.client},
                               {"calls", client.calls},
                               {"throttled", client.throttled},
                               {"requests", client.requests.value},
                               {"requests_at", minute_text(client.requests.at)},
                               {"tokens", client.tokens.value},
                               {"tokens_at", minute_text(client.tokens.at)}});
        }
        Json row{{"region", group.region},
                 {"model", group.model},
                 {"clients", clients},
                 {"requests_per_minute", sum_json(group.requests)},
                 {"tokens_per_minute", sum_json(group.tokens)}};
        if (group.known != nullptr && group.known->no_usage.empty()) {
            row["throttled"] = group.known->peak.throttled;
        }
        rows.push_back(std::move(row));
    }
    return Json{{"days", days}, {"models", rows}}.dump(2) + "\n";
}

}  // namespace

int run_quotas_analyze(const QuotasOptions& options, const Getenv& getenv, std::ostream& out,
                       std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    const auto grow = growths(options.grow, err);
    if (!access || !grow) {
        return 2;
    }
    const auto now = aws::unix_now();
    if (!account_is_known(access->config(), options.account, err)) {
        return 2;
    }
    const std::string account(plain_account(options.account));
    LogPeaks peaks;
    if (!options.log.empty()) {
        std::ifstream file(options.log);
        if (!file) {
            err << "weir quotas analyze: " << options.log << " cannot be read\n";
            return 2;
        }
        peaks = log_peaks(file, access->config(), now - std::int64_t{options.days} * 86'400,
                          now + 60, account);
        if (peaks.unread > 0) {
            err << "weir quotas analyze: " << peaks.unread << " of " << peaks.lines
                << " lines are not of weir's access log and were left out\n";
        }
        const std::string_view model =
            strip_arn(policy::without_alias(access->config(), options.model));
        const auto other = [&](const ClientPeaks& one) {
            return (!options.region.empty() && one.region != options.region) ||
                   (!model.empty() && one.model != model);
        };
        std::erase_if(peaks.clients, other);
    }
    std::vector<QuotaCase> cases;
    if (!options.offline) {
        cases = read_cases(*access,
                           {options.model, options.region, options.days, now / 60 * 60, account});
    }
    auto groups = groups_of(peaks, cases, *grow);
    fill_limits(groups, access->config());
    if (groups.empty()) {
        err << "weir quotas analyze: nothing to look at: no calls in the log, and no model in the "
               "configuration or in CloudWatch\n";
        return 1;
    }
    out << (options.json ? json_of_groups(groups, options.days) : text_of_groups(groups, *grow));
    return 0;
}

}  // namespace weir::cli
