#include "observe/ledger_text.h"

#include <algorithm>
#include <charconv>

namespace weir::observe {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::size_t kLongestName = 512;
constexpr std::size_t kMostDays = 4'000;
constexpr Day kLongestSince = 3'660;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json rows_json(const LedgerDay& day) {
    Json rows = Json::array();
    for (const auto& [names, costs] : day.rows()) {
        Json row = Json::array();
        for (const std::string& name : names) {
            row.push_back(name);
        }
        for (const CostField& field : kCostFields) {
            row.push_back(costs.*field.value);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

/// Where the file has each field; those it does not have count as 0.
Result<std::vector<std::uint64_t Costs::*>> columns_of(const Json& file) {
    std::vector<std::uint64_t Costs::*> columns;
    const auto fields = file.find("fields");
    if (fields == file.end() || !fields->is_array()) {
        return failure("it has no `fields`");
    }
    for (const Json& name : *fields) {
        const auto known = std::ranges::find_if(kCostFields, [&](const CostField& field) {
            return name.is_string() && name.get_ref<const std::string&>() == field.name;
        });
        columns.push_back(known == kCostFields.end() ? nullptr : known->value);
    }
    return columns;
}

std::string name_of(const Json& file) {
    constexpr std::size_t kLongest = 64;
    const auto name = file.find("name");
    if (name == file.end() || !name->is_string()) {
        return {};
    }
    const auto& text = name->get_ref<const std::string&>();
    const bool good = text.size() <= kLongest && std::ranges::all_of(text, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                      });
    return good ? text : std::string();
}

bool put_row(LedgerDay& day, const Json& row, const std::vector<std::uint64_t Costs::*>& columns) {
    OwnCostNames names;
    Costs costs;
    if (!row.is_array() || row.size() != names.size() + columns.size()) {
        return false;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!row[i].is_string() || row[i].get_ref<const std::string&>().size() > kLongestName) {
            return false;
        }
        names[i] = row[i].get<std::string>();
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const Json& number = row[names.size() + i];
        if (!number.is_number_unsigned()) {
            return false;
        }
        if (columns[i] != nullptr) {
            costs.*columns[i] = number.get<std::uint64_t>();
        }
    }
    day.put(names, costs);
    return true;
}

Json fields_json(const Costs& costs) {
    Json json;
    for (const CostField& field : kCostFields) {
        json[field.name] = costs.*field.value;
    }
    // Unknown is not zero.
    if (costs.cost == 0 && (costs.unpriced_tokens > 0 || costs.without_usage > 0)) {
        json["cost_usd"] = nullptr;
    } else {
        json["cost_usd"] = static_cast<double>(costs.cost) / kNanoOfDollar;
    }
    return json;
}

Json rows_json(const LedgerDays& days, const CostsQuery& query) {
    Json rows = Json::array();
    for (const CostRow& row : rows_of(days, query.from, query.to, query.by)) {
        Json one;
        for (std::size_t i = 0; i < query.by.size(); ++i) {
            one[to_string(query.by[i])] = row.names[i];
        }
        one.update(fields_json(row.costs));
        rows.push_back(std::move(one));
    }
    return rows;
}

/// What `prices` would have to name.
Json unpriced_json(const LedgerDays& days, const CostsQuery& query) {
    const std::vector<CostGroup> by{
        {.name = CostName::model}, {.name = CostName::region}, {.name = CostName::account}};
    Json rows = Json::array();
    for (const CostRow& row : rows_of(days, query.from, query.to, by)) {
        if (row.costs.unpriced > 0) {
            rows.push_back({{"model", row.names[0]},
                            {"region", row.names[1]},
                            {"account", row.names[2]},
                            {"requests", row.costs.unpriced},
                            {"tokens", row.costs.unpriced_tokens}});
        }
    }
    return rows;
}

Json saved_json(const Costs& all) {
    return {
        {"refusals_avoided",
         {{"requests", all.rescued},
          {"how",
           "requests answered with success although they waited more than 0.1 s in weir or an "
           "attempt of theirs had failed; as weir_rescued_total"},
          {"not_claimed",
           "that each of them would have failed without weir: a client's own retries might have "
           "brought some of them through"}}},
        {"calls_saved_by_failover",
         {{"requests", all.elsewhere},
          {"of_those_refusals_avoided", all.rescued_elsewhere},
          {"how", "requests answered with success by a later target of their route"},
          {"not_claimed",
           "that the first target would have refused all of them: some were moved because it had "
           "no room in time. The two counts overlap by of_those_refusals_avoided"}}},
        {"tokens_not_held",
         {{"quota_tokens", all.unheld},
          {"quota_token_seconds", all.unheld_seconds},
          {"tokens_paid_again", all.paid_again},
          {"how",
           "for each answer that a right-sized max_tokens was enough for: the caller's max_tokens "
           "(or the model's maximum, where that is less) less the one sent, in quota tokens, at "
           "most what the quota had left; and that number times the seconds of the attempt"},
          {"not_claimed",
           "money: held quota costs nothing. tokens_paid_again is the price of it: tokens of "
           "answers that were cut short and asked for again, which the costs include"}}},
    };
}

}  // namespace

std::string ledger_text(const LedgerDays& days, std::string_view name) {
    Json file;
    file["version"] = kVersion;
    if (!name.empty()) {
        file["name"] = name;
    }
    Json& fields = file["fields"] = Json::array();
    for (const CostField& field : kCostFields) {
        fields.push_back(field.name);
    }
    // Day by day: all days as one tree would take ten times the memory of the text.
    std::string text = dump(file);
    text.pop_back();
    text += R"(,"days":{)";
    for (const auto& [day, kept] : days) {
        text += text.back() == '{' ? "\"" : ",\"";
        text += day_text(day) + "\":" + dump(rows_json(*kept));
    }
    return text + "}}\n";
}

Result<LedgerDays> parse_ledger(std::string_view text, std::string* name) {
    const Json file = Json::parse(text, nullptr, false);
    if (!file.is_object()) {
        return failure("it is no JSON object");
    }
    if (const auto version = file.find("version");
        version == file.end() || !version->is_number_integer() || *version != kVersion) {
        return failure("it is not of version " + std::to_string(kVersion));
    }
    if (name != nullptr) {
        *name = name_of(file);
    }
    const auto columns = columns_of(file);
    if (!columns) {
        return std::unexpected(columns.error());
    }
    const auto all = file.find("days");
    if (all == file.end() || !all->is_object() || all->size() > kMostDays) {
        return failure("it has no `days`, or too many");
    }
    LedgerDays days;
    for (const auto& [name, rows] : all->items()) {
        const Day day = parse_day(name);
        if (day < 0 || !rows.is_array()) {
            return failure("one of its days is none");
        }
        auto kept = std::make_shared<LedgerDay>();
        for (const Json& row : rows) {
            if (!put_row(*kept, row, *columns)) {
                return failure("a row of " + name + " cannot be read");
            }
        }
        days.emplace(day, std::move(kept));
    }
    return days;
}

std::optional<Day> first_day(std::string_view since, Day today) {
    if (since.empty()) {
        since = "7d";
    }
    if (since == "month") {
        return month_start(today);
    }
    if (const Day day = parse_day(since); day >= 0) {
        return day;
    }
    Day count = 0;
    const char* const end = since.data() + since.size();
    const auto [stop, error] = std::from_chars(since.data(), end, count);
    if (error != std::errc() || stop + 1 != end || *stop != 'd' || count < 1 ||
        count > kLongestSince) {
        return std::nullopt;
    }
    return today - count + 1;
}

Result<CostsQuery> costs_query(std::string_view since, std::string_view by, Day today) {
    const auto from = first_day(since, today);
    if (!from) {
        return failure("since: allowed are days such as 7d, a day such as 2026-11-01, and month");
    }
    // A clock that was ahead has left days after today: they are told, too.
    CostsQuery query{.from = *from, .to = today + kLongestSince};
    if (by.empty()) {
        by = "client,model";
    }
    while (!by.empty()) {
        const std::string_view name = by.substr(0, by.find(','));
        by.remove_prefix(std::min(by.size(), name.size() + 1));
        CostGroup group;
        if (!parse_group(name, group) || query.by.size() >= kCostNames.size() + 1) {
            return failure(
                "by: allowed are client, model, region, account, tag and day, with commas");
        }
        query.by.push_back(group);
    }
    return query;
}

Json costs_json(const LedgerDays& days, const CostsQuery& query) {
    Json json;
    json["since"] = day_text(query.from);
    json["first_day"] = days.empty() ? Json() : Json(day_text(days.begin()->first));
    json["by"] = Json::array();
    for (const CostGroup& group : query.by) {
        json["by"].push_back(to_string(group));
    }
    Costs all;
    for (const CostRow& row : rows_of(days, query.from, query.to, {})) {
        all.add(row.costs);
    }
    json["rows"] = rows_json(days, query);
    json["total"] = fields_json(all);
    json["unpriced"] = unpriced_json(days, query);
    json["saved"] = saved_json(all);
    return json;
}

}  // namespace weir::observe
