#include "bedrock/prices.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace weir::bedrock {

namespace {

constexpr std::size_t kColumns = 11;
constexpr std::string_view kDate = "# date ";
constexpr std::string_view kGovCloud = "us-gov-";

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

auto key(const PriceRow& row) {
    return std::tie(row.model, row.region, row.endpoint, row.tier, row.above);
}

/// False: a column says what none may.
bool read_rate(std::string_view text, std::optional<PicoDollars>& rate) {
    rate = parse_price(text);
    return rate.has_value() || text.empty();
}

std::optional<PriceRow> row_of(std::string_view line) {
    std::array<std::string_view, kColumns> columns;
    for (std::size_t i = 0; i < kColumns; ++i) {
        const std::size_t comma = line.find(',');
        columns.at(i) = line.substr(0, comma);
        if ((comma == std::string_view::npos) != (i + 1 == kColumns)) {
            return std::nullopt;
        }
        line.remove_prefix(std::min(line.size(), columns.at(i).size() + 1));
    }
    const auto& [model, region, endpoint, tier, above, input, output, cache_read, cache_write,
                 cache_write_1h, source] = columns;
    PriceRow row;
    row.model = model;
    row.region = region;
    row.endpoint = endpoint == "mantle" ? Endpoint::mantle : Endpoint::runtime;
    row.tier = tier == "priority" ? Tier::priority : tier == "flex" ? Tier::flex : Tier::standard;
    row.above = above.empty() ? 0 : number(above).value_or(0);
    row.source = source;
    const bool good = !model.empty() && endpoint == to_string(row.endpoint) &&
                      tier == to_string(row.tier) && above.empty() == (row.above == 0) &&
                      read_rate(input, row.rates.input) && read_rate(output, row.rates.output) &&
                      read_rate(cache_read, row.rates.cache_read) &&
                      read_rate(cache_write, row.rates.cache_write) &&
                      read_rate(cache_write_1h, row.rates.cache_write_1h) && row.rates != Rates() &&
                      !source.empty();
    return good ? std::optional(row) : std::nullopt;
}

struct Table {
    std::vector<PriceRow> rows;
    PriceTable table;
    std::unordered_map<std::string_view, std::span<const PriceRow>> by_model;

    Table() {
        std::string_view text = prices_csv();
        while (!text.empty()) {
            const std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            if (line.starts_with(kDate)) {
                table.date = line.substr(kDate.size());
            } else if (const auto row = row_of(line)) {
                rows.push_back(*row);
            }
        }
        std::ranges::sort(rows, {}, key);
        table.rows = rows;
        for (auto first = rows.cbegin(); first != rows.cend();) {
            const auto end = std::find_if(
                first, rows.cend(), [&](const PriceRow& row) { return row.model != first->model; });
            by_model.emplace(first->model, std::span(first, end));
            first = end;
        }
    }
};

const Table& read_once() {
    static const Table table;
    return table;
}

}  // namespace

std::optional<PicoDollars> parse_price(std::string_view dollars) {
    constexpr std::size_t kDigits = 6;   // behind the point
    constexpr std::size_t kLongest = 9;  // before it
    const std::size_t point = dollars.find('.');
    const std::string_view whole = dollars.substr(0, point);
    const std::string_view part =
        point == std::string_view::npos ? std::string_view() : dollars.substr(point + 1);
    if (whole.size() > kLongest || part.size() > kDigits ||
        (point != std::string_view::npos && part.empty())) {
        return std::nullopt;
    }
    const auto dollars_read = number(whole);
    auto rest = part.empty() ? std::optional<std::uint64_t>(0) : number(part);
    if (!dollars_read || !rest) {
        return std::nullopt;
    }
    for (std::size_t i = part.size(); i < kDigits; ++i) {
        *rest *= 10;
    }
    return *dollars_read * 1'000'000 + *rest;
}

const PriceTable& builtin_prices() {
    return read_once().table;
}

const PriceRow* builtin_price(std::string_view model, const Target& target,
                              std::uint64_t input_tokens) {
    const auto& by_model = read_once().by_model;
    const auto of_model = by_model.find(model);
    if (of_model == by_model.end()) {
        return nullptr;
    }
    const auto here = [&](const PriceRow& row) {
        return row.endpoint == target.endpoint && row.region == target.region;
    };
    std::string_view region;
    if (std::ranges::any_of(of_model->second, here)) {
        region = target.region;
    } else if (target.region.starts_with(kGovCloud) && !model.starts_with("us-gov.")) {
        return nullptr;  // its prices are others
    }
    const Tier tier = target.tier == Tier::unset ? Tier::standard : target.tier;
    const PriceRow* found = nullptr;
    std::uint64_t step = 0;  // at which the default tier's price changes
    for (const PriceRow& row : of_model->second) {
        if (row.endpoint != target.endpoint || row.region != region ||
            (row.above > 0 && input_tokens <= row.above)) {
            continue;
        }
        if (row.tier == tier) {
            found = &row;
        }
        if (row.tier == Tier::standard) {
            step = std::max(step, row.above);
        }
    }
    return found != nullptr && found->above >= step ? found : nullptr;
}

}  // namespace weir::bedrock
