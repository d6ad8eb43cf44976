// `weir quotas request`: an increase with its reasons, asked for once and followed.
#include "aws/json_read.h"
#include "aws/text.h"
#include "cli/quota_cases.h"
#include "cli/quotas_command.h"
#include "codec/hex.h"
#include "observe/figures.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <istream>
#include <ostream>
#include <thread>

namespace weir::cli {
namespace {

using Json = nlohmann::json;
using observe::figure;
using observe::grouped;

constexpr std::chrono::seconds kFollowEvery(2);

bool is_open(const std::string& status) {
    return status == "PENDING" || status == "CASE_OPENED";
}

struct QuotaRequest {
    std::string id;
    std::string status;
    std::string case_id;
    double value = 0;
};

QuotaRequest asked_of(const Json& item) {
    constexpr std::size_t kShort = 200;
    return {aws::text_of(item, "Id", kShort), aws::text_of(item, "Status", kShort),
            aws::text_of(item, "CaseId", kShort), aws::number_of(item, "DesiredValue").value_or(0)};
}

class Request {
public:
    Request(AwsAccess& access, const QuotaCase& one, aws::QuotaKind kind, std::uint64_t wanted,
            const QuotasOptions& options, std::ostream& out, std::ostream& err)
        : access_(access),
          case_(one),
          kind_(kind),
          line_(one.line(kind)),
          wanted_(wanted),
          options_(options),
          out_(out),
          err_(err) {}

    int run(std::istream& in) {
        if (const std::string why = refusal(); !why.empty()) {
            err_ << "weir quotas request: " << why << '\n';
            return 1;
        }
        show();
        if (options_.dry_run) {
            out_ << "Dry run: nothing was asked for.\n";
            return 0;
        }
        if (!options_.yes && !consents("Ask AWS for it?", in, out_)) {
            out_ << "Nothing was asked for.\n";
            return 1;
        }
        return submit();
    }

private:
    aws::ApiPlace place() const { return {aws::ApiService::service_quotas, case_.region}; }

    /// What the service would refuse, and why; empty: nothing.
    std::string refusal() {
        const std::string what =
            fmt::format("{} of {} in {}", to_string(kind_), case_.model, case_.region);
        if (!case_.no_quotas.empty()) {
            return "Service Quotas: " + case_.no_quotas;
        }
        if (!line_) {
            return what + ": Service Quotas lists no such quota";
        }
        if (!line_->adjustable) {
            return what + " (" + line_->code +
                   ") is not adjustable by Service Quotas; `weir quotas case " + case_.model +
                   "` writes a support case";
        }
        if (line_->standard && wanted_ <= *line_->standard) {
            return fmt::format(
                "{}: Service Quotas takes only values above AWS's default of {}{}", what,
                figure(*line_->standard),
                line_->applied && *line_->applied < *line_->standard
                    ? fmt::format(". The {} applied are less than that: only a support case "
                                  "restores them, `weir quotas case {}` writes it",
                                  figure(*line_->applied), case_.model)
                    : "");
        }
        if (wanted_ <= line_->value().value_or(0)) {
            return fmt::format("{}: {} are applied already", what, figure(*line_->value()));
        }
        if (is_legacy()) {
            return case_.model + " is a legacy model, whose quotas AWS does not raise";
        }
        if (const auto open = open_request()) {
            return fmt::format("{}: an increase to {} is {} already (request {})", what,
                               grouped(open->value), open->status, open->id);
        }
        return "";
    }

    /// Of models that Bedrock does not tell, the service is the judge.
    bool is_legacy() {
        const std::string id(split_model(case_.model).base);
        const auto answer = access_.api(case_.region, case_.account)
                                .rest({aws::ApiService::bedrock, case_.region,
                                       access_.control_endpoint(case_.region)},
                                      "GET", "/foundation-models/" + codec::percent_encoded(id),
                                      nullptr, access_.stop());
        return answer &&
               aws::text_of(aws::member(aws::member(*answer, "modelDetails"), "modelLifecycle"),
                            "status") == "LEGACY";
    }

    std::vector<QuotaRequest> history() {
        std::vector<QuotaRequest> all;
        const auto answer =
            access_.api(case_.region, case_.account)
                .json(place(), "ListRequestedServiceQuotaChangeHistoryByQuota",
                      {{"ServiceCode", "bedrock"}, {"QuotaCode", line_->code}}, access_.stop());
        if (answer) {
            const Json& items = aws::member(*answer, "RequestedQuotas");
            for (std::size_t i = 0; items.is_array() && i < items.size(); ++i) {
                all.push_back(asked_of(items[i]));
            }
        }
        return all;
    }

    std::optional<QuotaRequest> open_request() {
        for (QuotaRequest& one : history()) {
            if (is_open(one.status)) {
                return std::move(one);
            }
        }
        return std::nullopt;
    }

    void show() {
        out_ << fmt::format("{} ({})\n  in {}\n", line_->full_name, line_->code, case_.region);
        out_ << fmt::format("  applied      {}\n  AWS default  {}\n  asked for    {}\n",
                            figure(line_->value().value_or(0)),
                            line_->standard ? figure(*line_->standard) : "unknown",
                            figure(wanted_));
        if (!case_.no_usage.empty()) {
            out_ << "  use          unknown: CloudWatch: " << case_.no_usage << '\n';
            return;
        }
        const double used = case_.used(kind_);
        out_ << fmt::format("  peak         {} in a minute of the last {} days; left {}\n",
                            grouped(used), options_.days,
                            head_room(used, line_->value().value_or(0)));
        if (case_.peak.throttled > 0) {
            out_ << fmt::format("  throttled    {} calls\n", grouped(case_.peak.throttled));
        }
        if (const std::uint64_t enough = recommended(used); enough > 0 && enough < wanted_ / 2) {
            out_ << fmt::format(
                "  Note: the peak calls for about {}. AWS prefers accounts that "
                "use what they have.\n",
                figure(enough));
        }
    }

    int submit() {
        const auto answer = access_.api(case_.region, case_.account)
                                .json(place(), "RequestServiceQuotaIncrease",
                                      {{"ServiceCode", "bedrock"},
                                       {"QuotaCode", line_->code},
                                       {"DesiredValue", static_cast<double>(wanted_)}},
                                      access_.stop());
        if (!answer) {
            err_ << "weir quotas request: " << answer.error().text() << '\n';
            return 1;
        }
        QuotaRequest mine = asked_of(aws::member(*answer, "RequestedQuota"));
        tell(mine);
        return follow(mine);
    }

    void tell(const QuotaRequest& one) {
        out_ << fmt::format("Request {}: {}{}\n", one.id, one.status,
                            one.case_id.empty() ? "" : ", support case " + one.case_id);
    }

    int follow(QuotaRequest mine) {
        const auto patience = parse_duration(options_.wait).value_or(Duration::zero());
        const auto until = std::chrono::steady_clock::now() + patience;
        while (is_open(mine.status) && std::chrono::steady_clock::now() + kFollowEvery < until) {
            std::this_thread::sleep_for(kFollowEvery);
            for (const QuotaRequest& one : history()) {
                if (one.id == mine.id && one.status != mine.status) {
                    mine = one;
                    tell(mine);
                }
            }
        }
        if (is_open(mine.status)) {
            out_ << "AWS decides within hours to days. A running weir takes the new limit over by "
                    "itself.\n";
            return 0;
        }
        return mine.status == "APPROVED" || mine.status == "CASE_CLOSED" ? 0 : 1;
    }

    AwsAccess& access_;
    const QuotaCase& case_;
    aws::QuotaKind kind_;
    const std::optional<aws::QuotaLine>& line_;
    std::uint64_t wanted_;
    const QuotasOptions& options_;
    std::ostream& out_;
    std::ostream& err_;
};

}  // namespace

int run_quotas_request(const QuotasOptions& options, const Getenv& getenv, std::istream& in,
                       std::ostream& out, std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return 2;
    }
    if (options.tokens_per_minute.has_value() == options.requests_per_minute.has_value()) {
        err << "weir quotas request: one of --tokens-per-minute and --requests-per-minute is "
               "needed\n";
        return 2;
    }
    if (!parse_duration(options.wait)) {
        err << "weir quotas request: --wait " << options.wait << ": "
            << parse_duration(options.wait).error().message << '\n';
        return 2;
    }
    const auto now = aws::unix_now();
    if (!account_is_known(access->config(), options.account, err)) {
        return 2;
    }
    const auto cases =
        read_cases(*access, {options.model, options.region, options.days, now / 60 * 60,
                             std::string(plain_account(options.account))});
    if (cases.size() != 1) {
        err << "weir quotas request: " << options.model
            << (cases.empty() ? " is in no Region: name one with --region\n"
                              : " is in several Regions, each with a quota of its own: name one "
                                "with --region\n");
        return 2;
    }
    const auto kind = options.tokens_per_minute ? aws::QuotaKind::tokens_per_minute
                                                : aws::QuotaKind::requests_per_minute;
    const std::uint64_t wanted =
        options.tokens_per_minute ? *options.tokens_per_minute : *options.requests_per_minute;
    return Request(*access, cases.front(), kind, wanted, options, out, err).run(in);
}

}  // namespace weir::cli
