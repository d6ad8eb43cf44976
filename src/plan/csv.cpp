// Traces as CSV: columns by name.
#include "plan/row.h"
#include "plan/timestamp.h"

#include <array>
#include <charconv>

namespace weir::plan {
namespace {

enum class Column : std::uint8_t {
    time,
    time_ms,
    input,
    output,
    client,
    model,
    priority,
    max_tokens,
    stream,
    count
};
constexpr auto kColumns = static_cast<std::size_t>(Column::count);

struct ColumnName {
    std::string_view name;
    Column column;
};
constexpr std::array kNames{
    ColumnName{"timestamp", Column::time},
    ColumnName{"timestamp_ms", Column::time_ms},
    ColumnName{"ms", Column::time_ms},
    ColumnName{"contexttokens", Column::input},
    ColumnName{"input_tokens", Column::input},
    ColumnName{"input", Column::input},
    ColumnName{"generatedtokens", Column::output},
    ColumnName{"output_tokens", Column::output},
    ColumnName{"output", Column::output},
    ColumnName{"client", Column::client},
    ColumnName{"model", Column::model},
    ColumnName{"priority", Column::priority},
    ColumnName{"max_tokens", Column::max_tokens},
    ColumnName{"stream", Column::stream},
};
constexpr std::string_view kAllowedNames =
    "allowed are TIMESTAMP (ISO 8601), timestamp (seconds) or timestamp_ms; ContextTokens, "
    "input_tokens or input; GeneratedTokens, output_tokens or output";

std::string lower(std::string_view text) {
    std::string low(text);
    for (char& c : low) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return low;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

/// Splits off the first field, with its quotes taken away. `storage` holds one that had doubled
/// quotes inside. False: a quote is not closed.
bool take_field(std::string_view& line, bool& more, std::string_view& field, std::string& storage) {
    if (!line.starts_with('"')) {
        const std::size_t comma = line.find(',');
        field = trimmed(line.substr(0, comma));
        more = comma != std::string_view::npos;
        line.remove_prefix(more ? comma + 1 : line.size());
        return true;
    }
    storage.clear();
    std::size_t at = 1;
    for (;; ++at) {
        if (at >= line.size()) {
            return false;
        }
        if (line[at] != '"') {
            storage += line[at];
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
            storage += '"';
            ++at;
        } else {
            break;
        }
    }
    line.remove_prefix(at + 1);
    more = line.starts_with(',');
    if (!more && !trimmed(line).empty()) {
        return false;
    }
    line.remove_prefix(more ? 1 : line.size());
    field = storage;
    return true;
}

class CsvReader : public RowReader {
public:
    explicit CsvReader(Names& names) : names_(names) {}

    Result<void> header(std::string_view line) {
        std::array<bool, kColumns> seen{};
        std::string storage;
        bool more = true;
        while (more) {
            std::string_view field;
            if (!take_field(line, more, field, storage)) {
                return failure("the header has a quote that is not closed");
            }
            titles_.emplace_back(field);
            columns_.push_back(Column::count);
            for (const auto& [name, column] : kNames) {
                if (lower(field) != name) {
                    continue;
                }
                columns_.back() = column;
                bool& had = seen[static_cast<std::size_t>(column)];
                if (had) {
                    return failure("the header names " + shown(field) +
                                   " where another column says the same already; allowed is one");
                }
                had = true;
            }
        }
        const auto has = [&](Column column) { return seen[static_cast<std::size_t>(column)]; };
        if (!has(Column::time) && !has(Column::time_ms)) {
            return missing("time");
        }
        if (has(Column::time) && has(Column::time_ms)) {
            return failure("the header has both timestamp and timestamp_ms; allowed is one");
        }
        if (!has(Column::input)) {
            return missing("input tokens");
        }
        if (!has(Column::output)) {
            return missing("output tokens");
        }
        return {};
    }

    Result<Fate> read(std::string_view line, Row& row) override {
        row = Row{};
        std::size_t at = 0;
        bool more = true;
        for (; more; ++at) {
            std::string_view field;
            if (!take_field(line, more, field, storage_)) {
                return failure("column " + std::to_string(at + 1) +
                               ": its quote is not closed where the field ends");
            }
            if (at >= columns_.size()) {
                return failure("has more fields than the header's " +
                               std::to_string(columns_.size()));
            }
            if (auto good = set(columns_[at], field, row); !good) {
                return failure("column " + titles_[at] + ": " + shown(field) + " " +
                               good.error().message);
            }
        }
        if (at < columns_.size()) {
            return failure("column " + titles_[at] + ": is missing; the header has " +
                           std::to_string(columns_.size()) + " columns, this line " +
                           std::to_string(at));
        }
        row.written = row.arrival;
        return Fate::call;
    }

private:
    static std::unexpected<Error> missing(const std::string& what) {
        return failure("the header has no column for the " + what + "; " +
                       std::string(kAllowedNames));
    }

    static Result<std::uint64_t> tokens(std::string_view text) {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size() || value > kMostTokens) {
            return failure("is not a number of tokens; allowed are whole numbers from 0 to " +
                           std::to_string(kMostTokens));
        }
        return value;
    }

    static Result<void> set_time(std::string_view text, Row& row) {
        auto time = parse_scaled(text, 9);
        if (!time) {
            time = parse_iso_time(text);
        }
        if (!time) {
            return failure(
                "is no time; allowed are ISO 8601 such as 2023-11-16 18:17:03.979 (T or a space, "
                "optionally Z or +02:00) and seconds such as 12.5");
        }
        row.arrival = *time;
        return {};
    }

    Result<void> set(Column column, std::string_view text, Row& row) {
        switch (column) {
            case Column::time:
                return set_time(text, row);
            case Column::time_ms: {
                const auto time = parse_scaled(text, 6);
                if (!time) {
                    return failure("is no time; allowed are milliseconds from 0 on, such as 12.5");
                }
                row.arrival = *time;
                return {};
            }
            case Column::input:
                return keep(tokens(text), row.call.input);
            case Column::output:
                return keep(tokens(text), row.call.output);
            case Column::max_tokens:
                return text.empty() ? Result<void>{} : keep(tokens(text), row.call.max_tokens);
            case Column::client:
                row.call.client = names_.number(text);
                return {};
            case Column::model:
                row.call.model = names_.number(text);
                return {};
            case Column::priority:
                return set_priority(text, row);
            case Column::stream:
                return set_stream(text, row);
            case Column::count:
                return {};
        }
        return {};
    }

    static Result<void> keep(const Result<std::uint64_t>& value, std::uint64_t& to) {
        if (!value) {
            return std::unexpected(value.error());
        }
        to = *value;
        return {};
    }

    static Result<void> set_priority(std::string_view text, Row& row) {
        if (text.empty()) {
            return {};
        }
        for (const Priority p : {Priority::interactive, Priority::standard, Priority::batch}) {
            if (lower(text) == to_string(p)) {
                row.call.priority = p;
                return {};
            }
        }
        return failure("is no priority; allowed are interactive, standard, batch");
    }

    static Result<void> set_stream(std::string_view text, Row& row) {
        const std::string low = lower(text);
        row.call.stream = low == "true" || low == "1";
        if (!row.call.stream && !low.empty() && low != "false" && low != "0") {
            return failure("is neither yes nor no; allowed are true, false, 1, 0");
        }
        return {};
    }

    Names& names_;
    std::vector<Column> columns_;
    std::vector<std::string> titles_;
    std::string storage_;
};

}  // namespace

Result<std::unique_ptr<RowReader>> csv_reader(std::string_view header, Names& names) {
    auto reader = std::make_unique<CsvReader>(names);
    if (auto good = reader->header(header); !good) {
        return std::unexpected(good.error());
    }
    return reader;
}

}  // namespace weir::plan
