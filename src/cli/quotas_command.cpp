#include "cli/quotas_command.h"

#include "aws/text.h"
#include "cli/quota_cases.h"

#include <chrono>
#include <ostream>

namespace weir::cli {
namespace {

CaseSearch search_of(const QuotasOptions& options) {
    // Whole minutes, as CloudWatch has them.
    return {options.model, options.region, options.days, aws::unix_now() / 60 * 60,
            std::string(plain_account(options.account))};
}

/// Did AWS answer anything at all?
int judged(const std::vector<QuotaCase>& cases, std::ostream& err) {
    if (cases.empty()) {
        err << "weir quotas: no model in any Region: the configuration names none and CloudWatch "
               "knows none in use; name one: weir quotas --model ID --region REGION\n";
        return 1;
    }
    for (const QuotaCase& one : cases) {
        if (one.no_quotas.empty() || one.no_usage.empty()) {
            return 0;
        }
    }
    err << "weir quotas: AWS gave nothing: " << cases.front().no_quotas
        << "\n`weir iam-policy` prints the permissions that it needs\n";
    return 1;
}

}  // namespace

int run_quotas(const QuotasOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return 2;
    }
    if (!account_is_known(access->config(), options.account, err)) {
        return 2;
    }
    CaseSearch search = search_of(options);
    if (options.account.empty()) {
        search.account.reset();
    }
    const auto cases = read_cases(*access, search);
    if (options.json) {
        out << cases_json(cases, options.days);
    } else if (!cases.empty()) {
        out << cases_text(cases, options.days);
    }
    return judged(cases, err);
}

int run_quotas_case(const QuotasOptions& options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return 2;
    }
    if (!account_is_known(access->config(), options.account, err)) {
        return 2;
    }
    const CaseSearch search = search_of(options);
    const auto cases = read_cases(*access, search);
    const int code = judged(cases, err);
    for (const QuotaCase& one : code == 0 ? cases : std::vector<QuotaCase>()) {
        out << case_markdown(one, search);
    }
    return code;
}

}  // namespace weir::cli
