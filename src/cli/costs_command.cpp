#include "cli/costs_command.h"

#include "cli/costs_prices.h"
#include "cli/text_table.h"
#include "gateway/cost_file.h"
#include "gateway/costs_reply.h"
#include "observe/figures.h"
#include "observe/ledger_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <expected>
#include <filesystem>
#include <ostream>
#include <system_error>
#include <vector>

namespace weir::cli {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kLineEnd = "\r\n";

std::uint64_t count(const OrderedJson& object, std::string_view name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string word(const OrderedJson& object, std::string_view name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const OrderedJson& part(const OrderedJson& object, std::string_view name) {
    static const OrderedJson kNone = OrderedJson::object();
    const auto found = object.find(name);
    return found == object.end() ? kNone : *found;
}

using observe::figure;

std::string tokens(const OrderedJson& row, std::string_view name) {
    return figure(count(row, name));
}

/// Tokens without a price make a sum a lower bound, or unknown.
bool lacks_prices(const OrderedJson& row) {
    return count(row, "unpriced_tokens") > 0 || count(row, "without_usage") > 0;
}

bool has_cost(const OrderedJson& row) {
    return count(row, "cost_nanodollars") > 0 || !lacks_prices(row);
}

std::string money(const OrderedJson& row) {
    if (!has_cost(row)) {
        return "unknown";
    }
    return (lacks_prices(row) ? "over " : "") +
           observe::dollars_text(count(row, "cost_nanodollars"));
}

std::vector<std::string> figures_of(const OrderedJson& row) {
    return {tokens(row, "requests"),    tokens(row, "input"),  tokens(row, "cache_read"),
            tokens(row, "cache_write"), tokens(row, "output"), money(row)};
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

std::string calls(std::uint64_t number) {
    return figure(number) + (number == 1 ? " call" : " calls");
}

std::string unknown_text(const OrderedJson& costs) {
    std::string text;
    for (const OrderedJson& row : part(costs, "unpriced")) {
        text +=
            fmt::format("{} of {} in {} (account {}) have no price for {} tokens: set `prices`\n",
                        calls(count(row, "requests")), word(row, "model"), word(row, "region"),
                        word(row, "account"), figure(count(row, "tokens")));
    }
    if (const auto silent = count(part(costs, "total"), "without_usage"); silent > 0) {
        text += calls(silent) + " told no usage: their tokens and costs are not known\n";
    }
    return text.empty() ? text : "\n" + text;
}

std::string saved_text(const OrderedJson& costs) {
    const OrderedJson& saved = part(costs, "saved");
    const OrderedJson& refusals = part(saved, "refusals_avoided");
    const OrderedJson& moved = part(saved, "calls_saved_by_failover");
    const OrderedJson& held = part(saved, "tokens_not_held");
    return fmt::format(
        "\nSaved by weir\n"
        "  {} answered although they waited or an attempt failed. A client's own retries might\n"
        "  have brought some of them through.\n"
        "  {} answered by a later target of the route, {} of them counted above, too.\n"
        "  {} quota tokens not held for answers that did not need them ({} token-seconds). Held\n"
        "  quota costs no money; {} tokens were paid for again, in the costs above, because an\n"
        "  answer was cut short.\n",
        calls(count(refusals, "requests")), calls(count(moved, "requests")),
        figure(count(moved, "of_those_refusals_avoided")), figure(count(held, "quota_tokens")),
        figure(count(held, "quota_token_seconds")), figure(count(held, "tokens_paid_again")));
}

int print_prices(const CostsOptions& options, const Getenv& getenv, std::ostream& out,
                 std::ostream& err) {
    const LoadedConfig loaded = load_config(options.admin.config, getenv, NamedFiles::ignored);
    if (!loaded.complaints.empty()) {
        for (const Complaint& complaint : loaded.complaints) {
            err << "weir costs: " << to_string(complaint) << '\n';
        }
        return 2;
    }
    const OrderedJson prices = prices_json(loaded.config);
    out << (options.json  ? prices.dump(2) + "\n"
            : options.csv ? prices_csv(prices)
                          : prices_text(prices));
    return 0;
}

/// What the gateway would answer from this file.
std::expected<OrderedJson, int> read_file(const CostsOptions& options, const std::string& query,
                                          std::ostream& err) {
    std::error_code gone;
    if (!std::filesystem::exists(options.file, gone)) {
        err << "weir costs: " << options.file << ": there is no such file\n";
        return std::unexpected(1);
    }
    const auto days = gateway::read_costs(options.file);
    if (!days) {
        err << "weir costs: " << options.file << ": " << days.error().message << '\n';
        return std::unexpected(1);
    }
    const auto reply = gateway::costs_reply(*days, query, std::time(nullptr));
    if (!reply.good) {
        err << reply.text << '\n';
        return std::unexpected(2);
    }
    return OrderedJson::parse(reply.text);
}

}  // namespace

std::string csv_field(std::string_view text) {
    constexpr std::string_view kFormula = "=+-@\t\r";
    std::string field(text);
    if (!field.empty() && kFormula.find(field.front()) != std::string_view::npos) {
        field.insert(0, "'");
    }
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
        return field;
    }
    std::string quoted = "\"";
    for (const char c : field) {
        quoted += c;
        if (c == '"') {
            quoted += c;
        }
    }
    return quoted + "\"";
}

std::string costs_csv(const OrderedJson& costs) {
    std::string text;
    std::vector<std::string> names;
    for (const OrderedJson& name : part(costs, "by")) {
        names.push_back(name.is_string() ? name.get<std::string>() : std::string());
        text += csv_field(names.back()) + ",";
    }
    for (const observe::CostField& field : observe::kCostFields) {
        text += std::string(field.name) + ",";
    }
    text += "cost_usd";
    text += kLineEnd;
    for (const OrderedJson& row : part(costs, "rows")) {
        for (const std::string& name : names) {
            text += csv_field(word(row, name)) + ",";
        }
        for (const observe::CostField& field : observe::kCostFields) {
            text += std::to_string(count(row, field.name)) + ",";
        }
        text += has_cost(row) ? observe::dollars_text(count(row, "cost_nanodollars")) : "";
        text += kLineEnd;
    }
    return text;
}

std::string costs_text(const OrderedJson& costs) {
    const OrderedJson& rows = part(costs, "rows");
    if (rows.empty()) {
        return "No calls since " + word(costs, "since") + ".\n";
    }
    std::vector<std::vector<std::string>> table(1);
    std::vector<std::string> names;
    for (const OrderedJson& name : part(costs, "by")) {
        names.push_back(name.is_string() ? name.get<std::string>() : std::string());
        table[0].push_back(upper(names.back()));
    }
    for (const char* head : {"CALLS", "INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "US$"}) {
        table[0].emplace_back(head);
    }
    for (const OrderedJson& row : rows) {
        std::vector<std::string> cells;
        for (const std::string& name : names) {
            const std::string cell = word(row, name);
            cells.push_back(cell.empty() ? "-" : cell);
        }
        std::ranges::copy(figures_of(row), std::back_inserter(cells));
        table.push_back(std::move(cells));
    }
    std::vector<std::string> sum(names.size());
    if (!sum.empty()) {
        sum[0] = "total";
    }
    std::ranges::copy(figures_of(part(costs, "total")), std::back_inserter(sum));
    table.push_back(std::move(sum));
    std::string text = "Since " + word(costs, "since") + " (UTC), prices of " +
                       word(costs, "prices_date") + ": `weir costs --prices`\n\n";
    return text + text_table(table, names.size()) + unknown_text(costs) + saved_text(costs);
}

int run_costs(const CostsOptions& options, const Getenv& getenv, std::ostream& out,
              std::ostream& err) {
    if (options.prices) {
        return print_prices(options, getenv, out, err);
    }
    if (const auto query =
            observe::costs_query(options.since, options.by, observe::day_of(std::time(nullptr)));
        !query) {
        err << "weir costs: --" << query.error().message << '\n';
        return 2;
    }
    const std::string query = "since=" + options.since + "&by=" + options.by;
    const auto costs = options.file.empty() ? read_admin(options.admin, {.path = "/costs?" + query},
                                                         "weir costs", getenv, err)
                                            : read_file(options, query, err);
    if (!costs) {
        return costs.error();
    }
    out << (options.json  ? costs->dump(2) + "\n"
            : options.csv ? costs_csv(*costs)
                          : costs_text(*costs));
    return 0;
}

}  // namespace weir::cli
