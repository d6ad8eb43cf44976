// Yesterday's traffic from weir's own access log. simdjson reads it: the lines are JSON as any
// program may have rewritten them, and a day of traffic has millions.
#include "plan/row.h"
#include "plan/timestamp.h"

#include <simdjson.h>

#include <chrono>

namespace weir::plan {
namespace {

namespace dom = simdjson::dom;

class AccessLogReader : public RowReader {
public:
    explicit AccessLogReader(Names& names) : names_(names) {}

    Result<Fate> read(std::string_view line, Row& row) override {
        row = Row{};
        dom::object members;
        if (parser_.parse(line.data(), line.size()).get(members) != simdjson::SUCCESS) {
            return failure("is not a JSON object; allowed are lines of weir's access log");
        }
        if (members["_aws"].error() == simdjson::SUCCESS) {
            return Fate::skipped;  // metrics for CloudWatch, between the requests
        }
        std::string_view ts;
        if (members["ts"].get(ts) != simdjson::SUCCESS) {
            return failure("ts: is missing; allowed is ISO 8601 such as 2026-11-23T10:00:00.000Z");
        }
        const auto time = parse_iso_time(ts);
        if (!time) {
            return failure("ts: " + shown(ts) +
                           " is no time; allowed is ISO 8601 such as 2026-11-23T10:00:00.000Z");
        }
        std::optional<std::uint64_t> total, queued, first, input, output, read, written, most;
        const std::pair<const char*, std::optional<std::uint64_t>*> numbers[] = {
            {"total_ms", &total},      {"queued_ms", &queued}, {"ttft_ms", &first},
            {"input", &input},         {"output", &output},    {"cache_read", &read},
            {"cache_write", &written}, {"max_tokens", &most}};
        for (const auto& [name, to] : numbers) {
            if (auto good = read_number(members, name, *to); !good) {
                return std::unexpected(good.error());
            }
        }
        if (!total) {
            return failure("total_ms: is missing; allowed is a number of milliseconds");
        }
        row.written = *time;
        row.arrival = *time - to_ns(*total);
        if (!input || !output) {
            return Fate::skipped;
        }
        TraceCall& call = row.call;
        call.input = *input + written.value_or(0);
        call.cached = read.value_or(0);
        call.output = *output;
        call.max_tokens = most.value_or(0);
        call.client = read_name(members, "client");
        call.model = read_name(members, "model");
        bool stream = false;
        call.stream = members["stream"].get(stream) == simdjson::SUCCESS && stream;
        // What is left without the queue is the service's own time, and our few milliseconds.
        const std::uint64_t waited = queued.value_or(0);
        call.whole = Duration(*total > waited ? to_ns(*total - waited) : 0);
        if (first && *first > waited) {
            call.first = std::min(Duration(to_ns(*first - waited)), call.whole);
        }
        return Fate::call;
    }

private:
    static std::int64_t to_ns(std::uint64_t ms) {
        return static_cast<std::int64_t>(ms) * 1'000'000;
    }

    /// Absent and null leave `to` unset.
    static Result<void> read_number(const dom::object& members, const char* name,
                                    std::optional<std::uint64_t>& to) {
        dom::element value;
        if (members[name].get(value) != simdjson::SUCCESS || value.is_null()) {
            return {};
        }
        std::uint64_t number = 0;
        if (value.get(number) != simdjson::SUCCESS || number > kMostTokens) {
            return failure(std::string(name) +
                           ": is no such number; allowed are null and whole numbers from 0 to " +
                           std::to_string(kMostTokens));
        }
        to = number;
        return {};
    }

    std::uint32_t read_name(const dom::object& members, const char* name) {
        std::string_view text;
        return members[name].get(text) == simdjson::SUCCESS ? names_.number(text) : Names::kNone;
    }

    Names& names_;
    dom::parser parser_;
};

}  // namespace

std::unique_ptr<RowReader> access_log_reader(Names& names) {
    return std::make_unique<AccessLogReader>(names);
}

}  // namespace weir::plan
