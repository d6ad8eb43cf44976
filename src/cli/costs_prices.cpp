#include "cli/costs_prices.h"

#include "bedrock/prices.h"
#include "cli/costs_command.h"
#include "cli/text_table.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

namespace weir::cli {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array<std::string_view, 11> kPriceColumns{
    "model", "region", "account",    "endpoint",    "tier",          "above",
    "input", "output", "cache_read", "cache_write", "cache_write_1h"};
constexpr double kPicoOfDollar = 1e6;  // for a million tokens

OrderedJson any(std::string_view text) {
    return text.empty() ? OrderedJson() : OrderedJson(text);
}

OrderedJson dollars(const std::optional<bedrock::PicoDollars>& rate) {
    return rate ? OrderedJson(static_cast<double>(*rate) / kPicoOfDollar) : OrderedJson();
}

OrderedJson number(const std::optional<double>& value) {
    return value ? OrderedJson(*value) : OrderedJson();
}

std::string cell(const OrderedJson& row, std::string_view name) {
    const auto found = row.find(name);
    if (found == row.end() || found->is_null()) {
        return "";
    }
    return found->is_string()           ? found->get<std::string>()
           : found->is_number_integer() ? std::to_string(found->get<std::uint64_t>())
                                        : fmt::format("{:.6g}", found->get<double>());
}

}  // namespace

OrderedJson prices_json(const Config& config) {
    OrderedJson rows = OrderedJson::array();
    for (std::size_t i = 0; i < config.prices.size(); ++i) {
        const PriceConfig& price = config.prices[i];
        for (const std::string& model : price.models) {
            rows.push_back({{"model", model},
                            {"region", any(price.region)},
                            {"account", any(price.account)},
                            {"endpoint", nullptr},
                            {"tier", any(to_string(price.tier))},
                            {"above", nullptr},
                            {"input", number(price.input)},
                            {"output", number(price.output)},
                            {"cache_read", number(price.cache_read)},
                            {"cache_write", number(price.cache_write)},
                            {"cache_write_1h", number(price.cache_write_1h)},
                            {"source", "prices[" + std::to_string(i) + "]"},
                            {"date", nullptr}});
        }
    }
    const bedrock::PriceTable& table = bedrock::builtin_prices();
    for (const bedrock::PriceRow& row : table.rows) {
        rows.push_back({{"model", row.model},
                        {"region", any(row.region)},
                        {"account", nullptr},
                        {"endpoint", to_string(row.endpoint)},
                        {"tier", to_string(row.tier)},
                        {"above", row.above == 0 ? OrderedJson() : OrderedJson(row.above)},
                        {"input", dollars(row.rates.input)},
                        {"output", dollars(row.rates.output)},
                        {"cache_read", dollars(row.rates.cache_read)},
                        {"cache_write", dollars(row.rates.cache_write)},
                        {"cache_write_1h", dollars(row.rates.cache_write_1h)},
                        {"source", row.source},
                        {"date", table.date}});
    }
    return {{"unit", "US dollars for a million tokens; null: any, or unknown"},
            {"date", table.date},
            {"prices", std::move(rows)}};
}

std::string prices_text(const OrderedJson& prices) {
    std::vector<std::vector<std::string>> table{{"MODEL", "REGION", "ACCOUNT", "ENDPOINT", "TIER",
                                                 "SOURCE", "ABOVE", "INPUT", "OUTPUT", "CACHE READ",
                                                 "CACHE WRITE", "FOR 1H"}};
    constexpr std::size_t kNames = 6;
    for (const OrderedJson& row : prices["prices"]) {
        std::vector<std::string> cells;
        for (const char* name : {"model", "region", "account", "endpoint", "tier", "source"}) {
            const std::string text = cell(row, name);
            cells.push_back(text.empty() ? "any" : text);
        }
        cells.push_back(cell(row, "above"));
        for (const char* name :
             {"input", "output", "cache_read", "cache_write", "cache_write_1h"}) {
            const std::string text = cell(row, name);
            cells.push_back(text.empty() ? "?" : text);
        }
        table.push_back(std::move(cells));
    }
    return "US dollars for a million tokens, as of " + prices["date"].get<std::string>() +
           "; ? is unknown. `prices` come first, then rows of a Region, then those of any. ABOVE: "
           "for calls with more tokens of input.\n"
           "The built-in figures are copies of AWS's lists, not AWS's own pages: compare them with "
           "your bill.\n\n" +
           text_table(table, kNames);
}

std::string prices_csv(const OrderedJson& prices) {
    std::string text;
    for (const std::string_view column : kPriceColumns) {
        text += std::string(column) + ",";
    }
    text += "source,date\r\n";
    for (const OrderedJson& row : prices["prices"]) {
        for (const std::string_view column : kPriceColumns) {
            text += csv_field(cell(row, column)) + ",";
        }
        text += csv_field(cell(row, "source")) + "," + csv_field(cell(row, "date")) + "\r\n";
    }
    return text;
}

}  // namespace weir::cli
